/** The picture as it is seen and exported: the photo with the visible layers over it, in plain bytes. */

import { intersect, isEmpty, type Rect } from "./geometry";
import type { Layer, Photo } from "./types";

/** One byte of `over` at opacity `mask` (0 to 255) on `under`; exact at both ends, rounded between. */
function mixed(under: number, over: number, mask: number): number {
  return Math.round((under * (255 - mask) + over * mask) / 255);
}

function copyPhoto(photo: Photo, rect: Rect, out: Uint8ClampedArray): void {
  for (let row = 0; row < rect.height; row++) {
    const from = ((rect.y + row) * photo.width + rect.x) * 4;
    out.set(photo.pixels.subarray(from, from + rect.width * 4), row * rect.width * 4);
  }
}

function coverWith(layer: Layer, rect: Rect, out: Uint8ClampedArray): void {
  const part = intersect(layer.bounds, rect);
  if (isEmpty(part)) return;
  for (let y = part.y; y < part.y + part.height; y++) {
    let from = (y - layer.bounds.y) * layer.bounds.width + (part.x - layer.bounds.x);
    let to = ((y - rect.y) * rect.width + (part.x - rect.x)) * 4;
    for (let column = 0; column < part.width; column++, from++, to += 4) {
      const mask = layer.mask[from]!;
      if (mask === 0) continue;
      const at = from * 4;
      for (let channel = 0; channel < 3; channel++) {
        out[to + channel] =
          mask === 255 ? layer.pixels[at + channel]! : mixed(out[to + channel]!, layer.pixels[at + channel]!, mask);
      }
      out[to + 3] = mask === 255 ? 255 : mixed(out[to + 3]!, 255, mask);
    }
  }
}

/**
 * Writes the picture inside `rect` (which lies on the photo) to `out`, rect.width x rect.height x 4 bytes of straight RGBA.
 * Layers run from the bottom to the top; hidden ones count for nothing.
 */
export function compositeInto(photo: Photo, layers: readonly Layer[], rect: Rect, out: Uint8ClampedArray): void {
  copyPhoto(photo, rect, out);
  for (const layer of layers) if (layer.visible) coverWith(layer, rect, out);
}

/**
 * Lays the straight RGBA of `rect` on a chequerboard, so that what a canvas holds is opaque and stays exact. The board's
 * squares begin at (0, 0), whatever part of it is filled.
 */
export function flatten(pixels: Uint8ClampedArray, rect: Rect, light = 255, dark = 204, cell = 8): void {
  for (let i = 0, at = 0; at < pixels.length; i++, at += 4) {
    const alpha = pixels[at + 3]!;
    if (alpha === 255) continue;
    const column = Math.floor((rect.x + (i % rect.width)) / cell);
    const row = Math.floor((rect.y + Math.floor(i / rect.width)) / cell);
    const ground = ((column + row) & 1) === 0 ? light : dark;
    for (let channel = 0; channel < 3; channel++) pixels[at + channel] = mixed(ground, pixels[at + channel]!, alpha);
    pixels[at + 3] = 255;
  }
}
