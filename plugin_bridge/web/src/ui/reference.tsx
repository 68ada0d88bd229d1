/** The second photo at a useful size: a click on a region takes it to the layout. */

import { useEffect, useRef, useState } from "preact/hooks";
import { intersect, type Rect } from "../model/geometry";
import type { Mask } from "../model/selection";
import { settings } from "../model/settings";
import { UNKNOWN, type Color, type Reference } from "../model/types";
import { commonestLabel, connectedRegion } from "../tools/flood";
import { lifted } from "../tools/transform";
import type { Workspace } from "../tools/workspace";
import { Dialog, Select, Switch } from "./controls";
import { openDialog } from "./dialogs";
import { fileOf, pickPicture } from "./files";
import { Icon } from "./icons";

/** Longer side of the picture in the dialog, CSS pixels at most. */
const SIDE = 720;

export function ReferenceDialog({ bench }: { bench: Workspace }) {
  const { mixing, document } = bench;
  const reference = mixing.current;
  const taking = mixing.taking.value;
  if (openDialog.value !== "reference") return null;
  const close = () => (openDialog.value = null);
  const load = (file: File | null) => void (file && mixing.addFile(file, file.name));
  return (
    <Dialog name="Place a region of a second photo" wide onClose={close}>
      <div
        class="reference"
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          event.preventDefault();
          event.stopPropagation();
          load(fileOf(event.dataTransfer));
        }}
      >
        {taking ? (
          <div class="waiting" role="status">
            <p>{taking.stage}…</p>
            <button type="button" class="button with-text" onClick={() => mixing.cancel()}>
              Cancel
            </button>
          </div>
        ) : reference ? (
          <Picker key={reference.id} reference={reference} bench={bench} onTaken={() => placeIt(close)} />
        ) : (
          <button type="button" class="drop" onClick={() => void pickPicture().then(load)}>
            <Icon name="addPhoto" size={32} />
            <span>
              Drop the second photo here or <u>choose a file</u>
            </span>
          </button>
        )}
        {reference && !taking && (
          <div class="row">
            <span class="quiet">Click a region: it comes to your layout, where you move and scale it.</span>
            <span class="spacer" />
            <Switch label="Labels" on={settings.referenceLabels.value} onChange={(on) => (settings.referenceLabels.value = on)} />
            {document.references.value.length > 1 && (
              <Select
                label="Second photo"
                value={reference.id}
                options={document.references.value.map(({ id, photo }) => [id, photo.name] as const)}
                onChange={(id) => (mixing.chosen.value = id)}
              />
            )}
            <button type="button" class="button with-text" onClick={() => void pickPicture().then(load)}>
              Another photo…
            </button>
          </div>
        )}
      </div>
    </Dialog>
  );
}

/** The region is on the canvas: the keys go there, so that arrows move it and Enter puts it down. */
function placeIt(close: () => void): void {
  close();
  requestAnimationFrame(() => document.querySelector<HTMLElement>("#stage canvas.marks")?.focus());
}

/** Where a region lies first: as large as in its photo if it fits, in the middle of what is seen. */
function firstPlace(bench: Workspace, source: Rect): Rect {
  const { view, document } = bench;
  const seen = intersect(view.photoRect({ x: 0, y: 0, ...view.canvas.peek() }), document.bounds);
  const scale = Math.min(1, (seen.width * 0.6) / source.width, (seen.height * 0.6) / source.height);
  const width = Math.max(1, Math.round(source.width * scale));
  const height = Math.max(1, Math.round(source.height * scale));
  return {
    x: Math.round(seen.x + (seen.width - width) / 2),
    y: Math.round(seen.y + (seen.height - height) / 2),
    width,
    height,
  };
}

