/** Mouse, pen, touch and keys on the canvas, turned into what tools and view do. */

import type { Point } from "../model/geometry";
import { settings } from "../model/settings";
import { nameAt, pickAt } from "../tools/click_tools";
import type { Pointer } from "../tools/tool";
import type { Workspace } from "../tools/workspace";

/** Keyboard cursor: CSS pixels a key press, with Shift a single photo pixel. */
const KEY_STEP = 10;

export class Input {
  /** Touches that are down, in device pixels on the canvas. */
  private readonly touches = new Map<number, Point>();
  private drawing: number | null = null;
  private panning: { id: number; at: Point } | null = null;
  private space = false;
  private penDown = false;
  private lastClick = { time: 0, at: { x: 0, y: 0 } };
  private readonly abort = new AbortController();

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly bench: Workspace,
  ) {
    const { signal } = this.abort;
    const on = <K extends keyof HTMLElementEventMap>(name: K, what: (event: HTMLElementEventMap[K]) => void, passive = true) =>
      canvas.addEventListener(name, what, { signal, passive });
    on("pointerdown", (event) => this.down(event), false);
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", (event) => this.up(event, true));
    on("pointerleave", () => (this.bench.marks.pointer.value = null));
    on("contextmenu", (event) => event.preventDefault(), false);
    on("wheel", (event) => this.wheel(event), false);
    on("keydown", (event) => this.key(event), false);
    on("blur", () => this.leave());
    window.addEventListener("keydown", (event) => this.spaceKey(event, true), { signal });
    window.addEventListener("keyup", (event) => this.spaceKey(event, false), { signal });
  }

  /** Device pixels on the canvas. */
  private onCanvas(event: MouseEvent): Point {
    const box = this.canvas.getBoundingClientRect();
    const density = this.bench.view.density.peek();
    return { x: (event.clientX - box.left) * density, y: (event.clientY - box.top) * density };
  }

  private pointer(event: PointerEvent): Pointer {
    const at = this.bench.view.toPhoto(this.onCanvas(event));
    const pen = event.pointerType === "pen";
    return {
      ...at,
      pressure: pen ? event.pressure : 1,
      shift: event.shiftKey,
      alt: event.altKey,
      eraser: pen && (event.buttons & 32) !== 0,
    };
  }

  private down(event: PointerEvent): void {
    this.canvas.focus({ preventScroll: true });
    this.bench.marks.cursor.value = null;
    if (event.isTrusted) this.canvas.setPointerCapture(event.pointerId);
    if (event.pointerType === "touch") {
      this.touches.set(event.pointerId, this.onCanvas(event));
      if (this.touches.size > 1) {
        // A second finger: it was no stroke but the start of a pinch.
        if (this.drawing !== null) this.bench.tool.cancel?.();
        this.drawing = null;
        return;
      }
    }
    if (event.button === 1 || this.space || settings.tool.peek() === "hand") {
      event.preventDefault();
      this.panning = { id: event.pointerId, at: this.onCanvas(event) };
      this.canvas.style.cursor = "grabbing";
      return;
    }
    const at = this.pointer(event);
    const painting = ["brush", "eraser", "restore", "bucket"].includes(settings.tool.peek());
    if (event.button === 2 || (event.altKey && painting)) {
      pickAt(this.bench, at);
      return;
    }
    this.drawing = event.pointerId;
    this.bench.marks.pointer.value = at;
    if (this.isDoubleClick(event)) this.bench.tool.finish?.();
    else this.bench.tool.down(at);
  }

  /** Double clicks close polygons; they are counted here because captured pointers send no dblclick everywhere. */
  private isDoubleClick(event: PointerEvent): boolean {
    const at = this.onCanvas(event);
    const { time, at: last } = this.lastClick;
    this.lastClick = { time: event.timeStamp, at };
    const near = Math.hypot(at.x - last.x, at.y - last.y) < 6 * this.bench.view.density.peek();
    return settings.tool.peek() === "polygon" && near && event.timeStamp - time < 350;
  }

  private move(event: PointerEvent): void {
    if (event.pointerType === "touch" && this.touches.has(event.pointerId)) {
      const before = new Map(this.touches);
      this.touches.set(event.pointerId, this.onCanvas(event));
      if (this.touches.size >= 2) {
        this.pinch(before);
        return;
      }
    }
    if (this.panning?.id === event.pointerId) {
      const at = this.onCanvas(event);
      this.bench.view.pan(at.x - this.panning.at.x, at.y - this.panning.at.y);
      this.panning.at = at;
      return;
    }
    const at = this.pointer(event);
    this.bench.marks.pointer.value = event.pointerType === "touch" && this.drawing === null ? null : at;
    if (this.drawing === event.pointerId) {
      const steps = event.getCoalescedEvents?.() ?? [];
      for (const step of steps.length ? steps : [event]) this.bench.tool.move?.(this.pointer(step));
    } else this.bench.tool.hover?.(at);
    this.showCursor(at);
  }

  private showCursor(at: Point): void {
    const { cursor } = this.bench.tool;
    this.canvas.style.cursor = this.space ? "grab" : typeof cursor === "string" ? cursor : cursor(at);
  }

  private pinch(before: ReadonlyMap<number, Point>): void {
    const [a, b] = [...this.touches.keys()];
    const [a0, b0, a1, b1] = [before.get(a!)!, before.get(b!)!, this.touches.get(a!)!, this.touches.get(b!)!];
    const middle = (p: Point, q: Point) => ({ x: (p.x + q.x) / 2, y: (p.y + q.y) / 2 });
    const spread = (p: Point, q: Point) => Math.max(Math.hypot(p.x - q.x, p.y - q.y), 1);
    const [m0, m1] = [middle(a0, b0), middle(a1, b1)];
    const { view } = this.bench;
    view.pan(m1.x - m0.x, m1.y - m0.y);
    view.zoomTo((view.placed.peek().scale * spread(a1, b1)) / spread(a0, b0), m1);
  }

  private up(event: PointerEvent, cancelled = false): void {
    this.touches.delete(event.pointerId);
    if (this.panning?.id === event.pointerId) {
      this.panning = null;
      this.showCursor(this.pointer(event));
    }
    if (event.pointerType === "touch") this.bench.marks.pointer.value = null;
    if (this.drawing !== event.pointerId) return;
    this.drawing = null;
    if (cancelled) this.bench.tool.cancel?.();
    else this.bench.tool.up?.(this.pointer(event));
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const { view } = this.bench;
    const density = view.density.peek();
    // Wheels turn in large steps along one axis; trackpads send small ones along both, and pinches with Ctrl.
    const isWheel = event.deltaMode !== 0 || (event.deltaX === 0 && Math.abs(event.deltaY) >= 50);
    if (event.ctrlKey || event.metaKey || (isWheel && !event.shiftKey)) {
      const speed = isWheel ? Math.sign(event.deltaY) * 0.18 : event.deltaY * 0.01;
      view.zoomTo(view.placed.peek().scale * Math.exp(-speed), this.onCanvas(event));
    } else if (event.shiftKey && event.deltaX === 0) view.pan(-event.deltaY * density, 0);
    else view.pan(-event.deltaX * density, -event.deltaY * density);
  }

  private spaceKey(event: KeyboardEvent, down: boolean): void {
    if (event.code !== "Space" || (down && event.target !== this.canvas && event.target !== document.body)) return;
    if (down) event.preventDefault();
    this.space = down;
    this.canvas.style.cursor = down ? "grab" : "";
  }

  /** Arrows move a cursor, Enter puts the tool down and takes it up again, Shift+Enter ends a polygon. */
  private key(event: KeyboardEvent): void {
    const ways: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = ways[event.key];
    if (way && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      const step = event.shiftKey ? 1 : Math.max(1, Math.round(KEY_STEP * this.bench.pixel()));
      if (!this.bench.tool.nudge?.(way[0] * step, way[1] * step)) this.moveCursor(way[0] * step, way[1] * step, event);
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.press(event);
    }
  }

  private keyPointer(event: KeyboardEvent): Pointer | null {
    const at = this.bench.marks.cursor.peek();
    return at && { ...at, pressure: 1, shift: event.shiftKey, alt: event.altKey, eraser: false };
  }

  private moveCursor(dx: number, dy: number, event: KeyboardEvent): void {
    const { marks, view, document } = this.bench;
    const from = marks.cursor.peek() ?? view.toPhoto(view.middle);
    const held = (at: number, size: number) => Math.min(Math.max(Math.floor(at) + 0.5, 0.5), size - 0.5);
    const { width, height } = document.extent;
    marks.cursor.value = { x: held(from.x + dx, width), y: held(from.y + dy, height) };
    this.keepInSight(marks.cursor.value);
    const at = this.keyPointer(event)!;
    if (this.penDown) this.bench.tool.move?.(at);
    else this.bench.tool.hover?.(at);
    this.bench.say(`${Math.floor(at.x)}, ${Math.floor(at.y)}: ${nameAt(this.bench, at)}`);
  }

  private keepInSight(point: Point): void {
    const { view } = this.bench;
    const at = view.toScreen(point);
    const { width, height } = view.canvas.peek();
    const rim = 40 * view.density.peek();
    const by = (value: number, size: number) => (value < rim ? rim - value : value > size - rim ? size - rim - value : 0);
    const [dx, dy] = [by(at.x, width), by(at.y, height)];
    if (dx || dy) view.pan(dx, dy);
  }

  private press(event: KeyboardEvent): void {
    const { tool } = this.bench;
    const at = this.keyPointer(event);
    const underWay = this.bench.marks.path.peek().length > 0 && settings.tool.peek() === "polygon";
    if (settings.tool.peek() === "transform" && this.bench.transform.holding.peek()) tool.finish?.();
    else if (underWay && (event.shiftKey || !at)) tool.finish?.();
    else if (!at) this.moveCursor(0, 0, event);
    else if (this.penDown || !["brush", "eraser", "restore", "lasso"].includes(settings.tool.peek())) {
      if (!this.penDown) tool.down(at);
      tool.up?.(at);
      this.penDown = false;
    } else {
      this.penDown = true;
      tool.down(at);
      this.bench.say("Pen down");
    }
  }

  private leave(): void {
    if (this.penDown && this.bench.tool.finish) this.bench.tool.finish();
    else if (this.penDown) this.bench.tool.cancel?.();
    this.penDown = false;
    this.bench.marks.cursor.value = null;
  }

  close(): void {
    this.abort.abort();
  }
}
