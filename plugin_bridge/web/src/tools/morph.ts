/** Regions grown, shrunk and removed, and the labels that the pixels get which change hands. */

import { grown, intersect, isEmpty, whole, type Rect } from "../model/geometry";
import { cropped, NOTHING, trimmed, type Mask } from "../model/selection";
import type { LabelMap } from "../model/types";
import { nearestFeature } from "./distance";

/** Part of a label map: bounds.width x bounds.height ids, and which of them count. */
export interface Patch extends Mask {
  readonly ids: Uint8Array;
}

/** A region that became larger or smaller, and what that does to the map. */
export interface Reshaped {
  readonly after: Mask;
  readonly patch: Patch;
}

const NO_PATCH: Patch = { ...NOTHING, ids: new Uint8Array(0) };

/**
 * The region with the pixels within `radius` (Euclidean, between centres); its label on every pixel that it gains: that of its
 * nearest own pixel.
 */
export function growPatch(map: LabelMap, mask: Mask, radius: number): Reshaped {
  if (isEmpty(mask.bounds)) return { after: NOTHING, patch: NO_PATCH };
  const bounds = intersect(grown(mask.bounds, Math.ceil(radius)), whole(map));
  const { data: own } = cropped(mask, bounds);
  const { squared, index } = nearestFeature(own, bounds);
  const after = new Uint8Array(own.length);
  const gained = new Uint8Array(own.length);
  for (let i = 0; i < own.length; i++) {
    after[i] = squared[i]! <= radius * radius ? 1 : 0;
    gained[i] = after[i] && !own[i] ? 1 : 0;
  }
  return { after: trimmed({ bounds, data: after }), patch: { bounds, data: gained, ids: idsAt(map, bounds, index) } };
}

/**
 * The region's pixels farther than `radius` from every pixel of the photo outside it (the photo's edge is no outside); on those
 * that it loses the neighbours' labels: that of the nearest pixel outside.
 */
export function shrinkPatch(map: LabelMap, mask: Mask, radius: number): Reshaped {
  if (isEmpty(mask.bounds)) return { after: NOTHING, patch: NO_PATCH };
  const bounds = intersect(grown(mask.bounds, 1), whole(map));
  const outside = inverted(cropped(mask, bounds).data);
  const { squared, index } = nearestFeature(outside, bounds);
  const after = new Uint8Array(outside.length);
  const lost = new Uint8Array(outside.length);
  for (let i = 0; i < outside.length; i++) {
    after[i] = squared[i]! > radius * radius ? 1 : 0;
    lost[i] = after[i] || outside[i] ? 0 : 1;
  }
  return { after: trimmed({ bounds, data: after }), patch: { bounds, data: lost, ids: idsAt(map, bounds, index) } };
}

function inverted(data: Uint8Array): Uint8Array {
  return data.map((value) => (value ? 0 : 1));
}

/** The neighbours' labels on every pixel of a region: that of the nearest pixel outside. */
export function fillPatch(map: LabelMap, lost: Mask): Patch {
  if (isEmpty(lost.bounds)) return NO_PATCH;
  const bounds = intersect(grown(lost.bounds, 1), whole(map));
  const { data } = cropped(lost, bounds);
  return { bounds, data, ids: idsAt(map, bounds, nearestFeature(inverted(data), bounds).index) };
}

/** The ids at these places of `bounds`; a pixel's own where there is none. */
function idsAt(map: LabelMap, bounds: Rect, index: Int32Array): Uint8Array {
  const ids = new Uint8Array(index.length);
  for (let i = 0; i < ids.length; i++) {
    const at = index[i]! < 0 ? i : index[i]!;
    const row = Math.floor(at / bounds.width);
    ids[i] = map.ids[(bounds.y + row) * map.width + bounds.x + (at - row * bounds.width)]!;
  }
  return ids;
}
