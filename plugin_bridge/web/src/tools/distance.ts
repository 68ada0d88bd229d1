/** Exact Euclidean distances on the pixel grid, with the nearest pixel itself (Felzenszwalb and Huttenlocher 2012). */

import type { Extent } from "../model/geometry";

export interface Nearest {
  /** Squared distance to the nearest feature pixel; Infinity where there is none. */
  readonly squared: Float64Array;
  /** Its index; -1 where there is none. */
  readonly index: Int32Array;
}

/** Distances from every pixel to the pixels where `feature` is not 0 (extent.width x extent.height bytes). Linear time. */
export function nearestFeature(feature: Uint8Array, extent: Extent): Nearest {
  const { width, height } = extent;
  const rowOf = nearestInColumn(feature, extent);
  const squared = new Float64Array(width * height).fill(Infinity);
  const index = new Int32Array(width * height).fill(-1);
  const centres = new Int32Array(width);
  const starts = new Float64Array(width + 1);
  for (let y = 0; y < height; y++) {
    const base = y * width;
    const lift = (x: number) => (rowOf[base + x]! - y) ** 2;
    let last = -1;
    for (let x = 0; x < width; x++) {
      if (rowOf[base + x]! < 0) continue;
      let start = -Infinity;
      while (last >= 0) {
        const other = centres[last]!;
        start = (lift(x) + x * x - lift(other) - other * other) / (2 * (x - other));
        if (start > starts[last]!) break;
        last--;
        start = -Infinity;
      }
      last++;
      centres[last] = x;
      starts[last] = start;
    }
    if (last < 0) continue;
    for (let x = 0, piece = 0; x < width; x++) {
      while (piece < last && starts[piece + 1]! < x) piece++;
      const centre = centres[piece]!;
      squared[base + x] = lift(centre) + (x - centre) ** 2;
      index[base + x] = rowOf[base + centre]! * width + centre;
    }
  }
  return { squared, index };
}

/** For every pixel the row of the nearest feature pixel of its column, the upper of two equals; -1 where it has none. */
function nearestInColumn(feature: Uint8Array, { width, height }: Extent): Int32Array {
  const rows = new Int32Array(width * height).fill(-1);
  for (let x = 0; x < width; x++) {
    let above = -1;
    for (let y = 0; y < height; y++) {
      if (feature[y * width + x]) above = y;
      rows[y * width + x] = above;
    }
    let below = -1;
    for (let y = height - 1; y >= 0; y--) {
      if (feature[y * width + x]) below = y;
      const over = rows[y * width + x]!;
      if (below >= 0 && (over < 0 || below - y < y - over)) rows[y * width + x] = below;
    }
  }
  return rows;
}
