/** What a layout draws from besides its own photo: each function gives a new mix and leaves the old one as it was. */

import { intersect, isEmpty, sameRect, sampled, whole, type Extent, type Rect } from "./geometry";
import { newId } from "./layers";
import { combined, trimmed, type Mask } from "./selection";
import { UNKNOWN, type Drawing, type LabelMap, type Placement, type Reference } from "./types";

export interface Mix {
  readonly references: readonly Reference[];
  readonly placements: readonly Placement[];
  /** Later ones lie over earlier ones. */
  readonly drawings: readonly Drawing[];
}

/** One source as a render is asked for it. */
export interface Source {
  readonly target: number | Mask;
  /** Null: the photo itself. */
  readonly reference: Reference | null;
  /** The label to draw from; null: the one that is to be filled. */
  readonly label: number | null;
  /** Only this part of the reference is drawn from; null: any. */
  readonly part: Mask | null;
  /** Where the whole reference would lie on the photo, so that a thing is put in whole; null: only its texture is drawn. */
  readonly place: Rect | null;
}

/** The wire takes no rectangle beyond this side. */
const LARGEST_PLACE = 1 << 16;

export function isRegion(target: Drawing["target"]): target is Mask {
  return "data" in target;
}

function sameTarget(a: Drawing["target"], b: Drawing["target"]): boolean {
  if (isRegion(a) || isRegion(b)) return a === b;
  return a.label === b.label;
}

/** The drawing of a label wherever it is, if there is one. */
export function drawingOf(mix: Mix, label: number): Drawing | null {
  return mix.drawings.find(({ target }) => !isRegion(target) && target.label === label) ?? null;
}

/**
 * Lets a label or a region draw from a photo of the mix, or (empty id) from the photo itself. A region takes its pixels from
 * the regions that had a source before; a label replaces what was said about it.
 */
export function drawn(mix: Mix, target: Drawing["target"], referenceId: string, label: number | null = null): Mix {
  const others = isRegion(target) ? withoutRegion(mix.drawings, target) : mix.drawings.filter((one) => !sameTarget(one.target, target));
  const own = referenceId === "" && label === null;
  // Nothing needs to be said where the photo itself is what is drawn from anyway.
  const needed = !own || (isRegion(target) && others.some((one) => !isRegion(one.target)));
  const drawing = { id: newId("drawing"), target, referenceId, label };
  // Labels come before regions: what is said about a region is the more particular.
  const at = isRegion(target) ? others.length : others.findIndex((one) => isRegion(one.target));
  const next = [...others];
  if (needed) next.splice(at < 0 ? others.length : at, 0, drawing);
  return { ...mix, drawings: next };
}

function withoutRegion(drawings: readonly Drawing[], region: Mask): Drawing[] {
  return drawings.flatMap((one) => {
    if (!isRegion(one.target) || isEmpty(intersect(one.target.bounds, region.bounds))) return [one];
    const target = combined(one.target, region, "subtract");
    return isEmpty(target.bounds) ? [] : [{ ...one, target }];
  });
}

export function withoutDrawing(mix: Mix, id: string): Mix {
  return { ...mix, drawings: mix.drawings.filter((one) => one.id !== id) };
}

/** Without a placement: its labels stay in the layout, and are filled from the photo itself. */
export function withoutPlacement(mix: Mix, id: string): Mix {
  return { ...mix, placements: mix.placements.filter((one) => one.id !== id) };
}

/** Without a second photo and all that drew from it. */
export function withoutReference(mix: Mix, id: string): Mix {
  return {
    references: mix.references.filter((one) => one.id !== id),
    placements: mix.placements.filter((one) => one.referenceId !== id),
    drawings: mix.drawings.filter((one) => one.referenceId !== id),
  };
}

/** How many drawings and placements take from a reference. */
export function uses(mix: Mix, id: string): number {
  return [...mix.drawings, ...mix.placements].filter((one) => one.referenceId === id).length;
}

/** Where all of a reference lies when `placement.source` lies on `placement.target`. */
export function placeOf({ source, target }: Placement, extent: Extent): Rect | null {
  const [sx, sy] = [target.width / source.width, target.height / source.height];
  const place = {
    x: Math.round(target.x - source.x * sx),
    y: Math.round(target.y - source.y * sy),
    width: Math.max(1, Math.round(extent.width * sx)),
    height: Math.max(1, Math.round(extent.height * sy)),
  };
  return Math.max(place.width, place.height) > LARGEST_PLACE ? null : place;
}

