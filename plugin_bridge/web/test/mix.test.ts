/** What a layout draws from: labels, regions, placements; and that undo brings all of it back. */

import { describe, expect, it } from "vitest";
import { drawingOf, drawingOfRegion, drawn, isRegion, labelsIn, mirrored, placeOf, sourcesOf, uses, withoutDrawing, withoutPlacement, withoutReference, type Mix } from "../src/model/mix";
import type { Mask } from "../src/model/selection";
import { UNKNOWN, type LabelMap, type Placement, type Reference } from "../src/model/types";
import { blobs, document as openDocument, photo } from "./helpers";

function reference(id: string, width = 8, height = 6, seed = 3): Reference {
  return { id, photo: { ...photo(width, height), name: `${id}.png` }, labels: blobs(width, height, seed, 3, 2) };
}

function region(x: number, y: number, width: number, height: number): Mask {
  return { bounds: { x, y, width, height }, data: new Uint8Array(width * height).fill(1) };
}

const NO_MIX: Mix = { references: [], placements: [], drawings: [] };
const mix = (change: Partial<Mix> = {}): Mix => ({ ...NO_MIX, references: [reference("a"), reference("b")], ...change });

describe("what labels and regions draw from", () => {
  it("is one thing for each label", () => {
    const once = drawn(mix(), { label: 2 }, "a");
    const twice = drawn(once, { label: 2 }, "b", 1);
    expect(twice.drawings).toHaveLength(1);
    expect(drawingOf(twice, 2)).toMatchObject({ referenceId: "b", label: 1 });
    expect(drawingOf(twice, 1)).toBeNull();
    expect(drawn(twice, { label: 2 }, "").drawings).toEqual([]);
    // Another label of the photo itself is something to say.
    expect(drawn(twice, { label: 2 }, "", 4).drawings).toHaveLength(1);
  });

  it("puts labels before regions, and takes from regions what another region gets", () => {
    const left = drawn(mix(), region(0, 0, 6, 4), "a");
    const both = drawn(drawn(left, region(4, 0, 6, 4), "b"), { label: 1 }, "b");
    expect(both.drawings.map(({ target }) => isRegion(target))).toEqual([false, true, true]);
    const [, first, second] = both.drawings;
    expect(first!.target).toMatchObject({ bounds: { x: 0, y: 0, width: 4, height: 4 } });
    expect(second!.target).toMatchObject({ bounds: { x: 4, y: 0, width: 6, height: 4 } });
    expect(drawingOfRegion(both, region(4, 0, 6, 4))).toBe(second);
    expect(drawingOfRegion(both, region(4, 0, 5, 4))).toBeNull();
    const covered = drawn(both, region(0, 0, 10, 4), "a");
    expect(covered.drawings.filter(({ target }) => isRegion(target))).toHaveLength(1);
  });

  it("lets a region go back to the photo itself, even where its label draws from elsewhere", () => {
    const alone = drawn(drawn(mix(), region(0, 0, 2, 2), "a"), region(0, 0, 2, 2), "");
    expect(alone.drawings).toEqual([]);
    const under = drawn(drawn(mix(), { label: 0 }, "a"), region(0, 0, 2, 2), "");
    expect(under.drawings.map(({ referenceId }) => referenceId)).toEqual(["a", ""]);
  });

  it("goes with its photo", () => {
    const given = drawn(drawn(mix(), { label: 0 }, "a"), { label: 1 }, "b");
    expect([uses(given, "a"), uses(given, "b"), uses(given, "c")]).toEqual([1, 1, 0]);
    const without = withoutReference(given, "a");
    expect(without.references.map(({ id }) => id)).toEqual(["b"]);
    expect(without.drawings.map(({ referenceId }) => referenceId)).toEqual(["b"]);
    expect(withoutDrawing(without, without.drawings[0]!.id).drawings).toEqual([]);
  });
});

