/** Finished renders by the state of the map that they show, so that undo and redo need no server. */

import type { Layer } from "./types";

export class Results {
  private readonly entries = new Map<string, Layer>();
  private bytes = 0;

  constructor(private readonly largest = 256 * 1024 * 1024) {}

  get(key: string): Layer | null {
    const layer = this.entries.get(key);
    if (!layer) return null;
    this.entries.delete(key);
    this.entries.set(key, layer);
    return layer;
  }

  /** Adds a layer and forgets those that were not asked for the longest, until all fit; the newest one always stays. */
  set(key: string, layer: Layer): void {
    this.forget(key);
    this.entries.set(key, layer);
    this.bytes += sizeOf(layer);
    for (const oldest of this.entries.keys()) {
      if (this.bytes <= this.largest || oldest === key) break;
      this.forget(oldest);
    }
  }

  private forget(key: string): void {
    const layer = this.entries.get(key);
    if (!layer) return;
    this.bytes -= sizeOf(layer);
    this.entries.delete(key);
  }
}

function sizeOf(layer: Layer): number {
  return layer.pixels.length + layer.mask.length;
}
