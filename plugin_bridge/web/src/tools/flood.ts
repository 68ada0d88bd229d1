/** Regions of a label map: what hangs together (4 neighbours), and what bears a label. */

import type { LabelMap } from "../model/types";
import { trimmed, type Mask } from "../model/selection";
import { whole } from "../model/geometry";

/** All pixels that reach (x, y) over pixels of the same id. Spans of rows are filled at a time. */
export function connectedRegion(map: LabelMap, x: number, y: number): Mask {
  const { width, height, ids } = map;
  const id = ids[y * width + x]!;
  const data = new Uint8Array(width * height);
  const free = (at: number) => ids[at] === id && data[at] === 0;
  const starts: number[] = [y * width + x];
  while (starts.length) {
    const start = starts.pop()!;
    if (!free(start)) continue;
    const row = Math.floor(start / width);
    let left = start;
    while (left > row * width && free(left - 1)) left--;
    let right = start;
    while (right < row * width + width - 1 && free(right + 1)) right++;
    data.fill(1, left, right + 1);
    for (const beside of [row - 1, row + 1]) {
      if (beside < 0 || beside >= height) continue;
      const shift = (beside - row) * width;
      for (let at = left; at <= right; at++) {
        const there = at + shift;
        if (free(there) && (at === left || !free(there - 1))) starts.push(there);
      }
    }
  }
  return trimmed({ bounds: whole(map), data });
}

/** All pixels of one id. */
export function labelRegion(map: LabelMap, id: number): Mask {
  const data = new Uint8Array(map.width * map.height);
  for (let i = 0; i < data.length; i++) data[i] = map.ids[i] === id ? 1 : 0;
  return trimmed({ bounds: whole(map), data });
}

/** The id that most of the masked pixels bear, the lower one of two equals; null for an empty mask. */
export function commonestLabel(map: LabelMap, mask: Mask): number | null {
  const counts = new Float64Array(256);
  const { bounds, data } = mask;
  for (let row = 0, i = 0; row < bounds.height; row++) {
    let at = (bounds.y + row) * map.width + bounds.x;
    for (let column = 0; column < bounds.width; column++, i++, at++) if (data[i]) counts[map.ids[at]!]!++;
  }
  let best = 0;
  for (let id = 1; id < 256; id++) if (counts[id]! > counts[best]!) best = id;
  return counts[best]! > 0 ? best : null;
}
