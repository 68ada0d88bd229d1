/** What is done to selected regions: each function is one step that can be undone, and says whether anything changed. */

import type { Document, Edit } from "../model/document";
import { isEmpty } from "../model/geometry";
import { maskAt, type Mask } from "../model/selection";
import type { LabelMap } from "../model/types";
import { commonestLabel } from "./flood";
import { fillPatch, growPatch, shrinkPatch, type Patch, type Reshaped } from "./morph";

/** The edited map as it is now (not a copy). */
export function editedMap(document: Document): LabelMap {
  return { ...document.extent, ids: document.edited };
}

/** Writes a patch into the map, inside an edit, as far as `limit` (empty: everywhere) lets it. */
export function putPatch(document: Document, edit: Edit, patch: Patch, limit: Mask | null = null): void {
  const { bounds, data, ids } = patch;
  if (isEmpty(bounds)) return;
  edit.touch(bounds);
  for (let row = 0, i = 0; row < bounds.height; row++) {
    let at = (bounds.y + row) * document.extent.width + bounds.x;
    for (let column = 0; column < bounds.width; column++, i++, at++) {
      if (!data[i] || (limit && !maskAt(limit, bounds.x + column, bounds.y + row))) continue;
      document.edited[at] = ids[i]!;
    }
  }
  document.painted(bounds);
}

/** Gives every masked pixel one label; where something is selected, only inside the selection. */
export function paintMask(document: Document, mask: Mask, label: number, name: string, limit: Mask | null = null): boolean {
  const edit = document.edit();
  putPatch(document, edit, { ...mask, ids: new Uint8Array(mask.data.length).fill(label) }, limit);
  return edit.commit(name);
}

/** All masked pixels take the label that most of them have. */
export function mergeRegions(document: Document, mask: Mask): boolean {
  const label = commonestLabel(editedMap(document), mask);
  return label !== null && paintMask(document, mask, label, "Merge regions");
}

/** Calls with the place in the map of each masked pixel. */
function eachMasked({ extent }: Document, { bounds, data }: Mask, what: (at: number) => void): void {
  for (let row = 0, i = 0; row < bounds.height; row++) {
    let at = (bounds.y + row) * extent.width + bounds.x;
    for (let column = 0; column < bounds.width; column++, i++, at++) if (data[i]) what(at);
  }
}

/**
 * Fills the mask with its neighbours' labels. What the photo shows there is thrown away: it is never copied from, so that
 * it doesn't come back elsewhere.
 */
export function removeRegion(document: Document, mask: Mask): boolean {
  if (isEmpty(mask.bounds)) return false;
  const edit = document.edit();
  edit.touch(mask.bounds);
  eachMasked(document, mask, (at) => {
    // Pixels that were painted already don't show what is being removed.
    if (document.edited[at] === document.original.ids[at]) document.exclude[at] = 1;
  });
  putPatch(document, edit, fillPatch(editedMap(document), mask));
  document.painted(mask.bounds);
  return edit.commit("Remove region");
}

/** The map of the photo as it was opened, where masked. */
export function restoreRegion(document: Document, mask: Mask): boolean {
  if (isEmpty(mask.bounds)) return false;
  const edit = document.edit();
  edit.touch(mask.bounds);
  eachMasked(document, mask, (at) => {
    document.edited[at] = document.original.ids[at]!;
    document.exclude[at] = 0;
  });
  document.painted(mask.bounds);
  return edit.commit("Restore region");
}

/** Grows the selected regions by `radius` pixels; what they gain takes their labels. The selection follows. */
export function growRegion(document: Document, mask: Mask, radius: number): boolean {
  return reshape(document, growPatch(editedMap(document), mask, radius), "Grow region");
}

/** Shrinks the selected regions; what they lose takes the neighbours' labels. The selection follows. */
export function shrinkRegion(document: Document, mask: Mask, radius: number): boolean {
  return reshape(document, shrinkPatch(editedMap(document), mask, radius), "Shrink region");
}

function reshape(document: Document, { after, patch }: Reshaped, name: string): boolean {
  const edit = document.edit();
  putPatch(document, edit, patch);
  document.selection.set(after);
  return edit.commit(name);
}
