/** Checks of what a project file says; anything unexpected is one error for people. */

import type { Rect } from "../model/geometry";

/** The message is for people. */
export class ProjectError extends Error {
  override readonly name = "ProjectError";

  constructor(message = "The project file is damaged: it says something that can't be.") {
    super(message);
  }
}

export type Shape = { [key: string]: unknown };

const LONGEST_SIDE = 1 << 20;
const LONGEST_TEXT = 4096;

function whole(value: unknown, least: number, most: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) throw new ProjectError();
  return value;
}

function text(value: unknown): string {
  if (typeof value !== "string" || value.length > LONGEST_TEXT) throw new ProjectError();
  return value;
}

function object(value: unknown): Shape {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new ProjectError();
  return value as Shape;
}

export const expect = {
  whole,
  text,
  object,
  /** A text, or null. */
  name(value: unknown): string | null {
    return value === null ? null : text(value);
  },
  truth(value: unknown): boolean {
    if (typeof value !== "boolean") throw new ProjectError();
    return value;
  },
  list(value: unknown): unknown[] {
    if (!Array.isArray(value)) throw new ProjectError();
    return value;
  },
  side(value: unknown): number {
    return whole(value, 1, LONGEST_SIDE);
  },
  rect(value: unknown): Rect {
    const { x, y, width, height } = object(value);
    return {
      x: whole(x, -LONGEST_SIDE, LONGEST_SIDE),
      y: whole(y, -LONGEST_SIDE, LONGEST_SIDE),
      width: whole(width, 1, LONGEST_SIDE),
      height: whole(height, 1, LONGEST_SIDE),
    };
  },
};
