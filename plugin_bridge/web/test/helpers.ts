/** Small photos, maps and random numbers that are the same in every run. */

import { Document } from "../src/model/document";
import type { Label, LabelMap, Photo } from "../src/model/types";

/** Whole numbers from 0 to below the argument. */
export function generator(seed: number): (below: number) => number {
  let state = seed * 2654435761 + 1;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    const mixed = Math.imul(state ^ (state >>> 13), 0x297a2d39);
    return ((mixed ^ (mixed >>> 16)) >>> 0) % below;
  };
}

export function photo(width: number, height: number): Photo {
  const next = generator(width * 31 + height);
  const pixels = Uint8ClampedArray.from({ length: width * height * 4 }, (_, i) => (i % 4 === 3 ? 255 : next(256)));
  return { name: "photo.png", width, height, pixels, profile: null, file: null };
}

/** Blobs of a few labels: a coarse random grid. */
export function blobs(width: number, height: number, seed = 1, labels = 4, cell = 5): LabelMap {
  const next = generator(seed);
  const across = Math.ceil(width / cell);
  const coarse = Array.from({ length: across * Math.ceil(height / cell) }, () => next(labels));
  const ids = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) ids[y * width + x] = coarse[Math.floor(y / cell) * across + Math.floor(x / cell)]!;
  }
  return { width, height, ids };
}

export const LABELS: readonly Label[] = ["sky", "tree", "road", "grass", "water"].map((name, id) => ({
  id,
  name,
  color: [id * 40, 100, 200 - id * 30],
}));

export function document(width: number, height: number, seed = 1): Document {
  return new Document(photo(width, height), LABELS, blobs(width, height, seed));
}

/** Whether two planes hold the same bytes; a matcher would take seconds on large ones. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
