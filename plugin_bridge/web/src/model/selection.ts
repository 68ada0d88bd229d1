/** What is selected: a mask over the photo, with the rectangle around it. */

import { signal } from "@preact/signals";
import { EMPTY, isEmpty, type Extent, type Rect } from "./geometry";

/** Part of a plane: bounds.width x bounds.height bytes, not 0 = selected. */
export interface Mask {
  readonly bounds: Rect;
  readonly data: Uint8Array;
}

export const NOTHING: Mask = { bounds: EMPTY, data: new Uint8Array(0) };

export type Combine = "replace" | "add" | "subtract" | "intersect";

export function maskAt(mask: Mask, x: number, y: number): boolean {
  const { bounds, data } = mask;
  const column = x - bounds.x;
  const row = y - bounds.y;
  if (column < 0 || row < 0 || column >= bounds.width || row >= bounds.height) return false;
  return data[row * bounds.width + column] !== 0;
}

/** Cut down to the smallest rectangle that holds every selected pixel. */
export function trimmed(mask: Mask): Mask {
  const { bounds, data } = mask;
  let left = bounds.width;
  let right = -1;
  let top = -1;
  let bottom = -1;
  for (let row = 0, i = 0; row < bounds.height; row++) {
    for (let column = 0; column < bounds.width; column++, i++) {
      if (!data[i]) continue;
      if (top < 0) top = row;
      bottom = row;
      if (column < left) left = column;
      if (column > right) right = column;
    }
  }
  if (top < 0) return NOTHING;
  return cropped(mask, {
    x: bounds.x + left,
    y: bounds.y + top,
    width: right - left + 1,
    height: bottom - top + 1,
  });
}

/** The same mask with other bounds; what was not covered is not selected. */
export function cropped(mask: Mask, bounds: Rect): Mask {
  const data = new Uint8Array(bounds.width * bounds.height);
  const from = mask.bounds;
  const x0 = Math.max(bounds.x, from.x);
  const x1 = Math.min(bounds.x + bounds.width, from.x + from.width);
  const y1 = Math.min(bounds.y + bounds.height, from.y + from.height);
  for (let y = Math.max(bounds.y, from.y); y < y1 && x1 > x0; y++) {
    const start = (y - from.y) * from.width + (x0 - from.x);
    data.set(mask.data.subarray(start, start + x1 - x0), (y - bounds.y) * bounds.width + (x0 - bounds.x));
  }
  return { bounds, data };
}

export function combined(a: Mask, b: Mask, how: Combine): Mask {
  if (how === "replace") return trimmed(b);
  const { bounds } = around(a, b);
  const left = cropped(a, bounds).data;
  const right = cropped(b, bounds).data;
  const data = new Uint8Array(left.length);
  for (let i = 0; i < data.length; i++) {
    const [p, q] = [left[i] !== 0, right[i] !== 0];
    data[i] = (how === "add" ? p || q : how === "subtract" ? p && !q : p && q) ? 1 : 0;
  }
  return trimmed({ bounds, data });
}

function around(a: Mask, b: Mask): { bounds: Rect } {
  if (isEmpty(a.bounds)) return b;
  if (isEmpty(b.bounds)) return a;
  const x = Math.min(a.bounds.x, b.bounds.x);
  const y = Math.min(a.bounds.y, b.bounds.y);
  const right = Math.max(a.bounds.x + a.bounds.width, b.bounds.x + b.bounds.width);
  const bottom = Math.max(a.bounds.y + a.bounds.height, b.bounds.y + b.bounds.height);
  return { bounds: { x, y, width: right - x, height: bottom - y } };
}

export class Selection {
  readonly mask = signal<Mask>(NOTHING);

  constructor(readonly extent: Extent) {}

  set(mask: Mask, how: Combine = "replace"): void {
    this.mask.value = combined(this.mask.value, mask, how);
  }

  clear(): void {
    if (!this.empty) this.mask.value = NOTHING;
  }

  get empty(): boolean {
    return isEmpty(this.mask.value.bounds);
  }
}
