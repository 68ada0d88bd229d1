/** The pixels of the tiles: the picture, and the labels that lie over it. */

import { compositeInto, flatten } from "../model/composite";
import type { Document } from "../model/document";
import type { Rect } from "../model/geometry";
import type { OverlayMode } from "../model/settings";
import { UNKNOWN, type Color, type Layer } from "../model/types";
import type { Fill } from "./tiles";

/** Means over step x step blocks of straight RGBA that is opaque. */
function reduced(full: Uint8ClampedArray, rect: Rect, step: number, out: Uint8ClampedArray): void {
  const across = Math.ceil(rect.width / step);
  const down = Math.ceil(rect.height / step);
  for (let row = 0, to = 0; row < down; row++) {
    const y1 = Math.min((row + 1) * step, rect.height);
    for (let column = 0; column < across; column++, to += 4) {
      const x1 = Math.min((column + 1) * step, rect.width);
      let [red, green, blue, count] = [0, 0, 0, 0];
      for (let y = row * step; y < y1; y++) {
        for (let x = column * step, at = (y * rect.width + x) * 4; x < x1; x++, at += 4, count++) {
          red += full[at]!;
          green += full[at + 1]!;
          blue += full[at + 2]!;
        }
      }
      out[to] = red / count;
      out[to + 1] = green / count;
      out[to + 2] = blue / count;
      out[to + 3] = 255;
    }
  }
}

/** The photo under `layers()`, opaque: transparent parts lie on a chequerboard. */
export function pictureFill(document: Document, layers: () => readonly Layer[]): Fill {
  return (rect, step, out) => {
    if (step === 1) {
      compositeInto(document.photo, layers(), rect, out);
      flatten(out, rect);
      return;
    }
    const full = new Uint8ClampedArray(rect.width * rect.height * 4);
    compositeInto(document.photo, layers(), rect, full);
    flatten(full, rect, 255, 204, 8 * step);
    reduced(full, rect, step, out);
  };
}

/** How strongly the inside of a region shows beside its border. */
const INSIDE = 170;

/**
 * The labels' colours: regions with a stronger border, unknown pixels hatched, removed ones dotted. The overlay's opacity
 * comes on top when the tiles are drawn.
 */
export function overlayFill(document: Document, colorOf: (id: number) => Color, mode: () => OverlayMode): Fill {
  const { edited, exclude, original, extent } = document;
  const { width, height } = extent;
  return (rect, step, out) => {
    const changedOnly = mode() === "changed";
    const colors = Array.from({ length: 256 }, (_, id) => colorOf(id));
    const half = step >> 1;
    let to = 0;
    for (let y = rect.y; y < rect.y + rect.height; y += step) {
      const row = Math.min(y + half, height - 1) * width;
      const below = Math.min(y + half + step, height - 1) * width;
      for (let x = rect.x; x < rect.x + rect.width; x += step, to += 4) {
        const column = Math.min(x + half, width - 1);
        const right = Math.min(x + half + step, width - 1);
        const id = edited[row + column]!;
        const isNew = id !== original.ids[row + column] || exclude[row + column] !== 0;
        if (changedOnly && !isNew) continue;
        const color = colors[id]!;
        const border = id !== edited[row + right] || id !== edited[below + column];
        const stripe = id === UNKNOWN && ((x / step + y / step) & 7) < 3;
        out[to] = color[0];
        out[to + 1] = color[1];
        out[to + 2] = color[2];
        out[to + 3] = border ? 255 : id === UNKNOWN ? (stripe ? INSIDE : 40) : INSIDE;
      }
    }
  };
}
