/** The stack of results: each function gives a new stack and leaves the old one as it was. */

import type { Layer, RenderResult } from "./types";

export type Stack = readonly Layer[];

let made = 0;

/** A name that no other object of this page bears. */
export function newId(prefix: string): string {
  made++;
  return `${prefix}-${Date.now().toString(36)}-${made}`;
}

/** The layer that follows the label map; at most one, and on top. */
export function liveLayer(stack: Stack): Layer | null {
  return stack.find((layer) => !layer.kept) ?? null;
}

/** Puts a result in the place of the live layer, or takes that away where there is none. */
export function withLive(stack: Stack, live: Layer | null): Stack {
  const kept = stack.filter((layer) => layer.kept);
  return live ? [...kept, live] : kept;
}

export function layerOf(result: RenderResult, name: string, seed: number): Layer {
  const { bounds, pixels, mask } = result;
  return { id: newId("layer"), name, bounds, pixels: opaque(pixels), mask, visible: true, kept: false, seed };
}

/** A layer's alpha is its mask; its pixels bear none. */
function opaque(pixels: Uint8ClampedArray): Uint8ClampedArray {
  for (let at = 3; at < pixels.length; at += 4) pixels[at] = 255;
  return pixels;
}

export function changed(stack: Stack, id: string, change: Partial<Pick<Layer, "name" | "visible" | "kept">>): Stack {
  return stack.map((layer) => (layer.id === id ? { ...layer, ...change } : layer));
}

export function dropped(stack: Stack, id: string): Stack {
  return stack.filter((layer) => layer.id !== id);
}

/** Moved by `by` places towards the top; the live layer stays above all kept ones. */
export function moved(stack: Stack, id: string, by: number): Stack {
  const from = stack.findIndex((layer) => layer.id === id);
  const to = Math.min(Math.max(from + by, 0), stack.length - 1);
  if (from < 0 || from === to || !stack[from]!.kept || !stack[to]!.kept) return stack;
  const next = [...stack];
  const [layer] = next.splice(from, 1);
  next.splice(to, 0, layer!);
  return next;
}

/** "Result 3": one more than the highest number in use. */
export function nextName(stack: Stack): string {
  const numbers = stack.map((layer) => Number(/^Result (\d+)$/.exec(layer.name)?.[1] ?? 0));
  return `Result ${Math.max(0, ...numbers) + 1}`;
}

export function stackBytes(stack: Stack): number {
  return stack.reduce((sum, layer) => sum + layer.pixels.length + layer.mask.length, 0);
}
