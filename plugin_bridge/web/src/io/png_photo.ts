/** A PNG photo decoded to the last bit and turned upright. */

import { orientationOf, upright } from "./exif";
import { readPng, rgbaOf } from "./png_read";

/** A picture file's pixels, upright. */
export interface Decoded {
  /** Straight RGBA. */
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
  readonly profile: Uint8Array | null;
  /** What was left out, in sentences for people. */
  readonly notes: readonly string[];
}

export function decodePng(bytes: Uint8Array): Decoded {
  const png = readPng(bytes);
  const notes: string[] = [];
  if (png.depth === 16) notes.push("The photo has 16 bits a channel; it is edited, and exported, with 8.");
  if (png.ownGamma) notes.push("The photo's gamma (gAMA) was left out: its numbers are shown as sRGB.");
  return { ...upright(rgbaOf(png), png.width, png.height, orientationOf(png.exif)), profile: png.profile, notes };
}
