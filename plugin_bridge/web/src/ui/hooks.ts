/** `window.layoutbrush`: the page's state for end-to-end tests and for curious people with a console. */

import { compositeInto } from "../model/composite";
import type { Session } from "../model/session";
import type { Project } from "../model/types";

export interface Hooks {
  project(): Project | null;
  /** The picture as exported: straight RGBA. */
  composite(): { width: number; height: number; pixels: Uint8ClampedArray } | null;
  state(): Record<string, unknown>;
  /** Client coordinates of a photo pixel's centre. */
  toScreen(x: number, y: number): { x: number; y: number } | null;
  /** Zooms to a scale: device pixels a photo pixel. */
  zoomTo(scale: number): void;
}

declare global {
  interface Window {
    layoutbrush?: Hooks;
  }
}

export function exposeHooks(session: Session): void {
  const bench = () => session.bench.peek();
  window.layoutbrush = {
    project: () => session.project(),
    composite: () => {
      const document = bench()?.document;
      if (!document) return null;
      const { width, height } = document.extent;
      const pixels = new Uint8ClampedArray(width * height * 4);
      compositeInto(document.photo, document.layers.peek(), document.bounds, pixels);
      return { width, height, pixels };
    },
    state: () => ({
      server: session.server.link.peek(),
      opening: session.opening.peek(),
      phase: bench()?.live.activity.peek()?.stage ?? "idle",
      progress: bench()?.live.activity.peek()?.done ?? null,
      stale: bench()?.live.stale.peek() ?? false,
      preview: bench()?.live.preview.peek() != null,
      canUndo: bench()?.document.history.undoName.peek() != null,
      canRedo: bench()?.document.history.redoName.peek() != null,
      steps: bench()?.document.history.length.peek() ?? 0,
      historyBytes: bench()?.document.history.bytes.peek() ?? 0,
      layers: bench()?.document.layers.peek().map(({ id, name, visible, kept, bounds }) => ({ id, name, visible, kept, bounds })) ?? [],
      zoom: bench()?.view.placed.peek().scale ?? 1,
      // Null while the draft is behind.
      saved: session.unsaved ? null : (session.saved.peek()?.getTime() ?? null),
    }),
    toScreen: (x, y) => {
      const canvas = document.querySelector("#stage canvas.marks");
      const view = bench()?.view;
      if (!canvas || !view) return null;
      const box = canvas.getBoundingClientRect();
      const at = view.toScreen({ x: x + 0.5, y: y + 0.5 });
      return { x: box.left + at.x / view.density.peek(), y: box.top + at.y / view.density.peek() };
    },
    zoomTo: (scale) => bench()?.view.zoomTo(scale),
  };
}
