/** Regions taken up, moved, scaled and put down again, and the handles that do it. */

import { intersect, sampled, type Point, type Rect } from "../model/geometry";
import type { Mask } from "../model/selection";
import type { LabelMap } from "../model/types";
import type { Patch } from "./morph";

/** The masked part of a label map, cut out. */
export function lifted(map: LabelMap, mask: Mask): Patch {
  const { bounds } = mask;
  const ids = new Uint8Array(bounds.width * bounds.height);
  for (let row = 0; row < bounds.height; row++) {
    const from = (bounds.y + row) * map.width + bounds.x;
    ids.set(map.ids.subarray(from, from + bounds.width), row * bounds.width);
  }
  return { bounds, data: mask.data, ids };
}

/** A patch stretched over `target` by the nearest pixel (labels can't be mixed), cut to `within`. Exact at its own size. */
export function stretched(patch: Patch, target: Rect, within: Rect, mirrored = false): Patch {
  const bounds = intersect(target, within);
  const { width, height } = patch.bounds;
  const data = new Uint8Array(bounds.width * bounds.height);
  const ids = new Uint8Array(data.length);
  for (let row = 0, to = 0; row < bounds.height; row++) {
    const sy = sampled(bounds.y + row - target.y, target.height, height);
    for (let column = 0; column < bounds.width; column++, to++) {
      const sx = sampled(bounds.x + column - target.x, target.width, width);
      const from = sy * width + (mirrored ? width - 1 - sx : sx);
      data[to] = patch.data[from]!;
      ids[to] = patch.ids[from]!;
    }
  }
  return { bounds, data, ids };
}

/** Which part of a box is held: a corner, an edge, or all of it. */
export type Handle = "nw" | "n" | "ne" | "e" | "se" | "s" | "sw" | "w" | "inside";

export const HANDLES: readonly Exclude<Handle, "inside">[] = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];

export function handlePoint(box: Rect, handle: Exclude<Handle, "inside">): Point {
  const x = handle.includes("w") ? 0 : handle.includes("e") ? 1 : 0.5;
  const y = handle.includes("n") ? 0 : handle.includes("s") ? 1 : 0.5;
  return { x: box.x + box.width * x, y: box.y + box.height * y };
}

/**
 * The box after its handle was dragged by (dx, dy), in whole pixels and at least one pixel large. Corners keep the shape
 * unless `free`; `centred` keeps the middle where it is.
 */
export function dragged(box: Rect, handle: Handle, dx: number, dy: number, free = false, centred = false): Rect {
  if (handle === "inside") return { ...box, x: box.x + Math.round(dx), y: box.y + Math.round(dy) };
  const sign = (low: string, high: string) => (handle.includes(low) ? -1 : handle.includes(high) ? 1 : 0);
  const [sx, sy] = [sign("w", "e"), sign("n", "s")];
  const times = centred ? 2 : 1;
  let width = box.width + sx * dx * times;
  let height = box.height + sy * dy * times;
  if (sx && sy && !free) {
    const scale = Math.max(width / box.width, height / box.height);
    width = box.width * scale;
    height = box.height * scale;
  }
  width = Math.max(1, Math.round(width));
  height = Math.max(1, Math.round(height));
  const middle = { x: box.x + (box.width - width) / 2, y: box.y + (box.height - height) / 2 };
  const x = centred || sx === 0 ? middle.x : sx < 0 ? box.x + box.width - width : box.x;
  const y = centred || sy === 0 ? middle.y : sy < 0 ? box.y + box.height - height : box.y;
  return { x: Math.round(x), y: Math.round(y), width, height };
}
