/** The canvas with all that lies on it: picture, marks, before/after handle. */

import { useEffect, useRef } from "preact/hooks";
import { Input } from "../canvas/input";
import { MarksRenderer } from "../canvas/marks";
import { Renderer } from "../canvas/renderer";
import type { Workspace } from "../tools/workspace";

/** Keeps the view at the canvas' size in device pixels, exactly where the browser says it. */
function watchSize(element: HTMLElement, bench: Workspace): () => void {
  const observer = new ResizeObserver(([entry]) => {
    const exact = entry?.devicePixelContentBoxSize?.[0];
    const rounded = Math.round(element.clientWidth * devicePixelRatio);
    // Emulated screens report this box in CSS pixels; there the rounded size is the better one.
    const believed = exact !== undefined && Math.abs(exact.inlineSize - rounded) <= 1 + devicePixelRatio;
    const width = believed ? exact.inlineSize : rounded;
    const height = believed ? exact.blockSize : Math.round(element.clientHeight * devicePixelRatio);
    if (width > 0 && height > 0) bench.view.resize({ width, height }, width / element.clientWidth);
  });
  try {
    observer.observe(element, { box: "device-pixel-content-box" });
  } catch {
    // Safari knows no device pixels here.
    observer.observe(element);
  }
  return () => observer.disconnect();
}

export function Stage({ bench }: { bench: Workspace }) {
  const picture = useRef<HTMLCanvasElement>(null);
  const marks = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const parts = [
      new Renderer(picture.current!, bench.document, bench.live, bench.view, bench.compare),
      new MarksRenderer(marks.current!, bench),
      new Input(marks.current!, bench),
    ];
    const stop = watchSize(picture.current!, bench);
    return () => {
      stop();
      for (const part of parts) part.close();
    };
  }, [bench]);
  return (
    <div id="stage">
      <canvas class="picture" ref={picture} aria-hidden="true" />
      <canvas
        class="marks"
        ref={marks}
        tabIndex={0}
        role="application"
        aria-label="Canvas"
        aria-describedby="canvas-help"
      />
      <p id="canvas-help" class="unseen">
        Arrow keys move a cursor, with Shift by one pixel. Enter puts the tool down and takes it up again; Shift and Enter
        close a polygon. Escape cancels.
      </p>
      <Divider bench={bench} />
    </div>
  );
}

/** The before/after slider: a line over the photo with a handle. */
function Divider({ bench }: { bench: Workspace }) {
  const share = bench.compare.value;
  if (share === null) return null;
  const { scale, x } = bench.view.placed.value;
  const density = bench.view.density.value;
  const width = bench.document.extent.width * scale;
  const left = (x + share * width) / density;
  const held = (value: number) => (bench.compare.value = Math.min(Math.max(value, 0), 1));
  const drag = (event: PointerEvent) => {
    const handle = event.currentTarget as HTMLElement;
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const box = handle.parentElement!.getBoundingClientRect();
    held(((event.clientX - box.left) * density - x) / width);
  };
  return (
    <>
      <div
        class="divider"
        role="slider"
        tabIndex={0}
        aria-label="Before and after"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
        aria-valuetext={`${Math.round(share * 100)} % before`}
        style={{ left: `${left}px` }}
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={drag}
        onKeyDown={(event) => {
          const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
          if (by) held(share + by);
          else if (event.key === "Home") held(0);
          else if (event.key === "End") held(1);
          else return;
          event.preventDefault();
          event.stopPropagation();
        }}
      >
        <span class="grip" aria-hidden="true" />
      </div>
      <span class="side before" aria-hidden="true">
        Before
      </span>
      <span class="side after" aria-hidden="true">
        After
      </span>
    </>
  );
}
