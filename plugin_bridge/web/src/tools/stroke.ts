/** Brush strokes on a label map. */

import { covering, intersect, isEmpty, type Point, type Rect } from "../model/geometry";
import type { Document, Edit } from "../model/document";
import { maskAt, type Mask } from "../model/selection";
import { edgeNoise } from "./noise";

/** What a painted pixel gets: a label id, or what it was when the photo was opened. */
export type Paint = { readonly label: number } | "original";

export interface BrushShape {
  /** Diameter at full pressure, photo pixels, at least 1. */
  readonly size: number;
  /** 0 to 1: the share of the radius over which the edge breaks up. */
  readonly softness: number;
}

/** A point of a stroke: photo coordinates, and the pen's pressure (0 to 1; a mouse gives 1). */
export interface StrokePoint extends Point {
  readonly pressure: number;
}

/**
 * A stroke under way. A label can't be mixed with another, so softness does not blend: within the soft rim a pixel is
 * painted where the falloff beats a smooth noise fixed to the photo. The edge gets the ragged outline of leaves or shores
 * instead of dust, and going over it twice doesn't fill it up.
 */
export class Stroke {
  private last: StrokePoint | null = null;

  constructor(
    private readonly document: Document,
    private readonly edit: Edit,
    private readonly paint: Paint,
    private readonly shape: BrushShape,
    /** Where painting is allowed; empty: everywhere. */
    private readonly limit: Mask,
  ) {}

  /** Paints from the point before to this one and returns what was touched. */
  add(point: StrokePoint): Rect {
    const from = this.last ?? point;
    this.last = point;
    const reach = Math.max(this.radius(from), this.radius(point)) + 1;
    const box = covering(
      Math.min(from.x, point.x) - reach,
      Math.min(from.y, point.y) - reach,
      Math.max(from.x, point.x) + reach,
      Math.max(from.y, point.y) + reach,
    );
    const rect = intersect(box, isEmpty(this.limit.bounds) ? this.document.bounds : this.limit.bounds);
    if (isEmpty(rect)) return rect;
    this.edit.touch(rect);
    this.capsule(from, point, rect);
    this.document.painted(rect);
    return rect;
  }

  private radius(point: StrokePoint): number {
    // Half a pixel at the least, so that the pixel under the pointer is always hit.
    return Math.max((this.shape.size / 2) * point.pressure, 0.5);
  }

  private capsule(from: StrokePoint, to: StrokePoint, rect: Rect): void {
    const { edited, exclude, original, extent } = this.document;
    const [dx, dy] = [to.x - from.x, to.y - from.y];
    const length = dx * dx + dy * dy;
    const [r0, r1] = [this.radius(from), this.radius(to)];
    const limited = !isEmpty(this.limit.bounds);
    const cell = Math.max(2, (this.shape.size / 2) * this.shape.softness * 0.5);
    for (let y = rect.y; y < rect.y + rect.height; y++) {
      for (let x = rect.x; x < rect.x + rect.width; x++) {
        const [px, py] = [x + 0.5 - from.x, y + 0.5 - from.y];
        const along = length > 0 ? Math.min(Math.max((px * dx + py * dy) / length, 0), 1) : 1;
        const radius = r0 + (r1 - r0) * along;
        const off = Math.hypot(px - along * dx, py - along * dy) / radius;
        if (off > 1 && !(radius <= 0.75 && Math.max(Math.abs(px - along * dx), Math.abs(py - along * dy)) <= 0.5)) {
          continue;
        }
        const falloff = (1 - off) / Math.max(this.shape.softness, 1e-6);
        if (falloff < 1 && this.shape.softness > 0 && falloff <= edgeNoise(x, y, cell)) continue;
        if (limited && !maskAt(this.limit, x, y)) continue;
        const at = y * extent.width + x;
        if (this.paint === "original") {
          edited[at] = original.ids[at]!;
          exclude[at] = 0;
        } else {
          edited[at] = this.paint.label;
        }
      }
    }
  }
}
