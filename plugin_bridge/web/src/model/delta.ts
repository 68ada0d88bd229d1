/** Changes of a plane of bytes, kept small: XOR of before and after, tile by tile, run-length coded. */

import { covering, intersect, isEmpty, union, whole, EMPTY, type Extent, type Rect } from "./geometry";

/** Side of a tile in pixels; the most that one touched pixel costs is one tile. */
export const TILE = 64;

/** A change that is its own inverse: applied once it takes a plane from before to after, applied again it takes it back. */
export interface Delta {
  readonly tiles: readonly { readonly index: number; readonly runs: Uint8Array }[];
  /** Covers every pixel that differs. */
  readonly bounds: Rect;
  /** Memory held, bytes. */
  readonly bytes: number;
}

/** Pairs of (length - 1, value). */
export function encodeRuns(values: Uint8Array): Uint8Array {
  const runs: number[] = [];
  for (let at = 0; at < values.length; ) {
    const value = values[at]!;
    let end = at + 1;
    while (end < values.length && values[end] === value && end - at < 256) end++;
    runs.push(end - at - 1, value);
    at = end;
  }
  return Uint8Array.from(runs);
}

export function decodeRuns(runs: Uint8Array, length: number): Uint8Array {
  const values = new Uint8Array(length);
  let at = 0;
  for (let i = 0; i < runs.length; i += 2) {
    const end = at + runs[i]! + 1;
    if (runs[i + 1] !== 0) values.fill(runs[i + 1]!, at, end);
    at = end;
  }
  return values;
}

function columns(extent: Extent): number {
  return Math.ceil(extent.width / TILE);
}

function tileRect(extent: Extent, index: number): Rect {
  const perRow = columns(extent);
  const tile = { x: (index % perRow) * TILE, y: Math.floor(index / perRow) * TILE, width: TILE, height: TILE };
  return intersect(tile, whole(extent));
}

function copyOut(plane: Uint8Array, stride: number, rect: Rect): Uint8Array {
  const values = new Uint8Array(rect.width * rect.height);
  for (let row = 0; row < rect.height; row++) {
    const from = (rect.y + row) * stride + rect.x;
    values.set(plane.subarray(from, from + rect.width), row * rect.width);
  }
  return values;
}

function copyIn(plane: Uint8Array, stride: number, rect: Rect, values: Uint8Array): void {
  for (let row = 0; row < rect.height; row++) {
    plane.set(values.subarray(row * rect.width, (row + 1) * rect.width), (rect.y + row) * stride + rect.x);
  }
}

/** Applies a delta to a plane of `extent`, in place. */
export function applyDelta(plane: Uint8Array, extent: Extent, delta: Delta): void {
  for (const { index, runs } of delta.tiles) {
    const rect = tileRect(extent, index);
    const values = decodeRuns(runs, rect.width * rect.height);
    for (let row = 0, i = 0; row < rect.height; row++) {
      let at = (rect.y + row) * extent.width + rect.x;
      for (let column = 0; column < rect.width; column++) plane[at++]! ^= values[i++]!;
    }
  }
}

/** Watches one edit of a plane: call `touch` before writing, then `finish` or `revert`. */
export class Recorder {
  private readonly before = new Map<number, Uint8Array>();

  constructor(
    private readonly plane: Uint8Array,
    private readonly extent: Extent,
  ) {}

  /** Remembers what lies in `rect`; tiles that are remembered already cost nothing. */
  touch(rect: Rect): void {
    const inside = intersect(rect, whole(this.extent));
    if (isEmpty(inside)) return;
    const perRow = columns(this.extent);
    const right = Math.floor((inside.x + inside.width - 1) / TILE);
    const bottom = Math.floor((inside.y + inside.height - 1) / TILE);
    for (let ty = Math.floor(inside.y / TILE); ty <= bottom; ty++) {
      for (let tx = Math.floor(inside.x / TILE); tx <= right; tx++) {
        const index = ty * perRow + tx;
        if (!this.before.has(index)) {
          this.before.set(index, copyOut(this.plane, this.extent.width, tileRect(this.extent, index)));
        }
      }
    }
  }

  /** The byte that was at (x, y) before the edit. */
  was(x: number, y: number): number {
    const index = Math.floor(y / TILE) * columns(this.extent) + Math.floor(x / TILE);
    const tile = this.before.get(index);
    if (!tile) return this.plane[y * this.extent.width + x]!;
    const rect = tileRect(this.extent, index);
    return tile[(y - rect.y) * rect.width + (x - rect.x)]!;
  }

  /** Puts everything back as it was and returns where; the recorder goes on watching. */
  revert(): Rect {
    let bounds: Rect = EMPTY;
    for (const [index, values] of this.before) {
      const rect = tileRect(this.extent, index);
      copyIn(this.plane, this.extent.width, rect, values);
      bounds = union(bounds, rect);
    }
    return bounds;
  }

  /** What changed; null if nothing did. */
  finish(): Delta | null {
    const tiles: { index: number; runs: Uint8Array }[] = [];
    let bounds: Rect = EMPTY;
    let bytes = 0;
    for (const [index, values] of this.before) {
      const rect = tileRect(this.extent, index);
      const changed = changedBounds(this.plane, this.extent.width, rect, values);
      if (isEmpty(changed)) continue;
      const now = copyOut(this.plane, this.extent.width, rect);
      for (let i = 0; i < now.length; i++) now[i]! ^= values[i]!;
      const runs = encodeRuns(now);
      tiles.push({ index, runs });
      bounds = union(bounds, changed);
      bytes += runs.length + 16;
    }
    return tiles.length ? { tiles, bounds, bytes } : null;
  }
}

function changedBounds(plane: Uint8Array, stride: number, rect: Rect, before: Uint8Array): Rect {
  let left = rect.width;
  let right = -1;
  let top = -1;
  let bottom = -1;
  for (let row = 0, i = 0; row < rect.height; row++) {
    const from = (rect.y + row) * stride + rect.x;
    for (let column = 0; column < rect.width; column++, i++) {
      if (plane[from + column] === before[i]) continue;
      if (top < 0) top = row;
      bottom = row;
      if (column < left) left = column;
      if (column > right) right = column;
    }
  }
  return top < 0 ? EMPTY : covering(rect.x + left, rect.y + top, rect.x + right + 1, rect.y + bottom + 1);
}
