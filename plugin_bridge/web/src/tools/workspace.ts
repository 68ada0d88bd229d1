/** A document on the bench: its view, its tools, and what keys and buttons do with them. */

import { effect, signal, type Signal } from "@preact/signals";
import { View } from "../canvas/view";
import type { Document } from "../model/document";
import { changed, dropped, moved } from "../model/layers";
import type { Live } from "../model/live";
import type { Mixing } from "../model/mixing";
import { settings, type ToolId } from "../model/settings";
import { BucketTool, HandTool, PickTool, SelectTool } from "./click_tools";
import * as edits from "./edits";
import { PaintTool } from "./paint_tool";
import { LassoTool, PolygonTool } from "./shape_tool";
import { Marks, type Bench, type Tool } from "./tool";
import { TransformTool } from "./transform_tool";

export class Workspace implements Bench {
  readonly marks = new Marks();
  readonly view = new View();
  readonly label: Signal<number>;
  /** Before/after: 0 to 1 across the photo; null: off. */
  readonly compare = signal<number | null>(null);
  readonly transform: TransformTool;
  private readonly tools: Record<ToolId, Tool>;
  private current: ToolId;
  private readonly stop: () => void;

  constructor(
    readonly document: Document,
    readonly live: Live,
    readonly mixing: Mixing,
    readonly say: (message: string) => void,
  ) {
    this.label = signal(document.labels[0]?.id ?? 0);
    this.transform = new TransformTool(this);
    this.tools = {
      brush: new PaintTool(this, "brush"),
      eraser: new PaintTool(this, "eraser"),
      restore: new PaintTool(this, "restore"),
      polygon: new PolygonTool(this),
      lasso: new LassoTool(this),
      bucket: new BucketTool(this),
      pick: new PickTool(this),
      select: new SelectTool(this),
      transform: this.transform,
      hand: new HandTool(),
    };
    this.current = settings.tool.peek();
    this.view.setPhoto(document.extent);
    this.stop = effect(() => this.changeTool(settings.tool.value));
  }

  private changeTool(next: ToolId): void {
    if (next === this.current && next !== "transform") return;
    if (next !== this.current) this.tools[this.current].finish?.();
    this.current = next;
    if (next === "transform") queueMicrotask(() => this.transform.lift());
  }

  get tool(): Tool {
    return this.tools[this.current];
  }

  pixel = (): number => this.view.density.peek() / this.view.placed.peek().scale;

  undo(): void {
    if (this.tool.undo?.() || this.tool.cancel?.()) return;
    const name = this.document.history.undoName.peek();
    if (this.document.history.undo()) this.say(`Undone: ${name}`);
  }

  redo(): void {
    this.tool.cancel?.();
    const name = this.document.history.redoName.peek();
    if (this.document.history.redo()) this.say(`Redone: ${name}`);
  }

  /** Escape: what is under way, else the render, else the selection. */
  cancel(): void {
    if (this.tool.cancel?.()) return;
    if (this.live.activity.peek()) this.live.cancel();
    else this.document.selection.clear();
  }

  /** What is done to the selection; ends a region in the hand first. */
  private withSelection(what: (mask: Parameters<typeof edits.removeRegion>[1]) => boolean, done: string): void {
    this.transform.finish();
    const mask = this.document.selection.mask.peek();
    if (this.document.selection.empty) this.say("Nothing is selected");
    else this.say(what(mask) ? done : "Nothing changed");
  }

  relabel(): void {
    const label = this.label.value;
    this.withSelection((mask) => edits.paintMask(this.document, mask, label, "Relabel region"), "Relabelled");
  }

  remove(): void {
    this.withSelection((mask) => edits.removeRegion(this.document, mask), "Region removed");
  }

  merge(): void {
    this.withSelection((mask) => edits.mergeRegions(this.document, mask), "Regions merged");
  }

  restore(): void {
    this.withSelection((mask) => edits.restoreRegion(this.document, mask), "Region restored");
  }

  grow(): void {
    this.withSelection((mask) => edits.growRegion(this.document, mask, settings.growBy.value), "Region grown");
  }

  shrink(): void {
    this.withSelection((mask) => edits.shrinkRegion(this.document, mask, settings.growBy.value), "Region shrunk");
  }

  selectAll(): void {
    const { width, height } = this.document.extent;
    this.document.selection.set({ bounds: this.document.bounds, data: new Uint8Array(width * height).fill(1) });
  }

  /** Restores the whole map; the kept layers stay. */
  restoreAll(): void {
    const { width, height } = this.document.extent;
    const mask = { bounds: this.document.bounds, data: new Uint8Array(width * height).fill(1) };
    this.say(edits.restoreRegion(this.document, mask) ? "Layout restored" : "Nothing changed");
  }

  keepLayer(id: string, kept: boolean): void {
    const { layers } = this.document;
    this.document.changeLayers(kept ? "Keep layer" : "Let layer go", changed(layers.peek(), id, { kept }));
  }

  dropLayer(id: string): void {
    this.document.changeLayers("Drop layer", dropped(this.document.layers.peek(), id));
  }

  moveLayer(id: string, by: number): void {
    const next = moved(this.document.layers.peek(), id, by);
    if (next !== this.document.layers.peek()) this.document.changeLayers("Move layer", next);
  }

  showLayer(id: string, visible: boolean): void {
    this.document.layers.value = changed(this.document.layers.peek(), id, { visible });
  }

  nameLayer(id: string, name: string): void {
    if (name.trim()) this.document.changeLayers("Rename layer", changed(this.document.layers.peek(), id, { name: name.trim() }));
  }

  close(): void {
    this.stop();
    this.tool.cancel?.();
    this.mixing.close();
    this.live.close();
  }
}
