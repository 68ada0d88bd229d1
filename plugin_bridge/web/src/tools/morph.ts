/** Regions grown, shrunk and removed, and the labels that the pixels get which change hands. */

import { grown, intersect, isEmpty, whole, type Extent, type Rect } from "../model/geometry";
import { cropped, NOTHING, trimmed, type Mask } from "../model/selection";
import type { LabelMap } from "../model/types";
import { nearestFeature } from "./distance";

/** Pixels within `radius` (Euclidean, between centres) of the mask, the mask's own included. */
export function dilated(mask: Mask, radius: number, extent: Extent): Mask {
  if (isEmpty(mask.bounds)) return NOTHING;
  const bounds = intersect(grown(mask.bounds, Math.ceil(radius)), whole(extent));
  const { data } = cropped(mask, bounds);
  const { squared } = nearestFeature(data, bounds);
  const out = new Uint8Array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = squared[i]! <= radius * radius ? 1 : 0;
  return trimmed({ bounds, data: out });
}

/** Pixels of the mask farther than `radius` from every pixel of the photo outside it; the photo's edge is no outside. */
export function eroded(mask: Mask, radius: number, extent: Extent): Mask {
  if (isEmpty(mask.bounds)) return NOTHING;
  const bounds = intersect(grown(mask.bounds, 1), whole(extent));
  const { data } = cropped(mask, bounds);
  const { squared } = nearestFeature(inverted(data), bounds);
  const out = new Uint8Array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = squared[i]! > radius * radius ? 1 : 0;
  return trimmed({ bounds, data: out });
}

export function inverted(data: Uint8Array): Uint8Array {
  return data.map((value) => (value ? 0 : 1));
}

/** Part of a label map: bounds.width x bounds.height ids, and which of them count. */
export interface Patch extends Mask {
  readonly ids: Uint8Array;
}

/** A region's label on every pixel that it gains by growing: that of its nearest own pixel. Nothing: it can't grow. */
export function growPatch(map: LabelMap, mask: Mask, radius: number): Patch {
  const after = dilated(mask, radius, map);
  const { bounds } = after;
  if (isEmpty(bounds)) return { ...NOTHING, ids: new Uint8Array(0) };
  const own = cropped(mask, bounds).data;
  const data = new Uint8Array(own.length);
  for (let i = 0; i < data.length; i++) data[i] = after.data[i] && !own[i] ? 1 : 0;
  return { bounds, data, ids: nearestIds(map, bounds, own) };
}

/** The neighbours' labels on every pixel of `lost`: that of the nearest pixel outside `from` (which holds `lost`). */
export function fillPatch(map: LabelMap, lost: Mask, from: Mask = lost): Patch {
  const bounds = intersect(grown(from.bounds, 1), whole(map));
  if (isEmpty(bounds) || isEmpty(lost.bounds)) return { ...NOTHING, ids: new Uint8Array(0) };
  const outside = inverted(cropped(from, bounds).data);
  return { bounds, data: cropped(lost, bounds).data, ids: nearestIds(map, bounds, outside) };
}

/** What a region loses by shrinking, with the neighbours' labels on it. */
export function shrinkPatch(map: LabelMap, mask: Mask, radius: number): Patch {
  const after = eroded(mask, radius, map);
  const kept = cropped(after, mask.bounds).data;
  const data = new Uint8Array(kept.length);
  for (let i = 0; i < data.length; i++) data[i] = mask.data[i] && !kept[i] ? 1 : 0;
  return fillPatch(map, { bounds: mask.bounds, data }, mask);
}

/** For each pixel of `bounds` the id of the nearest one where `feature` is not 0; its own where there is none. */
function nearestIds(map: LabelMap, bounds: Rect, feature: Uint8Array): Uint8Array {
  const { index } = nearestFeature(feature, bounds);
  const ids = new Uint8Array(index.length);
  for (let i = 0; i < ids.length; i++) {
    const at = index[i]! < 0 ? i : index[i]!;
    const row = Math.floor(at / bounds.width);
    ids[i] = map.ids[(bounds.y + row) * map.width + bounds.x + (at - row * bounds.width)]!;
  }
  return ids;
}
