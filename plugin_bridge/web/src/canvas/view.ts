/** Where the photo lies on the screen: zoom and pan, in device pixels, so that 100 % is one to one. */

import { computed, signal, type ReadonlySignal } from "@preact/signals";
import { covering, type Extent, type Point, type Rect } from "../model/geometry";

export const SMALLEST_SCALE = 1 / 64;
export const LARGEST_SCALE = 64;
/** Stops of the zoom keys. */
const STOPS = [1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];

export interface Placed {
  /** Device pixels a photo pixel. */
  readonly scale: number;
  /** Device pixels from the canvas' corner to the photo's; whole, so that nothing is resampled at 100 %. */
  readonly x: number;
  readonly y: number;
}

export class View {
  readonly placed = signal<Placed>({ scale: 1, x: 0, y: 0 });
  /** The canvas, device pixels. */
  readonly canvas = signal<Extent>({ width: 1, height: 1 });
  /** Device pixels a CSS pixel. */
  readonly density = signal(1);
  readonly percent: ReadonlySignal<number> = computed(() => this.placed.value.scale * 100);
  private photo: Extent = { width: 1, height: 1 };
  /** True until the user zooms or pans: the photo follows the window's size. */
  private fitted = true;

  setPhoto(photo: Extent): void {
    this.photo = photo;
    this.fit();
  }

  resize(canvas: Extent, density: number): void {
    const before = this.canvas.value;
    this.canvas.value = canvas;
    this.density.value = density;
    if (this.fitted) this.fit();
    else this.pan((canvas.width - before.width) / 2, (canvas.height - before.height) / 2);
  }

  /** The whole photo, with a margin; small photos at most at 100 %, or the whole multiple that fits. */
  fit(): void {
    const { width, height } = this.canvas.value;
    const margin = 24 * this.density.value;
    const scale = Math.min((width - 2 * margin) / this.photo.width, (height - 2 * margin) / this.photo.height);
    this.place(scale >= 1 ? Math.min(Math.floor(scale), 4) : Math.max(scale, SMALLEST_SCALE));
    this.fitted = true;
  }

  private place(scale: number): void {
    const { width, height } = this.canvas.value;
    this.set(scale, (width - this.photo.width * scale) / 2, (height - this.photo.height * scale) / 2);
  }

  private set(scale: number, x: number, y: number): void {
    const { width, height } = this.canvas.value;
    const [w, h] = [this.photo.width * scale, this.photo.height * scale];
    // Some of the photo stays in sight.
    const rim = 48 * this.density.value;
    const held = (at: number, size: number, room: number) => Math.min(Math.max(at, rim - size), room - rim);
    this.placed.value = { scale, x: Math.round(held(x, w, width)), y: Math.round(held(y, h, height)) };
    this.fitted = false;
  }

  /** Moves the photo by device pixels. */
  pan(dx: number, dy: number): void {
    const { scale, x, y } = this.placed.value;
    this.set(scale, x + dx, y + dy);
  }

  /** Zooms so that what is under `at` (device pixels on the canvas) stays there. */
  zoomTo(scale: number, at: Point = this.middle): void {
    const now = this.placed.value;
    const next = Math.min(Math.max(scale, SMALLEST_SCALE), LARGEST_SCALE);
    const ratio = next / now.scale;
    this.set(next, at.x - (at.x - now.x) * ratio, at.y - (at.y - now.y) * ratio);
  }

  /** The next stop up (1) or down (-1). */
  step(way: 1 | -1, at: Point = this.middle): void {
    const { scale } = this.placed.value;
    const stops = way > 0 ? STOPS : [...STOPS].reverse();
    this.zoomTo(stops.find((stop) => (way > 0 ? stop > scale * 1.001 : stop < scale * 0.999)) ?? scale, at);
  }

  get middle(): Point {
    return { x: this.canvas.value.width / 2, y: this.canvas.value.height / 2 };
  }

  /** Device pixels on the canvas to photo coordinates. */
  toPhoto(at: Point): Point {
    const { scale, x, y } = this.placed.value;
    return { x: (at.x - x) / scale, y: (at.y - y) / scale };
  }

  toScreen(at: Point): Point {
    const { scale, x, y } = this.placed.value;
    return { x: at.x * scale + x, y: at.y * scale + y };
  }

  /** The device pixels that a rectangle of the photo touches. */
  screenRect(rect: Rect): Rect {
    const a = this.toScreen(rect);
    const b = this.toScreen({ x: rect.x + rect.width, y: rect.y + rect.height });
    return covering(a.x, a.y, b.x, b.y);
  }

  /** The photo's pixels (as a box that may reach outside) under a rectangle of the canvas. */
  photoRect(rect: Rect): Rect {
    const a = this.toPhoto(rect);
    const b = this.toPhoto({ x: rect.x + rect.width, y: rect.y + rect.height });
    return covering(a.x, a.y, b.x, b.y);
  }
}
