/**
 * A painted layer as label ids. Painters use ordinary brushes, so that a label layer holds more than the palette's colours:
 * soft strokes leave blends of the colours on both sides, and erased pixels are clear. Exact colours are their label, clear
 * pixels what the photo had, blends the nearer one of the labels around them. What no label explains is told, not guessed.
 */

import { labelColors } from "../../../web/src/io/label_colors";
import { UNKNOWN, type Color, type Label, type LabelMap } from "../../../web/src/model/types";

/** Alpha from which on a pixel counts as painted. */
const PAINTED = 128;
/** Steps from an exact colour up to which a colour counts as a blend at a stroke's rim. */
const REACH = 24;
/** Distance in RGB up to which a colour counts as a label's own: rounding, and colour management of the brush. */
const TOLERANCE = 24;
/** Distance in RGB up to which a colour counts as a blend of two labels. */
const BLEND = 40;
const OPEN = -1;

export interface Stray {
  readonly count: number;
  readonly x: number;
  readonly y: number;
  readonly color: Color;
}

export interface Reading {
  readonly map: LabelMap;
  /** Colours that are no label's; those pixels are unknown. Null: none. */
  readonly stray: Stray | null;
}

function distance(a: Color, r: number, g: number, b: number): number {
  return (a[0] - r) ** 2 + (a[1] - g) ** 2 + (a[2] - b) ** 2;
}

/** `rgba`: what was painted, straight, of the size of `original`. */
export function readLabels(rgba: Uint8Array, original: LabelMap, labels: readonly Label[]): Reading {
  const { width, height } = original;
  const colors = labelColors(labels);
  const own = ownColors(colors);
  const ids = new Int16Array(width * height);
  const open: number[] = [];
  const present = new Set<number>();
  for (let i = 0, at = 0; i < ids.length; i++, at += 4) {
    if (rgba[at + 3]! < PAINTED) ids[i] = original.ids[i]!;
    else {
      ids[i] = own(rgba[at]!, rgba[at + 1]!, rgba[at + 2]!);
      if (ids[i] === OPEN) open.push(i);
      else present.add(ids[i]!);
    }
  }
  const blended = blends([...present].map((id) => colors.get(id)!));
  const isBlend = (i: number) => blended(rgba[i * 4]!, rgba[i * 4 + 1]!, rgba[i * 4 + 2]!);
  const strays = open.filter((i) => !isBlend(i));
  const left = [...strays, ...settle(rgba, ids, open.filter(isBlend), colors, width, height)].sort((a, b) => a - b);
  for (const i of left) ids[i] = UNKNOWN;
  const [first] = left;
  const stray =
    first === undefined
      ? null
      : {
          count: left.length,
          x: first % width,
          y: Math.floor(first / width),
          color: [rgba[first * 4]!, rgba[first * 4 + 1]!, rgba[first * 4 + 2]!] as const,
        };
  return { map: { width, height, ids: Uint8Array.from(ids) }, stray };
}

/** The id of a colour that is a label's own, or nearly; remembered, because layers hold few colours. */
function ownColors(colors: ReadonlyMap<number, Color>): (r: number, g: number, b: number) => number {
  const known = new Map<number, number>();
  return (r, g, b) => {
    const key = (r << 16) | (g << 8) | b;
    let id = known.get(key);
    if (id === undefined) {
      let [best, nearest] = [TOLERANCE ** 2 + 1, OPEN];
      for (const [candidate, color] of colors) {
        const away = distance(color, r, g, b);
        if (away < best) [best, nearest] = [away, candidate];
      }
      id = nearest;
      if (known.size < 1 << 16) known.set(key, id);
    }
    return id;
  };
}

/** Whether a colour lies between two of these, remembered. */
function blends(colors: readonly Color[]): (r: number, g: number, b: number) => boolean {
  const known = new Map<number, boolean>();
  return (r, g, b) => {
    const key = (r << 16) | (g << 8) | b;
    let blend = known.get(key);
    if (blend === undefined) {
      blend = colors.some((one, i) => colors.slice(i + 1).some((other) => fromSegment(one, other, r, g, b) <= BLEND ** 2));
      if (known.size < 1 << 16) known.set(key, blend);
    }
    return blend;
  };
}

/** Squared distance of a colour from the straight line between two. */
function fromSegment(one: Color, other: Color, r: number, g: number, b: number): number {
  const along = [other[0] - one[0], other[1] - one[1], other[2] - one[2]] as const;
  const length = along[0] ** 2 + along[1] ** 2 + along[2] ** 2;
  const dot = along[0] * (r - one[0]) + along[1] * (g - one[1]) + along[2] * (b - one[2]);
  const t = length ? Math.min(1, Math.max(0, dot / length)) : 0;
  return distance([one[0] + t * along[0], one[1] + t * along[1], one[2] + t * along[2]], r, g, b);
}

/** Gives blends the nearer one of their neighbours' labels, from the rims inwards; returns what is out of reach. */
function settle(
  rgba: Uint8Array,
  ids: Int16Array,
  open: number[],
  colors: ReadonlyMap<number, Color>,
  width: number,
  height: number,
): number[] {
  for (let step = 0; step < REACH && open.length; step++) {
    const found: [number, number][] = [];
    const still: number[] = [];
    for (const i of open) {
      const id = nearestAround(rgba, ids, i, colors, width, height);
      if (id === OPEN) still.push(i);
      else found.push([i, id]);
    }
    if (!found.length) break;
    // All at once, so that the order of pixels makes no difference.
    for (const [i, id] of found) ids[i] = id;
    open = still;
  }
  return open;
}

function nearestAround(
  rgba: Uint8Array,
  ids: Int16Array,
  i: number,
  colors: ReadonlyMap<number, Color>,
  width: number,
  height: number,
): number {
  const [x, y] = [i % width, Math.floor(i / width)];
  let [best, nearest] = [Infinity, OPEN];
  for (let dy = -1; dy <= 1; dy++) {
    for (let dx = -1; dx <= 1; dx++) {
      if (x + dx < 0 || x + dx >= width || y + dy < 0 || y + dy >= height) continue;
      const id = ids[i + dy * width + dx]!;
      if (id === OPEN) continue;
      const away = distance(colors.get(id) ?? colors.get(UNKNOWN)!, rgba[i * 4]!, rgba[i * 4 + 1]!, rgba[i * 4 + 2]!);
      if (away < best) [best, nearest] = [away, id];
    }
  }
  return nearest;
}
