/** Labelled boxes of a picture that is to be: each function gives new boxes and leaves the old ones as they were. */

import type { Extent } from "./geometry";
import { UNKNOWN, type Label, type LabelMap } from "./types";

/** Where a box lies, as shares of the board's width and height: 0 <= x, x + width <= 1. */
export interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Box extends Place {
  readonly id: string;
  /** A name out of the server's list. */
  readonly label: string;
  /** Names the object's look: it is kept wherever the box goes, and changed to get another one. */
  readonly look: number;
}

/** From the back to the front. */
export type Boxes = readonly Box[];

export const MOST_BOXES = 64;
/** The smallest side, as a share: one pixel of a draft of 64. */
const SMALLEST = 1 / 64;
const LARGEST_LOOK = 2 ** 32 - 1;

function held(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

/** The box between two corners, cut to the board. */
export function between(x0: number, y0: number, x1: number, y1: number): Place {
  const [left, right] = [held(Math.min(x0, x1), 0, 1 - SMALLEST), held(Math.max(x0, x1), 0, 1)];
  const [top, bottom] = [held(Math.min(y0, y1), 0, 1 - SMALLEST), held(Math.max(y0, y1), 0, 1)];
  return { x: left, y: top, width: Math.max(right - left, SMALLEST), height: Math.max(bottom - top, SMALLEST) };
}

/** Moved as far as the board goes. */
export function shifted(box: Place, dx: number, dy: number): Place {
  const { width, height } = box;
  return { x: held(box.x + dx, 0, 1 - width), y: held(box.y + dy, 0, 1 - height), width, height };
}

/** Any of "n", "s", "w", "e" and their pairs: which edges are dragged. */
export function stretchedBy(box: Place, edges: string, dx: number, dy: number): Place {
  let [left, top, right, bottom] = [box.x, box.y, box.x + box.width, box.y + box.height];
  if (edges.includes("w")) left = held(left + dx, 0, right - SMALLEST);
  if (edges.includes("e")) right = held(right + dx, left + SMALLEST, 1);
  if (edges.includes("n")) top = held(top + dy, 0, bottom - SMALLEST);
  if (edges.includes("s")) bottom = held(bottom + dy, top + SMALLEST, 1);
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** The smallest box over a point: what lies in a large one can be picked out of it. */
export function boxAt(boxes: Boxes, x: number, y: number): Box | null {
  const over = boxes.filter((box) => x >= box.x && y >= box.y && x <= box.x + box.width && y <= box.y + box.height);
  return over.reduce<Box | null>((best, box) => (!best || box.width * box.height <= best.width * best.height ? box : best), null);
}

/** A number that no box bears. */
export function newLook(boxes: Boxes): number {
  return (Math.max(-1, ...boxes.map(({ look }) => look)) + 1) % LARGEST_LOOK;
}

export function withBox(boxes: Boxes, id: string, change: Partial<Omit<Box, "id">>): Boxes {
  return boxes.map((box) => (box.id === id ? { ...box, ...change } : box));
}

export function withoutBox(boxes: Boxes, id: string): Boxes {
  return boxes.filter((box) => box.id !== id);
}

/** Moved by `by` places towards the front. */
export function reordered(boxes: Boxes, id: string, by: number): Boxes {
  const from = boxes.findIndex((box) => box.id === id);
  const to = held(from + by, 0, boxes.length - 1);
  if (from < 0 || from === to) return boxes;
  const next = [...boxes];
  next.splice(to, 0, ...next.splice(from, 1));
  return next;
}

/** Whole pixels between two edges: at least one, and boxes that share an edge still do. */
function span(low: number, high: number, size: number): [number, number] {
  const start = Math.min(Math.round(low * size), size - 1);
  return [start, Math.min(Math.max(Math.round(high * size), start + 1), size)];
}

/** The boxes drawn as label ids, in their order; UNKNOWN where there is none, or where the label isn't among `labels`. */
export function boxesLayout(boxes: Boxes, labels: readonly Label[], { width, height }: Extent): LabelMap {
  const ids = new Uint8Array(width * height).fill(UNKNOWN);
  const idOf = new Map(labels.map(({ id, name }) => [name, id]));
  for (const box of boxes) {
    const id = idOf.get(box.label) ?? UNKNOWN;
    const [left, right] = span(box.x, box.x + box.width, width);
    const [top, bottom] = span(box.y, box.y + box.height, height);
    for (let y = top; y < bottom; y++) ids.fill(id, y * width + left, y * width + right);
  }
  return { width, height, ids };
}

/** A file of boxes as `layoutbrush draft` reads it. */
export function boxesFile(boxes: Boxes, { width, height }: Extent): object {
  const pixels = (share: number, side: number) => Math.round(share * side * 1000) / 1000;
  const objects = boxes.map(({ label, x, y, look, ...size }) => {
    const bbox = [pixels(x, width), pixels(y, height), pixels(size.width, width), pixels(size.height, height)];
    return { label, bbox, look };
  });
  return { width, height, objects };
}

function numbers(value: unknown, count: number): number[] {
  if (!Array.isArray(value) || value.length !== count || !value.every((one) => Number.isFinite(one))) throw unreadable();
  return value as number[];
}

function unreadable(): Error {
  return new Error("The file holds no boxes: {\u201cwidth\u201d, \u201cheight\u201d, \u201cobjects\u201d: [{\u201clabel\u201d, \u201cbbox\u201d: [x, y, width, height]}]} is what it should be.");
}

/** Reads such a file; boxes are cut to the picture. Throws Error with a sentence for people. */
export function boxesFrom(json: unknown): { readonly boxes: Boxes; readonly extent: Extent } {
  const { width, height, objects } = (json ?? {}) as Record<string, unknown>;
  if (!(Number(width) > 0 && Number(height) > 0) || !Array.isArray(objects)) throw unreadable();
  if (objects.length > MOST_BOXES) throw new Error(`The file holds ${objects.length} boxes; at most ${MOST_BOXES} can be drawn.`);
  const extent = { width: Math.round(Number(width)), height: Math.round(Number(height)) };
  const boxes = objects.map((one: unknown, index): Box => {
    const { label, bbox, look } = (one ?? {}) as Record<string, unknown>;
    const [x, y, across, down] = numbers(bbox, 4) as [number, number, number, number];
    if (typeof label !== "string" || across <= 0 || down <= 0) throw unreadable();
    const place = between(x / Number(width), y / Number(height), (x + across) / Number(width), (y + down) / Number(height));
    const named = Number.isInteger(look) && Number(look) >= 0 && Number(look) <= LARGEST_LOOK ? Number(look) : index;
    return { ...place, id: `box-${index}`, label, look: named };
  });
  return { boxes, extent };
}
