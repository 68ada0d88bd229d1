/** Draws the picture canvas: once a frame, and only the rectangle that changed. */

import { effect, type Signal } from "@preact/signals";
import type { Document } from "../model/document";
import { EMPTY, grown, intersect, isEmpty, union, whole, type Rect } from "../model/geometry";
import type { Live } from "../model/live";
import type { Stack } from "../model/layers";
import { settings } from "../model/settings";
import type { Color, PlacedPixels } from "../model/types";
import { overlayFill, pictureFill } from "./paint";
import { stepFor, Tiles } from "./tiles";
import type { View } from "./view";

/** Milliseconds a frame that may go into filling tiles; the rest follows in the next frame. */
const FILL_BUDGET = 10;
/** What unknown pixels are drawn in. */
export const UNKNOWN_COLOR: Color = [128, 128, 128];

export class Renderer {
  private readonly context: CanvasRenderingContext2D;
  private readonly picture: Tiles;
  private readonly photo: Tiles;
  private readonly overlay: Tiles;
  private previewCanvas: HTMLCanvasElement | null = null;
  private previewed: PlacedPixels | null = null;
  private shown: Stack = [];
  private dirty: Rect = EMPTY;
  private frame = 0;
  private readonly stops: (() => void)[] = [];

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly document: Document,
    private readonly live: Live,
    private readonly view: View,
    /** 0 to 1 across the photo: left of it the photo as it was; null: no comparison. */
    private readonly compare: Signal<number | null>,
  ) {
    this.context = canvas.getContext("2d", { alpha: false })!;
    this.picture = new Tiles(document.extent, pictureFill(document, () => this.document.layers.peek()), true);
    this.photo = new Tiles(document.extent, pictureFill(document, () => []), true);
    const colors = new Map(document.labels.map((label) => [label.id, label.color]));
    const colorOf = (id: number) => colors.get(id) ?? UNKNOWN_COLOR;
    this.overlay = new Tiles(document.extent, overlayFill(document, colorOf, () => settings.overlay.peek()), false);
    this.watch();
  }

  private watch(): void {
    const painted = (rect: Rect) => {
      this.overlay.invalidate(rect);
      this.dirtyPhoto(grown(rect, stepFor(this.view.placed.peek().scale)));
    };
    this.document.onPaint.add(painted);
    this.stops.push(() => this.document.onPaint.delete(painted));
    this.stops.push(effect(() => this.layersChanged(this.document.layers.value)));
    this.stops.push(effect(() => this.previewChanged(this.live.preview.value)));
    this.stops.push(
      effect(() => {
        settings.overlay.value;
        this.overlay.invalidate();
        this.redraw();
      }),
    );
    this.stops.push(
      effect(() => {
        void [this.view.placed.value, this.view.canvas.value, settings.opacity.value, settings.theme.value, this.compare.value];
        this.redraw();
      }),
    );
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const changed = () => this.redraw();
    scheme.addEventListener("change", changed);
    this.stops.push(() => scheme.removeEventListener("change", changed));
  }

  private layersChanged(now: Stack): void {
    const before = this.shown;
    this.shown = now;
    let changed: Rect = EMPTY;
    for (const layer of [...before, ...now]) {
      const [was, is] = [before.indexOf(layer), now.indexOf(layer)];
      if (was < 0 || is < 0 || was !== is) changed = union(changed, layer.bounds);
    }
    if (isEmpty(changed)) return;
    this.picture.invalidate(changed);
    this.dirtyPhoto(changed);
  }

  private previewChanged(now: PlacedPixels | null): void {
    const before = this.previewed;
    this.previewed = now;
    if (before) this.dirtyPhoto(before.bounds);
    if (!now) return;
    const { width, height } = now.pixelExtent;
    this.previewCanvas ??= document.createElement("canvas");
    this.previewCanvas.width = width;
    this.previewCanvas.height = height;
    const context = this.previewCanvas.getContext("2d", { alpha: false })!;
    const image = context.createImageData(width, height);
    image.data.set(now.pixels);
    for (let at = 3; at < image.data.length; at += 4) image.data[at] = 255;
    context.putImageData(image, 0, 0);
    this.dirtyPhoto(now.bounds);
  }

  private dirtyPhoto(rect: Rect): void {
    if (!isEmpty(rect)) this.redraw(grown(this.view.screenRect(rect), 2));
  }

  redraw(rect: Rect = whole(this.view.canvas.peek())): void {
    this.dirty = union(this.dirty, rect);
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    this.frame = 0;
    const { width, height } = this.view.canvas.peek();
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.dirty = { x: 0, y: 0, width, height };
    }
    const dirty = intersect(this.dirty, { x: 0, y: 0, width, height });
    this.dirty = EMPTY;
    if (isEmpty(dirty)) return;
    const { context } = this;
    context.save();
    clip(context, dirty);
    context.fillStyle = getComputedStyle(this.canvas).getPropertyValue("--canvas").trim() || "#888";
    context.fillRect(dirty.x, dirty.y, dirty.width, dirty.height);
    const complete = this.drawPhoto(dirty, performance.now() + FILL_BUDGET);
    context.restore();
    if (!complete) this.redraw(dirty);
  }

  private drawPhoto(dirty: Rect, until: number): boolean {
    const { context } = this;
    const placed = this.view.placed.peek();
    const compare = this.compare.peek();
    const split = compare === null ? null : Math.round(placed.x + compare * this.document.extent.width * placed.scale);
    let complete = this.picture.draw(context, placed, this.view.photoRect(dirty), until);
    this.drawPreview(placed.scale);
    if (split === null) {
      const mode = settings.overlay.peek();
      if (mode === "off" || settings.opacity.peek() === 0) return complete;
      context.globalAlpha = settings.opacity.peek();
      complete = this.overlay.draw(context, placed, this.view.photoRect(dirty), until) && complete;
      context.globalAlpha = 1;
      return complete;
    }
    const left = intersect(dirty, { x: 0, y: 0, width: Math.max(split, 0), height: this.view.canvas.peek().height });
    if (isEmpty(left)) return complete;
    context.save();
    clip(context, left);
    complete = this.photo.draw(context, placed, this.view.photoRect(left), until) && complete;
    context.restore();
    return complete;
  }

  private drawPreview(scale: number): void {
    if (!this.previewed || !this.previewCanvas) return;
    const { bounds, pixelExtent } = this.previewed;
    const a = this.view.toScreen(bounds);
    const [width, height] = [bounds.width * scale, bounds.height * scale];
    this.context.imageSmoothingEnabled = scale < 1 || pixelExtent.width !== bounds.width;
    this.context.drawImage(this.previewCanvas, Math.round(a.x), Math.round(a.y), Math.round(width), Math.round(height));
  }

  close(): void {
    for (const stop of this.stops) stop();
    if (this.frame) cancelAnimationFrame(this.frame);
  }
}

function clip(context: CanvasRenderingContext2D, rect: Rect): void {
  context.beginPath();
  context.rect(rect.x, rect.y, rect.width, rect.height);
  context.clip();
}
