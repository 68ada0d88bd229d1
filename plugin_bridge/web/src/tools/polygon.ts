/** Polygons to masks: a pixel belongs to a polygon when its centre does (even-odd rule). */

import { covering, intersect, isEmpty, whole, type Extent, type Point } from "../model/geometry";
import { NOTHING, trimmed, type Mask } from "../model/selection";

/** Corners are real-valued photo coordinates; the last one is joined to the first. */
export function polygonMask(corners: readonly Point[], extent: Extent): Mask {
  if (corners.length < 3) return NOTHING;
  const xs = corners.map((corner) => corner.x);
  const ys = corners.map((corner) => corner.y);
  const box = covering(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys));
  const bounds = intersect(box, whole(extent));
  if (isEmpty(bounds)) return NOTHING;
  const data = new Uint8Array(bounds.width * bounds.height);
  for (let row = 0; row < bounds.height; row++) {
    const cuts = crossings(corners, bounds.y + row + 0.5);
    for (let i = 0; i + 1 < cuts.length; i += 2) {
      // The first pixel whose centre is at or right of the cut.
      const from = Math.max(Math.ceil(cuts[i]! - 0.5) - bounds.x, 0);
      const to = Math.min(Math.ceil(cuts[i + 1]! - 0.5) - bounds.x, bounds.width);
      if (to > from) data.fill(1, row * bounds.width + from, row * bounds.width + to);
    }
  }
  return trimmed({ bounds, data });
}

/** Where the outline crosses the horizontal at y, from left to right. Edges are closed at their upper end only. */
function crossings(corners: readonly Point[], y: number): number[] {
  const cuts: number[] = [];
  for (let i = 0; i < corners.length; i++) {
    const a = corners[i]!;
    const b = corners[(i + 1) % corners.length]!;
    if (a.y <= y === b.y <= y) continue;
    cuts.push(a.x + ((y - a.y) * (b.x - a.x)) / (b.y - a.y));
  }
  return cuts.sort((p, q) => p - q);
}
