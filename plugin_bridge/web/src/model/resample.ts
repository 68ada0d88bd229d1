/** Pictures and label maps at other sizes. */

import { sampled, type Extent } from "./geometry";
import type { LabelMap, PlacedPixels } from "./types";

/** Every pixel is the nearest one of `map`: labels can't be mixed. */
export function mapAt(map: LabelMap, { width, height }: Extent): LabelMap {
  const ids = new Uint8Array(width * height);
  for (let y = 0, at = 0; y < height; y++) {
    const row = sampled(y, height, map.height) * map.width;
    for (let x = 0; x < width; x++, at++) ids[at] = map.ids[row + sampled(x, width, map.width)]!;
  }
  return { width, height, ids };
}

/** Where between which two of `source` pixels the centre of target pixel `at` lies. */
function between(at: number, target: number, source: number): [first: number, second: number, share: number] {
  const place = Math.min(Math.max(((at + 0.5) * source) / target - 0.5, 0), source - 1);
  const first = Math.min(Math.floor(place), source - 1);
  return [first, Math.min(first + 1, source - 1), place - first];
}

/** An opaque picture stretched over `extent`, bilinear: for small ones that are to be edited at a useful size. */
export function pixelsAt({ pixels, pixelExtent }: PlacedPixels, { width, height }: Extent): Uint8ClampedArray<ArrayBuffer> {
  const out = new Uint8ClampedArray(width * height * 4);
  const columns = Array.from({ length: width }, (_, x) => between(x, width, pixelExtent.width));
  for (let y = 0, to = 0; y < height; y++) {
    const [top, bottom, down] = between(y, height, pixelExtent.height);
    for (const [left, right, across] of columns) {
      const a = (top * pixelExtent.width + left) * 4;
      const b = (top * pixelExtent.width + right) * 4;
      const c = (bottom * pixelExtent.width + left) * 4;
      const d = (bottom * pixelExtent.width + right) * 4;
      for (let channel = 0; channel < 3; channel++, to++) {
        const upper = pixels[a + channel]! * (1 - across) + pixels[b + channel]! * across;
        const lower = pixels[c + channel]! * (1 - across) + pixels[d + channel]! * across;
        out[to] = upper * (1 - down) + lower * down;
      }
      out[to++] = 255;
    }
  }
  return out;
}
