/** Polygon and lasso: a shape that is painted or selected. */

import type { Point } from "../model/geometry";
import type { Combine } from "../model/selection";
import { settings } from "../model/settings";
import { paintMask } from "./edits";
import { polygonMask } from "./polygon";
import type { Bench, Pointer, Tool } from "./tool";

/** CSS pixels around the first corner in which a click closes a polygon. */
const CLOSE = 9;

export function combineOf(at: { shift: boolean; alt: boolean }): Combine {
  if (at.shift && at.alt) return "intersect";
  return at.shift ? "add" : at.alt ? "subtract" : "replace";
}

abstract class ShapeTool implements Tool {
  readonly cursor = "crosshair";
  protected points: Point[] = [];
  protected combine: Combine = "replace";

  constructor(protected readonly bench: Bench) {}

  abstract down(at: Pointer): void;

  /** The points so far, with where the pointer is. */
  protected show(end?: Point): void {
    this.bench.marks.path.value = end ? [...this.points, end] : [...this.points];
  }

  protected close(name: string): void {
    const { document, label } = this.bench;
    const mask = polygonMask(this.points, document.extent);
    if (settings.shapeUse.value === "select") document.selection.set(mask, this.combine);
    else {
      const limit = document.selection.empty ? null : document.selection.mask.value;
      paintMask(document, mask, label.value, name, limit);
    }
    this.cancel();
  }

  cancel(): boolean {
    const some = this.points.length > 0;
    this.points = [];
    this.bench.marks.path.value = [];
    return some;
  }
}

/** Click by click; closed by a click on the first corner, a double click, or Enter. */
export class PolygonTool extends ShapeTool {
  private drawing = false;

  down(at: Pointer): void {
    if (!this.points.length) this.combine = combineOf(at);
    const first = this.points[0];
    const near = CLOSE * this.bench.pixel();
    if (first && this.points.length > 2 && Math.hypot(at.x - first.x, at.y - first.y) < near) {
      this.close("Polygon");
      return;
    }
    this.points.push({ x: at.x, y: at.y });
    this.drawing = true;
    this.show();
  }

  /** A corner can be dragged to its place before the button is let go. */
  move(at: Pointer): void {
    if (!this.drawing || !this.points.length) return;
    this.points[this.points.length - 1] = { x: at.x, y: at.y };
    this.show();
  }

  up(): void {
    this.drawing = false;
  }

  hover(at: Point): void {
    if (this.points.length) this.show(at);
  }

  undo(): boolean {
    if (!this.points.length) return false;
    this.points.pop();
    this.show();
    return true;
  }

  finish(): void {
    if (this.points.length > 2) this.close("Polygon");
    else this.cancel();
  }
}

/** Drawn freehand; closed when the button is let go. */
export class LassoTool extends ShapeTool {
  down(at: Pointer): void {
    this.combine = combineOf(at);
    this.points = [{ x: at.x, y: at.y }];
    this.show();
  }

  move(at: Pointer): void {
    const last = this.points.at(-1);
    if (!last || (at.x === last.x && at.y === last.y)) return;
    this.points.push({ x: at.x, y: at.y });
    this.show();
  }

  up(): void {
    if (this.points.length > 2) this.close("Lasso");
    else {
      // A click without a shape drops the selection, as elsewhere.
      if (settings.shapeUse.value === "select" && this.combine === "replace") this.bench.document.selection.clear();
      this.cancel();
    }
  }
}
