/** A project as the stack of layers that every layered file holds, whatever its format. */

import { compositeInto } from "../model/composite";
import { whole, type Rect } from "../model/geometry";
import type { Project } from "../model/types";
import { labelPicture } from "./label_colors";

export interface StackLayer {
  readonly name: string;
  readonly bounds: Rect;
  /** Straight RGBA. */
  readonly pixels: Uint8ClampedArray;
  /** One byte a pixel of bounds: how much of the layer shows. Null: all of it. */
  readonly mask: Uint8Array | null;
  readonly visible: boolean;
}

/** The names that other hosts look for. */
export const ORIGINAL_LABELS = "Layoutbrush original labels";
export const EDITED_LABELS = "Layoutbrush labels";
export const EXCLUDE = "Layoutbrush exclude";

/** White where something is set, clear elsewhere. */
function marks(plane: Uint8Array): Uint8ClampedArray {
  const out = new Uint8ClampedArray(plane.length * 4);
  for (let i = 0; i < plane.length; i++) if (plane[i]) out.fill(255, i * 4, i * 4 + 4);
  return out;
}

/** From the bottom to the top: photo, results, and, hidden, the label maps and what must not be copied. */
export function layerStack(project: Project): StackLayer[] {
  const { photo, labels, original, edited, exclude } = project;
  const bounds = whole(photo);
  const hidden = { bounds, mask: null, visible: false };
  return [
    { name: photo.name || "Photo", bounds, pixels: photo.pixels, mask: null, visible: true },
    ...project.layers.map(({ name, bounds, pixels, mask, visible }) => ({ name, bounds, pixels, mask, visible })),
    { ...hidden, name: ORIGINAL_LABELS, pixels: labelPicture(original, labels) },
    { ...hidden, name: EDITED_LABELS, pixels: labelPicture(edited, labels) },
    ...(exclude ? [{ ...hidden, name: EXCLUDE, pixels: marks(exclude) }] : []),
  ];
}

/** What the canvas shows: straight RGBA of the photo's size. */
export function composite(project: Project): Uint8ClampedArray {
  const { photo } = project;
  const out = new Uint8ClampedArray(photo.width * photo.height * 4);
  compositeInto(photo, project.layers, whole(photo), out);
  return out;
}
