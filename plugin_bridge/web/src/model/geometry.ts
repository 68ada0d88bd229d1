/** Whole-pixel rectangles: x <= column < x + width, y <= row < y + height. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Extent {
  readonly width: number;
  readonly height: number;
}

export interface Rect extends Point, Extent {}

export const EMPTY: Rect = { x: 0, y: 0, width: 0, height: 0 };

export function isEmpty(rect: Rect): boolean {
  return rect.width <= 0 || rect.height <= 0;
}

export function whole(extent: Extent): Rect {
  return { x: 0, y: 0, width: extent.width, height: extent.height };
}

export function intersect(a: Rect, b: Rect): Rect {
  const x = Math.max(a.x, b.x);
  const y = Math.max(a.y, b.y);
  const width = Math.min(a.x + a.width, b.x + b.width) - x;
  const height = Math.min(a.y + a.height, b.y + b.height) - y;
  return width > 0 && height > 0 ? { x, y, width, height } : EMPTY;
}

/** The smallest rectangle around both; an empty one counts for nothing. */
export function union(a: Rect, b: Rect): Rect {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  const x = Math.min(a.x, b.x);
  const y = Math.min(a.y, b.y);
  return {
    x,
    y,
    width: Math.max(a.x + a.width, b.x + b.width) - x,
    height: Math.max(a.y + a.height, b.y + b.height) - y,
  };
}

/** Grown by `by` on every side; shrunk where `by` is negative. */
export function grown(rect: Rect, by: number): Rect {
  if (isEmpty(rect)) return EMPTY;
  return { x: rect.x - by, y: rect.y - by, width: rect.width + 2 * by, height: rect.height + 2 * by };
}

/** The smallest rectangle of whole pixels that holds the real-valued box from (x0, y0) to (x1, y1). */
export function covering(x0: number, y0: number, x1: number, y1: number): Rect {
  const x = Math.floor(Math.min(x0, x1));
  const y = Math.floor(Math.min(y0, y1));
  return { x, y, width: Math.ceil(Math.max(x0, x1)) - x, height: Math.ceil(Math.max(y0, y1)) - y };
}

export function contains(rect: Rect, x: number, y: number): boolean {
  return x >= rect.x && y >= rect.y && x < rect.x + rect.width && y < rect.y + rect.height;
}

/** The source pixel under the centre of pixel `at`, where `source` pixels are stretched over `target` ones. */
export function sampled(at: number, target: number, source: number): number {
  return Math.min(Math.floor(((2 * at + 1) * source) / (2 * target)), source - 1);
}

export function sameRect(a: Rect, b: Rect): boolean {
  return a.x === b.x && a.y === b.y && a.width === b.width && a.height === b.height;
}
