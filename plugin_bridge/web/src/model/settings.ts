/** What the user has set and finds again next time: tools, brush, view. Kept in localStorage. */

import { effect, signal, type Signal } from "@preact/signals";

export const TOOL_IDS = [
  "brush",
  "eraser",
  "restore",
  "polygon",
  "lasso",
  "bucket",
  "select",
  "pick",
  "transform",
  "hand",
] as const;
export type ToolId = (typeof TOOL_IDS)[number];
export type Theme = "system" | "light" | "dark";
/** Which labels lie over the photo: all, only those that were changed, none. */
export type OverlayMode = "all" | "changed" | "off";
/** What polygon and lasso do with their shape. */
export type ShapeUse = "paint" | "select";
export type BoxTool = "draw" | "move";

const STORE = "layoutbrush.settings";

function stored(): Record<string, unknown> {
  try {
    return JSON.parse(localStorage.getItem(STORE) ?? "{}") as Record<string, unknown>;
  } catch {
    // Private windows and damaged entries: start from the defaults.
    return {};
  }
}

const before = stored();
const kept: Record<string, Signal<unknown>> = {};

/** A signal whose value is found again, as long as `valid` accepts it. */
function setting<T>(name: string, initial: T, valid: (value: unknown) => boolean): Signal<T> {
  const value = signal(name in before && valid(before[name]) ? (before[name] as T) : initial);
  kept[name] = value as Signal<unknown>;
  return value;
}

const among = (...values: readonly unknown[]) => (value: unknown) => values.includes(value);
const between = (low: number, high: number) => (value: unknown) =>
  typeof value === "number" && value >= low && value <= high;
const flag = (value: unknown) => typeof value === "boolean";

export const LARGEST_BRUSH = 1000;

export const settings = {
  tool: setting<ToolId>("tool", "brush", among(...TOOL_IDS)),
  theme: setting<Theme>("theme", "system", among("system", "light", "dark")),
  overlay: setting<OverlayMode>("overlay", "all", among("all", "changed", "off")),
  /** 0 to 1. */
  opacity: setting("opacity", 0.45, between(0, 1)),
  /** Photo pixels. */
  brushSize: setting("brushSize", 40, between(1, LARGEST_BRUSH)),
  /** 0 to 1. */
  softness: setting("softness", 0.2, between(0, 1)),
  /** Whether a pen's pressure scales the brush. */
  pressure: setting("pressure", true, flag),
  shapeUse: setting<ShapeUse>("shapeUse", "paint", among("paint", "select")),
  /** Select and bucket: only what hangs together, or all pixels of the label. */
  contiguous: setting("contiguous", true, flag),
  /** Grow and shrink, photo pixels. */
  growBy: setting("growBy", 8, between(1, 200)),
  /** Move and scale: leave the region where it was as well. */
  leaveCopy: setting("leaveCopy", false, flag),
  /** The labels of a second photo lie over it. */
  referenceLabels: setting("referenceLabels", false, flag),
  /** Render by itself after each change. */
  live: setting("live", true, flag),
  panel: setting("panel", true, flag),
  /** On the board: what dragging does, the label of the next box, and whether the draft lies under the boxes. */
  boxTool: setting<BoxTool>("boxTool", "draw", among("draw", "move")),
  boxLabel: setting("boxLabel", "", (value) => typeof value === "string"),
  boxUnderlay: setting("boxUnderlay", true, flag),
};

effect(() => {
  const values = Object.fromEntries(Object.entries(kept).map(([name, value]) => [name, value.value]));
  try {
    localStorage.setItem(STORE, JSON.stringify(values));
  } catch {
    // No storage: settings last as long as the page.
  }
});
