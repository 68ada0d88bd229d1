/** The stack of results: hide, keep, drop, rename, reorder. */

import { useEffect, useRef, useState } from "preact/hooks";
import { liveLayer } from "../model/layers";
import type { Layer } from "../model/types";
import type { Workspace } from "../tools/workspace";
import { IconButton } from "./controls";

/** Pixels of a thumbnail's longer side. */
const SIDE = 40;

/** Draws the layer as it lies on the photo, small: nearest pixels are good enough at this size. */
function drawThumbnail(canvas: HTMLCanvasElement, bench: Workspace, layer: Layer | null): void {
  const { width, height } = bench.document.extent;
  const scale = SIDE / Math.max(width, height);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(canvas.width, canvas.height);
  for (let y = 0, to = 0; y < canvas.height; y++) {
    for (let x = 0; x < canvas.width; x++, to += 4) {
      const px = Math.min(Math.floor((x + 0.5) / scale), width - 1);
      const py = Math.min(Math.floor((y + 0.5) / scale), height - 1);
      const from = layer ? inLayer(layer, px, py) : py * width + px;
      if (from < 0) continue;
      const source = layer?.pixels ?? bench.document.photo.pixels;
      for (let channel = 0; channel < 3; channel++) image.data[to + channel] = source[from * 4 + channel]!;
      image.data[to + 3] = layer ? layer.mask[from]! : 255;
    }
  }
  context.putImageData(image, 0, 0);
}

function inLayer({ bounds }: Layer, x: number, y: number): number {
  const [column, row] = [x - bounds.x, y - bounds.y];
  if (column < 0 || row < 0 || column >= bounds.width || row >= bounds.height) return -1;
  return row * bounds.width + column;
}

function Thumbnail({ bench, layer }: { bench: Workspace; layer: Layer | null }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => drawThumbnail(canvas.current!, bench, layer), [bench, layer?.pixels]);
  return (
    <span class="thumbnail" aria-hidden="true">
      <canvas ref={canvas} />
    </span>
  );
}

export function LayersPanel({ bench }: { bench: Workspace }) {
  const layers = bench.document.layers.value;
  const live = liveLayer(layers) !== null;
  return (
    <section class="panel-part layers" aria-label="Layers">
      <header>
        <h2>Layers</h2>
        <IconButton icon="dice" name="Another variant" keys="N" tip="left" disabled={!live && !bench.live.stale.value && bench.document.mapState.value === 0} onClick={() => bench.live.variant()} />
      </header>
      <ul>
        {[...layers].reverse().map((layer, i) => (
          <Row key={layer.id} bench={bench} layer={layer} top={i === 0} bottom={i === layers.length - 1} />
        ))}
        <li class="layer base">
          <span class="button" aria-hidden="true" />
          <Thumbnail bench={bench} layer={null} />
          <span class="about">
            <span class="name">{bench.document.photo.name}</span>
            <span class="quiet">Photo</span>
          </span>
        </li>
      </ul>
      {layers.length === 0 && <p class="quiet empty">Paint, and what Layoutbrush makes of it appears here.</p>}
    </section>
  );
}

function Row({ bench, layer, top, bottom }: { bench: Workspace; layer: Layer; top: boolean; bottom: boolean }) {
  const milliseconds = bench.live.timings.value?.["total"];
  const about = layer.kept
    ? `Kept · ${layer.bounds.width}×${layer.bounds.height}`
    : `Live${milliseconds ? ` · ${lasted(milliseconds)}` : ""}`;
  return (
    <li class={`layer ${layer.kept ? "kept" : "live"} ${layer.visible ? "" : "hidden"}`}>
      <IconButton
        icon={layer.visible ? "eye" : "eyeOff"}
        name={`${layer.visible ? "Hide" : "Show"} ${layer.name}`}
        tip="left"
        onClick={() => bench.showLayer(layer.id, !layer.visible)}
      />
      <Thumbnail bench={bench} layer={layer} />
      <span class="about">
        <Name bench={bench} layer={layer} />
        <span class="quiet">{about}</span>
      </span>
      {layer.kept && (
        <span class="order">
          <IconButton icon="up" name={`Move ${layer.name} up`} tip="left" disabled={top} onClick={() => bench.moveLayer(layer.id, 1)} />
          <IconButton icon="down" name={`Move ${layer.name} down`} tip="left" disabled={bottom} onClick={() => bench.moveLayer(layer.id, -1)} />
        </span>
      )}
      {!layer.kept && <IconButton icon="pin" name={`Keep ${layer.name}`} tip="left" onClick={() => bench.keepLayer(layer.id, true)} />}
      <IconButton icon="trash" name={`Drop ${layer.name}`} tip="left" onClick={() => bench.dropLayer(layer.id)} />
    </li>
  );
}

/** A duration for people. */
function lasted(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** A name that a double click or Enter lets be changed. */
function Name({ bench, layer }: { bench: Workspace; layer: Layer }) {
  const [editing, setEditing] = useState(false);
  if (!editing || !layer.kept) {
    return (
      <span
        class="name"
        tabIndex={layer.kept ? 0 : -1}
        role={layer.kept ? "button" : undefined}
        aria-label={layer.kept ? `${layer.name}, rename` : undefined}
        data-tip={layer.kept ? "Double click to rename" : undefined}
        data-side="left"
        onDblClick={() => setEditing(true)}
        onKeyDown={(event) => event.key === "Enter" && setEditing(true)}
      >
        {layer.name}
      </span>
    );
  }
  return (
    <input
      class="name"
      type="text"
      aria-label="Layer name"
      value={layer.name}
      ref={(input) => input?.select()}
      onBlur={(event) => {
        setEditing(false);
        if (event.currentTarget.value !== layer.name) bench.nameLayer(layer.id, event.currentTarget.value);
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") event.currentTarget.value = layer.name;
        if (event.key === "Enter" || event.key === "Escape") event.currentTarget.blur();
        event.stopPropagation();
      }}
    />
  );
}
