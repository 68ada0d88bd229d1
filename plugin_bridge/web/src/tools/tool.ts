/** What a tool is: it hears of the pointer in photo coordinates, and draws its marks through signals. */

import { signal, type Signal } from "@preact/signals";
import type { Document } from "../model/document";
import type { Point, Rect } from "../model/geometry";
import type { Live } from "../model/live";

export interface Pointer extends Point {
  /** Pen pressure, 0 to 1; 1 for mouse and touch. */
  readonly pressure: number;
  readonly shift: boolean;
  readonly alt: boolean;
  /** The eraser end of a pen. */
  readonly eraser: boolean;
}

/** What tools show above the picture. */
export class Marks {
  /** A polygon or lasso under way, photo coordinates. */
  readonly path: Signal<readonly Point[]> = signal([]);
  /** The box being moved or scaled. */
  readonly box: Signal<Rect | null> = signal(null);
  /** Where the pointer is, photo coordinates; null: elsewhere. */
  readonly pointer: Signal<Point | null> = signal(null);
  /** The keyboard's own cursor; null while it isn't used. */
  readonly cursor: Signal<Point | null> = signal(null);
}

/** What tools work with. */
export interface Bench {
  readonly document: Document;
  readonly live: Live;
  readonly marks: Marks;
  /** The label that is painted with. */
  readonly label: Signal<number>;
  /** Photo pixels a CSS pixel, for things that keep their size on the screen. */
  readonly pixel: () => number;
  /** Says something to screen readers. */
  readonly say: (message: string) => void;
}

export interface Tool {
  /** CSS cursor over the canvas. */
  readonly cursor: string | ((at: Point) => string);
  down(at: Pointer): void;
  move?(at: Pointer): void;
  up?(at: Pointer): void;
  /** The pointer moves without a button. */
  hover?(at: Point): void;
  /** Gives up what is under way. True: there was something. */
  cancel?(): boolean;
  /** Ends what is under way well: Enter, double click, another tool. */
  finish?(): void;
  /** Takes back the last point instead of the last step. True: done. */
  undo?(): boolean;
  /** Arrow keys, photo pixels. True: used. */
  nudge?(dx: number, dy: number): boolean;
}
