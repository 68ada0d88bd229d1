/** Tools of one click: bucket, pick label, select a region; and the hand, which only moves the view. */

import { contains, type Point } from "../model/geometry";
import { settings } from "../model/settings";
import { UNKNOWN } from "../model/types";
import { editedMap, paintMask } from "./edits";
import { connectedRegion, labelRegion } from "./flood";
import { combineOf } from "./shape_tool";
import type { Bench, Pointer, Tool } from "./tool";

function pixelAt(bench: Bench, at: Point): Point | null {
  const pixel = { x: Math.floor(at.x), y: Math.floor(at.y) };
  return contains(bench.document.bounds, pixel.x, pixel.y) ? pixel : null;
}

function regionAt(bench: Bench, { x, y }: Point) {
  const map = editedMap(bench.document);
  return settings.contiguous.value ? connectedRegion(map, x, y) : labelRegion(map, map.ids[y * map.width + x]!);
}

/** Name of the label under a point, for people. */
export function nameAt(bench: Bench, at: Point): string | null {
  const pixel = pixelAt(bench, at);
  if (!pixel) return null;
  const id = bench.document.edited[pixel.y * bench.document.extent.width + pixel.x]!;
  return id === UNKNOWN ? "unknown" : (bench.document.label(id)?.name ?? `label ${id}`);
}

/** Takes the label under a point to paint with. */
export function pickAt(bench: Bench, at: Point): void {
  const pixel = pixelAt(bench, at);
  if (!pixel) return;
  const id = bench.document.edited[pixel.y * bench.document.extent.width + pixel.x]!;
  bench.label.value = id;
  bench.say(`Painting ${nameAt(bench, at)}`);
}

export class BucketTool implements Tool {
  readonly cursor = "crosshair";

  constructor(private readonly bench: Bench) {}

  down(at: Pointer): void {
    const pixel = pixelAt(this.bench, at);
    if (!pixel) return;
    const { document, label } = this.bench;
    const limit = document.selection.empty ? null : document.selection.mask.value;
    paintMask(document, regionAt(this.bench, pixel), label.value, "Bucket", limit);
  }
}

export class PickTool implements Tool {
  readonly cursor = "crosshair";

  constructor(private readonly bench: Bench) {}

  down(at: Pointer): void {
    pickAt(this.bench, at);
  }

  move(at: Pointer): void {
    pickAt(this.bench, at);
  }
}

export class SelectTool implements Tool {
  readonly cursor = "crosshair";

  constructor(private readonly bench: Bench) {}

  down(at: Pointer): void {
    const { document, say } = this.bench;
    const pixel = pixelAt(this.bench, at);
    if (!pixel) {
      if (combineOf(at) === "replace") document.selection.clear();
      return;
    }
    document.selection.set(regionAt(this.bench, pixel), combineOf(at));
    say(document.selection.empty ? "Nothing selected" : `Selected ${nameAt(this.bench, at)}`);
  }
}

export class HandTool implements Tool {
  readonly cursor = "grab";

  down(): void {
    // The canvas pans by itself while this tool is chosen.
  }
}
