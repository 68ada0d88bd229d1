/** Brush, eraser and restore: strokes on the label map. */

import type { Edit } from "../model/document";
import { settings } from "../model/settings";
import { UNKNOWN } from "../model/types";
import { Stroke, type Paint, type StrokePoint } from "./stroke";
import type { Bench, Pointer, Tool } from "./tool";

type Kind = "brush" | "eraser" | "restore";

const NAMES: Record<Kind, string> = { brush: "Brush", eraser: "Erase to unknown", restore: "Restore original" };
/** The thinnest a light pen gets, as a share of the size. */
const LIGHTEST = 0.12;

export class PaintTool implements Tool {
  readonly cursor = "none";
  private stroke: Stroke | null = null;
  private edit: Edit | null = null;
  private name = "";

  constructor(
    private readonly bench: Bench,
    private readonly kind: Kind,
  ) {}

  down(at: Pointer): void {
    this.cancel();
    const { document, label } = this.bench;
    const kind = at.eraser ? "eraser" : this.kind;
    const paint: Paint = kind === "restore" ? "original" : { label: kind === "eraser" ? UNKNOWN : label.value };
    this.name = NAMES[kind];
    this.edit = document.edit();
    const shape = { size: settings.brushSize.value, softness: settings.softness.value };
    this.stroke = new Stroke(document, this.edit, paint, shape, document.selection.mask.value);
    this.move(at);
  }

  move(at: Pointer): void {
    if (!this.stroke) return;
    this.stroke.add(point(at));
    this.bench.live.stroke();
  }

  up(): void {
    const edit = this.edit;
    this.stroke = this.edit = null;
    if (edit && !edit.commit(this.name)) this.bench.live.settle();
  }

  cancel(): boolean {
    const edit = this.edit;
    this.stroke = this.edit = null;
    if (!edit) return false;
    edit.cancel();
    this.bench.live.settle();
    return true;
  }

  finish(): void {
    this.up();
  }
}

function point(at: Pointer): StrokePoint {
  const pressure = settings.pressure.value ? LIGHTEST + (1 - LIGHTEST) * at.pressure : 1;
  return { x: at.x, y: at.y, pressure };
}
