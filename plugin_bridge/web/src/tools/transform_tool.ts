/** Move and scale: takes up the selected region, or one of a second photo, and puts its labels down elsewhere. */

import { signal, type Signal } from "@preact/signals";
import type { Edit } from "../model/document";
import { contains, type Point, type Rect } from "../model/geometry";
import { newId } from "../model/layers";
import { NOTHING } from "../model/selection";
import { settings } from "../model/settings";
import type { Placement } from "../model/types";
import { editedMap, putPatch } from "./edits";
import { connectedRegion, labelRegion } from "./flood";
import { fillPatch, type Patch } from "./morph";
import type { Bench, Pointer, Tool } from "./tool";
import { dragged, handlePoint, HANDLES, lifted, stretched, type Handle } from "./transform";

/** CSS pixels around a handle in which it is caught. */
const CATCH = 12;

/** A region in the hand. */
interface Floating {
  readonly patch: Patch;
  /** Labels for the place that it leaves; null: nothing is left (it comes from elsewhere). */
  readonly behind: Patch | null;
  readonly edit: Edit;
  readonly name: string;
  /** Where it comes from, if from a second photo. */
  readonly from: Pick<Placement, "referenceId" | "source" | "mask" | "label"> | null;
}

export class TransformTool implements Tool {
  /** True while a region is in the hand. */
  readonly holding: Signal<boolean> = signal(false);
  readonly mirrored: Signal<boolean> = signal(false);
  private floating: Floating | null = null;
  private held: Handle | null = null;
  private start: { at: Point; box: Rect } = { at: { x: 0, y: 0 }, box: NOTHING.bounds };

  constructor(private readonly bench: Bench) {}

  cursor = (at: Point): string => {
    const handle = this.handleAt(at);
    if (!handle) return this.floating ? "default" : "crosshair";
    if (handle === "inside") return "move";
    return { n: "ns", s: "ns", e: "ew", w: "ew", nw: "nwse", se: "nwse", ne: "nesw", sw: "nesw" }[handle] + "-resize";
  };

  get box(): Rect | null {
    return this.bench.marks.box.value;
  }

  /** Takes up what is selected. */
  lift(): void {
    const { document } = this.bench;
    const mask = document.selection.mask.value;
    if (this.floating || document.selection.empty) return;
    const patch = lifted(editedMap(document), mask);
    const behind = fillPatch(editedMap(document), mask);
    this.take({ patch, behind, edit: document.edit(), name: "Move region", from: null }, patch.bounds);
  }

  /** Takes up a region of a second photo; `target` is where it lies first. */
  bring(patch: Patch, from: NonNullable<Floating["from"]>, target: Rect): void {
    this.finish();
    this.take({ patch, behind: null, edit: this.bench.document.edit(), name: "Add region", from }, target);
    this.show();
  }

  private take(floating: Floating, box: Rect): void {
    this.floating = floating;
    this.mirrored.value = false;
    this.holding.value = true;
    this.bench.marks.box.value = box;
  }

  down(at: Pointer): void {
    this.held = this.handleAt(at);
    if (!this.held && this.floating) {
      this.finish();
      return;
    }
    if (!this.held) {
      this.select(at);
      this.held = this.box ? "inside" : null;
    }
    if (this.box) this.start = { at, box: this.box };
  }

  /** A click on a region without a selection takes up that region. */
  private select(at: Pointer): void {
    const { document } = this.bench;
    const [x, y] = [Math.floor(at.x), Math.floor(at.y)];
    if (!contains(document.bounds, x, y)) return;
    const map = editedMap(document);
    const region = settings.contiguous.value ? connectedRegion(map, x, y) : labelRegion(map, map.ids[y * map.width + x]!);
    document.selection.set(region);
    this.lift();
  }

  move(at: Pointer): void {
    if (!this.held || !this.floating) return;
    const [dx, dy] = [at.x - this.start.at.x, at.y - this.start.at.y];
    this.bench.marks.box.value = dragged(this.start.box, this.held, dx, dy, at.shift, at.alt);
    this.show();
  }

  up(): void {
    this.held = null;
  }

  nudge(dx: number, dy: number): boolean {
    if (!this.floating || !this.box) return false;
    this.bench.marks.box.value = dragged(this.box, "inside", dx, dy);
    this.show();
    return true;
  }

  /** Scales about the middle; 1 leaves it. */
  scale(factor: number): void {
    if (!this.box) return;
    const [dx, dy] = [(this.box.width * (factor - 1)) / 2, (this.box.height * (factor - 1)) / 2];
    this.bench.marks.box.value = dragged(this.box, "se", dx, dy, true, true);
    this.show();
  }

  flip(): void {
    this.mirrored.value = !this.mirrored.value;
    this.show();
  }

  /** Paints the map as it would be if the region were put down now. */
  show(): void {
    const { floating, box } = this;
    if (!floating || !box) return;
    const { document } = this.bench;
    floating.edit.revert();
    if (floating.behind && !settings.leaveCopy.value) putPatch(document, floating.edit, floating.behind);
    putPatch(document, floating.edit, stretched(floating.patch, box, document.bounds, this.mirrored.value));
    this.bench.live.stroke();
  }

  finish(): void {
    const { floating, box } = this;
    if (!floating || !box) return;
    const { document } = this.bench;
    const put = stretched(floating.patch, box, document.bounds, this.mirrored.value);
    if (floating.from) {
      const mirrored = this.mirrored.value && { mirrored: true };
      const placement: Placement = { ...floating.from, id: newId("placement"), target: box, ...mirrored };
      document.placements.value = [...document.placements.value, placement];
    }
    this.release();
    if (floating.edit.commit(floating.name)) document.selection.set(put);
    else this.bench.live.settle();
  }

  cancel(): boolean {
    const { floating } = this;
    if (!floating) return false;
    this.release();
    floating.edit.cancel();
    this.bench.live.settle();
    return true;
  }

  undo(): boolean {
    return this.cancel();
  }

  private release(): void {
    this.floating = null;
    this.held = null;
    this.holding.value = false;
    this.bench.marks.box.value = null;
  }

  private handleAt(at: Point): Handle | null {
    const { box } = this;
    if (!box) return null;
    const near = CATCH * this.bench.pixel();
    for (const handle of HANDLES) {
      const point = handlePoint(box, handle);
      if (Math.abs(at.x - point.x) <= near && Math.abs(at.y - point.y) <= near) return handle;
    }
    return at.x >= box.x && at.y >= box.y && at.x < box.x + box.width && at.y < box.y + box.height ? "inside" : null;
  }
}
