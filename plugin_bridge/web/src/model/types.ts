/** What the editor works on. Pixels lie in typed arrays, rows from the top, and are never premultiplied. */

import type { Extent, Rect } from "./geometry";
import type { Mask } from "./selection";

/** The label id that leaves the choice to the server. */
export const UNKNOWN = 255;

/** An sRGB colour, 0 to 255 each. */
export type Color = readonly [red: number, green: number, blue: number];

/** One label of the bundle. */
export interface Label {
  /** 0 to 254. */
  readonly id: number;
  readonly name: string;
  readonly color: Color;
}

/** A picture as it was opened. */
export interface Photo extends Extent {
  /** File name without its folder. */
  readonly name: string;
  /** Width x height x 4 bytes: straight RGBA, as the file holds them (EXIF orientation applied, no profile conversion). */
  readonly pixels: Uint8ClampedArray;
  /** The file's ICC profile, handed through to exports; null where it has none. */
  readonly profile: Uint8Array | null;
  /** The file itself (JPEG, PNG): what goes to the server and into a project. Null for pictures made here. */
  readonly file: Blob | null;
  /** What opening it changed, in sentences for people. */
  readonly notes?: readonly string[];
}

/** One label id a pixel, UNKNOWN allowed; width x height bytes. */
export interface LabelMap extends Extent {
  readonly ids: Uint8Array;
}

/** A picture within the photo: what the server made, before or beside the layer that it becomes. */
export interface PlacedPixels {
  /** Where on the photo it lies; whole pixels, may reach outside. */
  readonly bounds: Rect;
  /** Straight RGBA of `pixelExtent`. */
  readonly pixels: Uint8ClampedArray;
  /** The size of `pixels`: that of bounds, or smaller for previews, which are stretched over bounds. */
  readonly pixelExtent: Extent;
}

/** A finished render. */
export interface RenderResult extends PlacedPixels {
  /** bounds.width x bounds.height bytes, 255 = made by the server, 0 = the photo's. */
  readonly mask: Uint8Array;
  /** Stage name to milliseconds. */
  readonly timings: Readonly<Record<string, number>>;
}

/** A result in the stack. Never changed: a change is a new object with the same pixels. */
export interface Layer {
  readonly id: string;
  readonly name: string;
  readonly bounds: Rect;
  /** Straight RGBA, bounds.width x bounds.height x 4 bytes; alpha 255. */
  readonly pixels: Uint8ClampedArray;
  /** Bounds.width x bounds.height bytes: how much of the layer shows, 255 = wholly. */
  readonly mask: Uint8Array;
  readonly visible: boolean;
  /** Kept layers stay; the one that isn't follows the label map and is replaced by the next result. */
  readonly kept: boolean;
  /** What it was rendered with. */
  readonly seed: number;
}

/** A second photo whose regions are painted into the layout. */
export interface Reference {
  /** 1 to 64 characters of a-z 0-9 -; the wire's reference_id. */
  readonly id: string;
  readonly photo: Photo;
  readonly labels: LabelMap;
}

/** A region of a reference, as it was put into the layout. */
export interface Placement {
  readonly id: string;
  readonly referenceId: string;
  /** The region in the reference: its bounds there, and bounds.width x bounds.height bytes, not 0 = part of it. */
  readonly source: Rect;
  readonly mask: Uint8Array;
  readonly label: number;
  /** Where it lies on the photo; source is stretched over it. */
  readonly target: Rect;
  /** Left and right changed over. Left out: false. */
  readonly mirrored?: boolean;
}

/** Which photo a label or a region of the edited layout draws from. What nothing is said about draws from the photo itself. */
export interface Drawing {
  readonly id: string;
  /** A label wherever the edited map has it, or a region of the photo. */
  readonly target: { readonly label: number } | Mask;
  /** Empty: the photo itself. */
  readonly referenceId: string;
  /** The label to draw from there; null: the one that is to be filled. */
  readonly label: number | null;
}

/** Everything that a project file holds. */
export interface Project {
  readonly photo: Photo;
  readonly labels: readonly Label[];
  /** What is where in the photo. */
  readonly original: LabelMap;
  /** What should be where. */
  readonly edited: LabelMap;
  /** Not 0 = must never be copied from (what was removed); photo.width x photo.height bytes. Null: nothing. */
  readonly exclude: Uint8Array | null;
  /** From the bottom to the top. */
  readonly layers: readonly Layer[];
  readonly references: readonly Reference[];
  readonly placements: readonly Placement[];
  readonly drawings: readonly Drawing[];
  readonly seed: number;
  /** True where the map is ahead of its layers: it was painted on and not rendered yet. Left out: false. */
  readonly outdated?: boolean;
}
