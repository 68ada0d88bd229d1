/** Draws what lies above the picture: brush outline, selection, shapes under way, handles, the keyboard's cursor. */

import { effect } from "@preact/signals";
import type { Point, Rect } from "../model/geometry";
import { settings } from "../model/settings";
import { contours } from "../tools/contour";
import { handlePoint, HANDLES } from "../tools/transform";
import type { Workspace } from "../tools/workspace";

/** Corners above which the selection's dashes stand still, to stay quick. */
const MANY_CORNERS = 20_000;
const PAINTING = ["brush", "eraser", "restore"];

export class MarksRenderer {
  private readonly context: CanvasRenderingContext2D;
  private outline = new Path2D();
  private corners = 0;
  private frame = 0;
  private march = 0;
  private readonly timer: ReturnType<typeof setInterval>;
  private readonly stops: (() => void)[] = [];
  private readonly still = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly bench: Workspace,
  ) {
    this.context = canvas.getContext("2d")!;
    const { selection } = bench.document;
    this.stops.push(
      effect(() => {
        const loops = contours(selection.mask.value);
        this.outline = new Path2D();
        this.corners = 0;
        for (const loop of loops) {
          loop.forEach((point, i) => (i ? this.outline.lineTo(point.x, point.y) : this.outline.moveTo(point.x, point.y)));
          this.outline.closePath();
          this.corners += loop.length;
        }
        this.redraw();
      }),
    );
    this.stops.push(
      effect(() => {
        const { marks, view } = bench;
        void [marks.path.value, marks.box.value, marks.pointer.value, marks.cursor.value];
        void [view.placed.value, view.canvas.value, settings.brushSize.value, settings.softness.value, settings.tool.value];
        this.redraw();
      }),
    );
    this.timer = setInterval(() => {
      if (selection.empty || this.still.matches || this.corners > MANY_CORNERS || document.hidden) return;
      this.march = (this.march + 1) % 8;
      this.redraw();
    }, 120);
  }

  private redraw(): void {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    this.frame = 0;
    const { width, height } = this.bench.view.canvas.peek();
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.context.clearRect(0, 0, width, height);
    if (!this.bench.document.selection.empty && !this.bench.marks.box.peek()) this.drawSelection();
    if (this.bench.marks.path.peek().length) this.drawPath(this.bench.marks.path.peek());
    if (this.bench.marks.box.peek()) this.drawBox(this.bench.marks.box.peek()!);
    this.drawBrush();
    if (this.bench.marks.cursor.peek()) this.drawCursor(this.bench.marks.cursor.peek()!);
  }

  private get line(): number {
    return Math.max(1, Math.round(this.bench.view.density.peek()));
  }

  /** Two lines, so that it is seen on every ground. */
  private twice(path: Path2D, dash: number[] = [], offset = 0): void {
    const { context } = this;
    context.lineWidth = this.line;
    context.setLineDash([]);
    context.strokeStyle = "rgba(0, 0, 0, 0.75)";
    if (!dash.length) context.lineWidth = this.line * 3;
    context.stroke(path);
    context.lineWidth = this.line;
    context.setLineDash(dash);
    context.lineDashOffset = offset;
    context.strokeStyle = "#fff";
    context.stroke(path);
    context.setLineDash([]);
  }

  private drawSelection(): void {
    const { scale, x, y } = this.bench.view.placed.peek();
    const path = new Path2D();
    path.addPath(this.outline, new DOMMatrix([scale, 0, 0, scale, x + 0.5, y + 0.5]));
    this.twice(path, [4 * this.line, 4 * this.line], -this.march * this.line);
  }

  private drawPath(points: readonly Point[]): void {
    const path = new Path2D();
    points.forEach((point, i) => {
      const at = this.bench.view.toScreen(point);
      if (i) path.lineTo(at.x, at.y);
      else path.moveTo(at.x, at.y);
    });
    this.twice(path);
    if (settings.tool.peek() !== "polygon") return;
    const first = this.bench.view.toScreen(points[0]!);
    this.knob(first, 4);
  }

  private knob(at: Point, radius: number): void {
    const r = radius * this.line;
    this.context.fillStyle = "#fff";
    this.context.strokeStyle = "rgba(0, 0, 0, 0.75)";
    this.context.lineWidth = this.line;
    this.context.beginPath();
    this.context.rect(Math.round(at.x) - r, Math.round(at.y) - r, 2 * r, 2 * r);
    this.context.fill();
    this.context.stroke();
  }

  private drawBox(box: Rect): void {
    const path = new Path2D();
    const a = this.bench.view.toScreen(box);
    const { scale } = this.bench.view.placed.peek();
    path.rect(Math.round(a.x) + 0.5, Math.round(a.y) + 0.5, box.width * scale, box.height * scale);
    this.twice(path);
    for (const handle of HANDLES) this.knob(this.bench.view.toScreen(handlePoint(box, handle)), 4);
  }

  private drawBrush(): void {
    const at = this.bench.marks.pointer.peek() ?? this.bench.marks.cursor.peek();
    if (!at || !PAINTING.includes(settings.tool.peek())) return;
    const { scale } = this.bench.view.placed.peek();
    const centre = this.bench.view.toScreen(at);
    const radius = (settings.brushSize.peek() / 2) * scale;
    const path = new Path2D();
    if (radius < 3 * this.line) {
      // Too small to be seen as a circle.
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]] as const) {
        path.moveTo(centre.x + dx * 3 * this.line, centre.y + dy * 3 * this.line);
        path.lineTo(centre.x + dx * 8 * this.line, centre.y + dy * 8 * this.line);
      }
    } else {
      path.arc(centre.x, centre.y, radius, 0, 2 * Math.PI);
    }
    this.twice(path);
    const hard = radius * (1 - settings.softness.peek());
    if (settings.softness.peek() > 0 && hard > 3 * this.line) {
      const core = new Path2D();
      core.arc(centre.x, centre.y, hard, 0, 2 * Math.PI);
      this.context.strokeStyle = "rgba(255, 255, 255, 0.55)";
      this.context.setLineDash([2 * this.line, 3 * this.line]);
      this.context.stroke(core);
      this.context.setLineDash([]);
    }
  }

  private drawCursor(point: Point): void {
    const at = this.bench.view.toScreen(point);
    const arm = 12 * this.line;
    const path = new Path2D();
    path.moveTo(at.x - arm, at.y);
    path.lineTo(at.x + arm, at.y);
    path.moveTo(at.x, at.y - arm);
    path.lineTo(at.x, at.y + arm);
    this.twice(path);
  }

  close(): void {
    clearInterval(this.timer);
    for (const stop of this.stops) stop();
    if (this.frame) cancelAnimationFrame(this.frame);
  }
}

