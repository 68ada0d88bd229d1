/** A picture as small canvases, filled when they are looked at, and only where something changed. */

import { EMPTY, grown, intersect, isEmpty, union, whole, type Extent, type Rect } from "../model/geometry";
import type { Placed } from "./view";

/** Side of a tile, pixels of its canvas. */
const SIDE = 256;
/** Most tiles kept; 256 KiB each. */
const MOST = 480;

/**
 * Writes the pixels of `rect` at every `step`-th place: ceil(width / step) x ceil(height / step) RGBA, rect's corner lying on
 * a multiple of step.
 */
export type Fill = (rect: Rect, step: number, out: Uint8ClampedArray) => void;

interface Tile {
  readonly canvas: HTMLCanvasElement;
  readonly context: CanvasRenderingContext2D;
  /** Photo pixels that it stands for. */
  readonly rect: Rect;
  readonly step: number;
  /** What is to be filled again. */
  dirty: Rect;
  filled: boolean;
}

/** The power of two by which the photo is reduced before it is drawn at `scale`. */
export function stepFor(scale: number): number {
  return scale >= 1 ? 1 : 2 ** Math.floor(Math.log2(1 / scale) + 1e-9);
}

export class Tiles {
  private readonly tiles = new Map<string, Tile>();

  constructor(
    private readonly extent: Extent,
    private readonly fill: Fill,
    private readonly opaque: boolean,
  ) {}

  /** Marks a part of the photo as changed; everything where nothing is given. */
  invalidate(rect: Rect = whole(this.extent)): void {
    for (const tile of this.tiles.values()) {
      // Borders look one step to the right and down.
      const part = intersect(grown(rect, tile.step), tile.rect);
      if (!isEmpty(part)) tile.dirty = union(tile.dirty, part);
    }
  }

  /** Draws the photo's `part`. Returns false where time ran out and some tiles are still as they were before. */
  draw(context: CanvasRenderingContext2D, placed: Placed, part: Rect, until: number): boolean {
    const step = stepFor(placed.scale);
    const span = SIDE * step;
    const seen = intersect(part, whole(this.extent));
    if (isEmpty(seen)) return true;
    let complete = true;
    context.imageSmoothingEnabled = placed.scale < 1;
    for (let ty = Math.floor(seen.y / span); ty * span < seen.y + seen.height; ty++) {
      for (let tx = Math.floor(seen.x / span); tx * span < seen.x + seen.width; tx++) {
        const tile = this.tile(step, tx, ty);
        if (!isEmpty(tile.dirty)) {
          if (!tile.filled || performance.now() < until) this.refill(tile);
          else complete = false;
        }
        place(context, placed, tile);
      }
    }
    return complete;
  }

  private tile(step: number, tx: number, ty: number): Tile {
    const key = `${step}:${tx}:${ty}`;
    const known = this.tiles.get(key);
    if (known) {
      // Those drawn last are at the end, those to be forgotten first at the front.
      this.tiles.delete(key);
      this.tiles.set(key, known);
      return known;
    }
    const span = SIDE * step;
    const rect = intersect({ x: tx * span, y: ty * span, width: span, height: span }, whole(this.extent));
    const canvas = document.createElement("canvas");
    canvas.width = Math.ceil(rect.width / step);
    canvas.height = Math.ceil(rect.height / step);
    const context = canvas.getContext("2d", { alpha: !this.opaque })!;
    const tile: Tile = { canvas, context, rect, step, dirty: rect, filled: false };
    this.tiles.set(key, tile);
    if (this.tiles.size > MOST) this.tiles.delete(this.tiles.keys().next().value!);
    return tile;
  }

  private refill(tile: Tile): void {
    const { rect, step, dirty } = tile;
    const x = Math.floor((dirty.x - rect.x) / step);
    const y = Math.floor((dirty.y - rect.y) / step);
    const width = Math.ceil((dirty.x + dirty.width - rect.x) / step) - x;
    const height = Math.ceil((dirty.y + dirty.height - rect.y) / step) - y;
    const source = { x: rect.x + x * step, y: rect.y + y * step, width: width * step, height: height * step };
    const image = tile.context.createImageData(width, height);
    this.fill(intersect(source, rect), step, image.data);
    tile.context.putImageData(image, x, y);
    tile.dirty = EMPTY;
    tile.filled = true;
  }
}

/** Draws a tile on whole device pixels, so that neighbours meet without a seam. */
function place(context: CanvasRenderingContext2D, { scale, x, y }: Placed, tile: Tile): void {
  const { rect, canvas, step } = tile;
  const left = Math.round(rect.x * scale) + x;
  const top = Math.round(rect.y * scale) + y;
  const right = Math.round((rect.x + canvas.width * step) * scale) + x;
  const bottom = Math.round((rect.y + canvas.height * step) * scale) + y;
  context.drawImage(canvas, left, top, right - left, bottom - top);
}