function Picker({ reference, bench, onTaken }: { reference: Reference; bench: Workspace; onTaken: () => void }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [region, setRegion] = useState<Mask | null>(null);
  const { photo, labels } = reference;
  const scale = Math.min(1, SIDE / Math.max(photo.width, photo.height));
  const shown = settings.referenceLabels.value;
  const colorOf = (id: number) => bench.document.label(id)?.color ?? null;
  useEffect(() => drawReference(canvas.current!, reference, scale, region, shown ? colorOf : null), [reference, region, shown]);

  const regionAt = (event: MouseEvent): Mask => {
    const box = canvas.current!.getBoundingClientRect();
    const x = Math.min(Math.max(Math.floor(((event.clientX - box.left) / box.width) * photo.width), 0), photo.width - 1);
    const y = Math.min(Math.max(Math.floor(((event.clientY - box.top) / box.height) * photo.height), 0), photo.height - 1);
    return connectedRegion(labels, x, y);
  };
  const take = (mask: Mask) => {
    const label = commonestLabel(labels, mask) ?? UNKNOWN;
    const { bounds: source, data } = mask;
    settings.tool.value = "transform";
    bench.document.selection.clear();
    bench.transform.bring(
      lifted(labels, mask),
      { referenceId: reference.id, source, mask: data, label },
      firstPlace(bench, source),
    );
    onTaken();
  };
  const label = region && commonestLabel(labels, region);
  return (
    <div class="picker">
      <canvas
        ref={canvas}
        role="img"
        aria-label={`${photo.name}: click a region`}
        onPointerMove={(event) => event.pointerType === "mouse" && setRegion(regionAt(event))}
        onPointerLeave={() => setRegion(null)}
        onClick={(event) => take(regionAt(event))}
      />
      <span class="chip">{label === null ? photo.name : (bench.document.label(label)?.name ?? "unknown")}</span>
      <Regions reference={reference} bench={bench} onTake={take} />
    </div>
  );
}

/** The same by keyboard: the largest region of each label as a button. */
function Regions(props: { reference: Reference; bench: Workspace; onTake: (mask: Mask) => void }) {
  const { labels } = props.reference;
  const firsts = new Map<number, number>();
  for (let i = 0; i < labels.ids.length; i += 17) if (!firsts.has(labels.ids[i]!)) firsts.set(labels.ids[i]!, i);
  const largest = (id: number): Mask => {
    let best: Mask | null = null;
    const stride = Math.max(1, Math.floor(labels.ids.length / 4000));
    for (let i = 0; i < labels.ids.length; i += stride) {
      if (labels.ids[i] !== id) continue;
      const [x, y] = [i % labels.width, Math.floor(i / labels.width)];
      const { bounds } = best ?? { bounds: null };
      if (bounds && x >= bounds.x && y >= bounds.y && x < bounds.x + bounds.width && y < bounds.y + bounds.height) continue;
      const found = connectedRegion(labels, x, y);
      if (!best || found.data.length > best.data.length) best = found;
    }
    const first = firsts.get(id)!;
    return best ?? connectedRegion(labels, first % labels.width, Math.floor(first / labels.width));
  };
  return (
    <div class="regions" role="group" aria-label="Largest region of a label">
      {[...firsts.keys()].sort((a, b) => a - b).map((id) => (
        <button key={id} type="button" class="button with-text" onClick={() => props.onTake(largest(id))}>
          {props.bench.document.label(id)?.name ?? "unknown"}
        </button>
      ))}
    </div>
  );
}

function drawReference(canvas: HTMLCanvasElement, reference: Reference, scale: number, region: Mask | null, colorOf: ((id: number) => Color | null) | null): void {
  const { photo, labels } = reference;
  canvas.width = Math.max(1, Math.round(photo.width * scale));
  canvas.height = Math.max(1, Math.round(photo.height * scale));
  const context = canvas.getContext("2d", { alpha: false })!;
  const image = context.createImageData(canvas.width, canvas.height);
  for (let y = 0, to = 0; y < canvas.height; y++) {
    const py = Math.min(Math.floor((y + 0.5) / scale), photo.height - 1);
    for (let x = 0; x < canvas.width; x++, to += 4) {
      const px = Math.min(Math.floor((x + 0.5) / scale), photo.width - 1);
      const from = (py * photo.width + px) * 4;
      const lit = !region || inMask(region, px, py);
      const color = colorOf?.(labels.ids[from / 4]!);
      for (let channel = 0; channel < 3; channel++) {
        const value = color ? photo.pixels[from + channel]! * 0.6 + color[channel]! * 0.4 : photo.pixels[from + channel]!;
        image.data[to + channel] = lit ? value : value * 0.35 + 30;
      }
      image.data[to + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
}

function inMask({ bounds, data }: Mask, x: number, y: number): boolean {
  const [column, row] = [x - bounds.x, y - bounds.y];
  return column >= 0 && row >= 0 && column < bounds.width && row < bounds.height && data[row * bounds.width + column] !== 0;
}