describe("the sources of a render", () => {
  const edited: LabelMap = { width: 12, height: 10, ids: new Uint8Array(120).fill(1) };

  it("leave out what has no pixel in the map", () => {
    const given = drawn(drawn(mix(), { label: 1 }, "a"), { label: 2 }, "b");
    const found = sourcesOf(given, edited);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ target: 1, label: null, part: null, place: null });
    expect(found[0]!.reference!.id).toBe("a");
  });

  it("hold placements where the map still has their label, between labels and regions", () => {
    const ids = edited.ids.slice();
    for (let y = 2; y < 6; y++) ids.fill(2, y * 12 + 4, y * 12 + 10);
    ids[2 * 12 + 4] = 0;
    const placement: Placement = {
      ...{ id: "p", referenceId: "a", label: 2, source: { x: 1, y: 1, width: 3, height: 2 } },
      ...{ mask: new Uint8Array(6).fill(1), target: { x: 4, y: 2, width: 6, height: 4 } },
    };
    const given = drawn(drawn(mix({ placements: [placement] }), region(0, 0, 2, 2), "b"), { label: 1 }, "b");
    const found = sourcesOf(given, { ...edited, ids });
    expect(found.map(({ target }) => (typeof target === "number" ? target : target.bounds.x))).toEqual([1, 4, 0]);
    const target = found[1]!.target as Mask;
    expect(target.bounds).toEqual({ x: 4, y: 2, width: 6, height: 4 });
    expect([...target.data].filter((value) => value)).toHaveLength(23);
    expect(found[1]!.part).toMatchObject({ bounds: placement.source });
    // Twice as large both ways: all of the photo lies so that its part lies on the target.
    expect(found[1]!.place).toEqual({ x: 2, y: 0, width: 16, height: 12 });
    const gone = sourcesOf(given, { ...edited, ids: edited.ids });
    expect(gone).toHaveLength(2);
    expect(withoutPlacement(given, "p").placements).toEqual([]);
  });

  it("mirror the photo under a mirrored placement, together with its part", () => {
    const a = reference("a");
    const source = { x: 1, y: 1, width: 3, height: 2 };
    const mask = Uint8Array.of(1, 0, 0, 1, 1, 0);
    const placement = { id: "p", referenceId: "a", label: 1, source, mask, target: { x: 2, y: 2, width: 3, height: 2 }, mirrored: true };
    const [found] = sourcesOf({ ...NO_MIX, references: [a], placements: [placement] }, edited);
    expect(found!.reference).toBe(mirrored(a));
    expect(found!.reference!.id).not.toBe("a");
    expect(found!.part).toEqual({ bounds: { x: 4, y: 1, width: 3, height: 2 }, data: Uint8Array.of(0, 0, 1, 0, 1, 1) });
    expect((found!.target as Mask).bounds).toEqual({ x: 3, y: 2, width: 2, height: 2 });
    expect([...(found!.target as Mask).data]).toEqual([0, 1, 1, 1]);
    // What lies at the part's place in the mirrored photo lies under the target.
    expect(found!.place).toEqual({ x: -2, y: 1, width: 8, height: 6 });
    for (const [x, y] of [[0, 0], [5, 2], [7, 5]] as const) {
      expect(found!.reference!.labels.ids[y * 8 + x]).toBe(a.labels.ids[y * 8 + 7 - x]);
      const [there, here] = [(y * 8 + x) * 4, (y * 8 + 7 - x) * 4];
      expect(found!.reference!.photo.pixels.slice(there, there + 4)).toEqual(a.photo.pixels.slice(here, here + 4));
    }
  });

  it("say no place that no server takes", () => {
    const huge = { id: "p", referenceId: "a", label: 1, source: { x: 0, y: 0, width: 1, height: 1 }, mask: Uint8Array.of(1), target: { x: 0, y: 0, width: 9000, height: 9000 } };
    expect(placeOf(huge, { width: 100, height: 100 })).toBeNull();
  });

  it("know the labels of a photo, the commonest first", () => {
    const ids = Uint8Array.of(3, 3, 3, 0, 0, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, 7);
    expect(labelsIn({ width: 10, height: 1, ids })).toEqual([3, 0, 7]);
  });
});

describe("a document that draws from other photos", () => {
  it("is another state with each change, and differs though its map is the photo's", () => {
    const document = openDocument(20, 10);
    expect(document.differs()).toBe(false);
    const added = { ...document.mix, references: [reference("a")] };
    document.changeMix("Add second photo", added);
    // A photo that nothing draws from changes no picture.
    expect([document.mapState.value, document.differs()]).toEqual([0, false]);
    document.changeMix("Draw from", drawn(document.mix, { label: document.edited[0]! }, "a"));
    expect([document.mapState.value, document.differs()]).toEqual([1, true]);
    expect(document.sources()).toHaveLength(1);
    document.changeMix("Remove second photo", withoutReference(document.mix, "a"));
    expect([document.mapState.value, document.differs()]).toEqual([2, false]);
    expect(document.history.undo()).toBe(true);
    expect([document.mapState.value, document.sources().length]).toEqual([1, 1]);
    document.history.undo();
    document.history.undo();
    expect([document.mapState.value, document.references.value.length]).toEqual([0, 0]);
    for (let i = 0; i < 3; i++) document.history.redo();
    expect([document.mapState.value, document.drawings.value.length]).toEqual([2, 0]);
  });

  it("keeps a photo that comes in while a stroke is drawn", () => {
    const document = openDocument(20, 10);
    const edit = document.edit();
    const rect = { x: 1, y: 1, width: 3, height: 1 };
    edit.touch(rect);
    document.edited.fill(4, 21, 24);
    document.painted(rect);
    document.changeMix("Add second photo", { ...document.mix, references: [reference("a")] });
    edit.cancel();
    expect(document.references.value).toHaveLength(1);
    expect(document.differs()).toBe(false);
  });

  it("keeps all of it in its project", () => {
    const document = openDocument(20, 10);
    document.changeMix("Draw from", drawn({ ...document.mix, references: [reference("a")] }, { label: 1 }, "a", 2));
    const project = document.project();
    expect(project.drawings).toEqual(document.drawings.value);
    expect(project.references).toHaveLength(1);
  });
});
