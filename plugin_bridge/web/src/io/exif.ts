/** The orientation that a camera noted in EXIF, and turning pixels by it. */

import { fromLatin1, view } from "./bytes";

/** 1 to 8 as TIFF 6.0 numbers them; 1 = as stored. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

const ORIENTATION_TAG = 0x0112;
const SHORT = 3;

/** `exif`: a TIFF block, with or without "Exif\0\0" in front. Anything unreadable counts as 1. */
export function orientationOf(exif: Uint8Array | null): Orientation {
  if (!exif) return 1;
  const tiff = fromLatin1(exif.subarray(0, 6)) === "Exif\0\0" ? exif.subarray(6) : exif;
  const order = fromLatin1(tiff.subarray(0, 2));
  if (tiff.length < 14 || (order !== "II" && order !== "MM")) return 1;
  const little = order === "II";
  const fields = view(tiff);
  const directory = fields.getUint32(4, little);
  if (directory + 2 > tiff.length) return 1;
  const count = fields.getUint16(directory, little);
  for (let i = 0; i < count; i++) {
    const entry = directory + 2 + i * 12;
    if (entry + 12 > tiff.length) return 1;
    if (fields.getUint16(entry, little) !== ORIENTATION_TAG) continue;
    const value = fields.getUint16(entry + 2, little) === SHORT ? fields.getUint16(entry + 8, little) : 1;
    return value >= 1 && value <= 8 ? (value as Orientation) : 1;
  }
  return 1;
}

/** Turns pixels of four bytes upright. */
export function upright(
  pixels: Uint8ClampedArray<ArrayBuffer>,
  width: number,
  height: number,
  orientation: Orientation,
): { pixels: Uint8ClampedArray<ArrayBuffer>; width: number; height: number } {
  if (orientation === 1) return { pixels, width, height };
  const swapped = orientation >= 5;
  const [outWidth, outHeight] = swapped ? [height, width] : [width, height];
  const from = new Uint32Array(pixels.buffer, pixels.byteOffset, width * height);
  const out = new Uint32Array(width * height);
  // Which stored corner lies at the upright picture's top left, and the way from there.
  const right = orientation === 2 || orientation === 3 || orientation === 7 || orientation === 8;
  const bottom = orientation === 3 || orientation === 4 || orientation === 6 || orientation === 7;
  for (let y = 0, to = 0; y < outHeight; y++) {
    for (let x = 0; x < outWidth; x++, to++) {
      const [along, down] = swapped ? [y, x] : [x, y];
      const column = right ? width - 1 - along : along;
      const row = bottom ? height - 1 - down : down;
      out[to] = from[row * width + column]!;
    }
  }
  return { pixels: new Uint8ClampedArray(out.buffer), width: outWidth, height: outHeight };
}
