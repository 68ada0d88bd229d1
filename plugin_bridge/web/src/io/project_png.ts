/** The pictures and planes of a project as PNG and back, to the last bit. */

import type { Extent } from "../model/geometry";
import type { LabelMap } from "../model/types";
import { readPng, rgbaOf } from "./png_read";
import { writePng } from "./png_write";

export interface Pixels extends Extent {
  /** Straight RGBA. */
  readonly pixels: Uint8ClampedArray;
}

function isOpaque(pixels: Uint8ClampedArray): boolean {
  for (let at = 3; at < pixels.length; at += 4) if (pixels[at] !== 255) return false;
  return true;
}

/** RGB where all of it is opaque, RGBA otherwise. */
export function pngOfPicture({ width, height, pixels }: Pixels, profile: Uint8Array | null = null) {
  if (!isOpaque(pixels)) return writePng(pixels, width, height, 4, { profile });
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = pixels[from]!;
    rgb[to + 1] = pixels[from + 1]!;
    rgb[to + 2] = pixels[from + 2]!;
  }
  return writePng(rgb, width, height, 3, { profile });
}

export function pngOfMask({ width, height, ids }: LabelMap) {
  return writePng(ids, width, height, 1);
}

/** Throws Error where the file is damaged or has another size. */
export function pictureOfPng(bytes: Uint8Array, { width, height }: Extent): Uint8ClampedArray<ArrayBuffer> {
  const png = readPng(bytes);
  if (png.width !== width || png.height !== height) throw new RangeError("A picture has another size than it should.");
  return rgbaOf(png);
}

export function planeOfPng(bytes: Uint8Array, { width, height }: Extent): Uint8Array {
  const png = readPng(bytes);
  if (png.width !== width || png.height !== height || png.channels !== 1 || png.depth !== 8 || png.palette) {
    throw new RangeError("A plane has another form than it should.");
  }
  return png.samples as Uint8Array;
}