/** The placed region on the photo, as far as the edited map still has its label there. */
function landed({ source, target, mask, label, mirrored }: Placement, edited: LabelMap): Mask {
  const bounds = intersect(target, whole(edited));
  const data = new Uint8Array(bounds.width * bounds.height);
  for (let row = 0, to = 0; row < bounds.height; row++) {
    const sy = sampled(bounds.y + row - target.y, target.height, source.height);
    for (let column = 0; column < bounds.width; column++, to++) {
      const sx = sampled(bounds.x + column - target.x, target.width, source.width);
      const from = sy * source.width + (mirrored ? source.width - 1 - sx : sx);
      const here = edited.ids[(bounds.y + row) * edited.width + bounds.x + column];
      data[to] = mask[from] && here === label ? 1 : 0;
    }
  }
  return trimmed({ bounds, data });
}

const mirrors = new WeakMap<Reference, Reference>();

/** The same photo with left and right changed over, under a name of its own. */
export function mirrored(reference: Reference): Reference {
  const known = mirrors.get(reference);
  if (known) return known;
  const { photo, labels } = reference;
  const { width, height } = photo;
  const from = new Uint32Array(photo.pixels.buffer.slice(photo.pixels.byteOffset, photo.pixels.byteOffset + photo.pixels.byteLength));
  const to = new Uint32Array(from.length);
  const ids = new Uint8Array(labels.ids.length);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = width - 1; x >= 0; x--, at++) {
      to[at] = from[y * width + x]!;
      ids[at] = labels.ids[y * width + x]!;
    }
  }
  const pixels = new Uint8ClampedArray(to.buffer);
  const made = { id: `${reference.id}-m`, photo: { ...photo, pixels, file: null }, labels: { ...labels, ids } };
  mirrors.set(reference, made);
  return made;
}

function placed(placement: Placement, reference: Reference, edited: LabelMap): Source | null {
  const target = landed(placement, edited);
  if (isEmpty(target.bounds)) return null;
  const { source, mask, label } = placement;
  if (!placement.mirrored) {
    return { target, reference, label, part: { bounds: source, data: mask }, place: placeOf(placement, reference.photo) };
  }
  const bounds = { ...source, x: reference.photo.width - source.x - source.width };
  const data = new Uint8Array(mask.length);
  for (let i = 0; i < mask.length; i++) {
    const column = i % source.width;
    data[i] = mask[i - column + source.width - 1 - column]!;
  }
  const place = placeOf({ ...placement, source: bounds }, reference.photo);
  return { target, reference: mirrored(reference), label, part: { bounds, data }, place };
}

/** True where a region has pixels left, or a label is in the map at all. */
function alive({ target }: Drawing, edited: LabelMap): boolean {
  return isRegion(target) ? !isEmpty(target.bounds) : edited.ids.includes(target.label);
}

/**
 * The sources of a render of `edited`, labels first, then what was placed, then regions: where they overlap, the last one
 * fills. What has no pixel left in the map is left out.
 */
export function sourcesOf(mix: Mix, edited: LabelMap): Source[] {
  const references = new Map(mix.references.map((one) => [one.id, one]));
  const drawings = mix.drawings.flatMap((one): Source[] => {
    const reference = references.get(one.referenceId) ?? null;
    if ((one.referenceId && !reference) || !alive(one, edited)) return [];
    return [{ target: isRegion(one.target) ? one.target : one.target.label, reference, label: one.label, part: null, place: null }];
  });
  const placements = mix.placements.flatMap((one) => {
    const reference = references.get(one.referenceId);
    return (reference && placed(one, reference, edited)) ?? [];
  });
  const labels = drawings.filter(({ target }) => typeof target === "number");
  return [...labels, ...placements, ...drawings.filter(({ target }) => typeof target !== "number")];
}

const contents = new WeakMap<LabelMap, readonly number[]>();

/** The labels of a map, the commonest first; UNKNOWN isn't one. */
export function labelsIn(map: LabelMap): readonly number[] {
  const known = contents.get(map);
  if (known) return known;
  const counts = new Float64Array(UNKNOWN);
  for (const id of map.ids) if (id !== UNKNOWN) counts[id]!++;
  const found = [...counts.keys()].filter((id) => counts[id]! > 0).sort((a, b) => counts[b]! - counts[a]!);
  contents.set(map, found);
  return found;
}

/** The drawing of just this region, if there is one. */
export function drawingOfRegion(mix: Mix, region: Mask): Drawing | null {
  const same = ({ target }: Drawing) =>
    isRegion(target) && sameRect(target.bounds, region.bounds) && target.data.every((value, i) => !value === !region.data[i]);
  return mix.drawings.find(same) ?? null;
}
