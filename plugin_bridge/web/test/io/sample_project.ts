/** A small project with everything in it: odd sizes, offsets, alpha, hidden layers, a reference, a profile. */

import type { Label, Layer, Photo, Project } from "../../src/model/types";

/** Counted, not drawn: the same numbers on every run. */
export function noise(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    out[i] = state >>> 24;
  }
  return out;
}

export function rgba(width: number, height: number, seed: number, opaque: boolean): Uint8ClampedArray<ArrayBuffer> {
  const out = new Uint8ClampedArray(noise(width * height * 4, seed).buffer);
  if (opaque) for (let at = 3; at < out.length; at += 4) out[at] = 255;
  return out;
}

/** The least that counts as a profile: a header of 128 bytes, and a little more. */
export function profile(space = "RGB "): Uint8Array<ArrayBuffer> {
  const out = noise(131, 9);
  new DataView(out.buffer).setUint32(0, out.length);
  out.set([...space].map((character) => character.charCodeAt(0)), 16);
  out.set([..."acsp"].map((character) => character.charCodeAt(0)), 36);
  return out;
}

export const LABELS: readonly Label[] = [
  { id: 0, name: "sky", color: [70, 130, 180] },
  { id: 3, name: "grass", color: [0, 160, 0] },
  { id: 4, name: "water", color: [0, 160, 0] },
];

export function photo(width: number, height: number, opaque = true): Photo {
  return { name: "a & b <é>.png", width, height, pixels: rgba(width, height, 3, opaque), profile: profile(), file: null };
}

function layer(id: string, x: number, y: number, width: number, height: number, visible: boolean): Layer {
  const mask = noise(width * height, 5);
  return {
    ...{ id, name: `Result ${id}`, bounds: { x, y, width, height }, visible, kept: visible, seed: 7 },
    pixels: rgba(width, height, x + 11, true),
    mask,
  };
}

export function project(opaque = true): Project {
  const [width, height] = [37, 23];
  const ids = (seed: number) => noise(width * height, seed).map((value) => [0, 3, 4, 255][value & 3]!);
  const second: Photo = { ...photo(9, 5), name: "second.jpg", file: new Blob([noise(100)], { type: "image/jpeg" }) };
  return {
    photo: photo(width, height, opaque),
    labels: LABELS,
    original: { width, height, ids: ids(1) },
    edited: { width, height, ids: ids(2) },
    exclude: noise(width * height, 4).map((value) => value & 1),
    layers: [layer("1", 3, 5, 17, 11, true), layer("2", 0, 0, 1, 1, false), layer("3", 20, 2, 16, 21, true)],
    references: [{ id: "ref-1", photo: second, labels: { width: 9, height: 5, ids: new Uint8Array(45).fill(3) } }],
    placements: [
      {
        ...{ id: "p1", referenceId: "ref-1", label: 3, mask: noise(6, 8) },
        ...{ source: { x: 1, y: 2, width: 3, height: 2 }, target: { x: -4, y: 5, width: 9, height: 9 }, mirrored: true },
      },
    ],
    drawings: [
      { id: "d1", target: { label: 4 }, referenceId: "ref-1", label: null },
      { id: "d2", target: { bounds: { x: 2, y: 3, width: 3, height: 2 }, data: noise(6, 9) }, referenceId: "", label: 3 },
    ],
    seed: 12,
  };
}
