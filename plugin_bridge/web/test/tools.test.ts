/** The tools' arithmetic against plain forms of the same. */

import { describe, expect, it } from "vitest";
import { intersect, type Point } from "../src/model/geometry";
import { maskAt, NOTHING, type Mask } from "../src/model/selection";
import { contours } from "../src/tools/contour";
import { nearestFeature } from "../src/tools/distance";
import * as edits from "../src/tools/edits";
import { commonestLabel, connectedRegion, labelRegion } from "../src/tools/flood";
import { growPatch, shrinkPatch } from "../src/tools/morph";
import { polygonMask } from "../src/tools/polygon";
import { Stroke } from "../src/tools/stroke";
import { dragged, lifted, stretched } from "../src/tools/transform";
import { blobs, document as openDocument, generator } from "./helpers";

const EXTENT = { width: 23, height: 17 };

function each(extent: { width: number; height: number }, what: (x: number, y: number) => void): void {
  for (let y = 0; y < extent.height; y++) for (let x = 0; x < extent.width; x++) what(x, y);
}

describe("flood fill", () => {
  it("finds what a plain walk finds", () => {
    for (let seed = 0; seed < 30; seed++) {
      const map = blobs(EXTENT.width, EXTENT.height, seed, 2, 2);
      const start = { x: (seed * 7) % EXTENT.width, y: (seed * 5) % EXTENT.height };
      const found = connectedRegion(map, start.x, start.y);
      const id = map.ids[start.y * map.width + start.x];
      const seen = new Set<string>();
      const open = [start];
      while (open.length) {
        const { x, y } = open.pop()!;
        if (x < 0 || y < 0 || x >= map.width || y >= map.height) continue;
        if (seen.has(`${x},${y}`) || map.ids[y * map.width + x] !== id) continue;
        seen.add(`${x},${y}`);
        open.push({ x: x + 1, y }, { x: x - 1, y }, { x, y: y + 1 }, { x, y: y - 1 });
      }
      each(map, (x, y) => expect(maskAt(found, x, y)).toBe(seen.has(`${x},${y}`)));
    }
  });

  it("selects all of a label, and knows the commonest", () => {
    const map = blobs(EXTENT.width, EXTENT.height, 4);
    const all = labelRegion(map, 2);
    each(map, (x, y) => expect(maskAt(all, x, y)).toBe(map.ids[y * map.width + x] === 2));
    expect(commonestLabel(map, all)).toBe(2);
    expect(commonestLabel(map, NOTHING)).toBeNull();
  });
});

describe("polygons", () => {
  it("hold the pixels whose centres they hold", () => {
    const next = generator(11);
    for (let round = 0; round < 60; round++) {
      const corners = Array.from({ length: 3 + next(6) }, () => ({ x: next(300) / 10 - 3, y: next(230) / 10 - 3 }));
      const mask = polygonMask(corners, EXTENT);
      each(EXTENT, (x, y) => expect(maskAt(mask, x, y)).toBe(inPolygon(corners, x + 0.5, y + 0.5)));
    }
  });

  it("cover a box exactly and share no pixel along a common edge", () => {
    const left = polygonMask([{ x: 0, y: 0 }, { x: 4.5, y: 0 }, { x: 4.5, y: 9 }, { x: 0, y: 9 }], EXTENT);
    const right = polygonMask([{ x: 4.5, y: 0 }, { x: 9, y: 0 }, { x: 9, y: 9 }, { x: 4.5, y: 9 }], EXTENT);
    expect(left.bounds).toEqual({ x: 0, y: 0, width: 4, height: 9 });
    expect(right.bounds).toEqual({ x: 4, y: 0, width: 5, height: 9 });
    expect(polygonMask([{ x: 0, y: 0 }, { x: 1, y: 1 }], EXTENT)).toBe(NOTHING);
  });
});

function inPolygon(corners: readonly Point[], x: number, y: number): boolean {
  let inside = false;
  corners.forEach((a, i) => {
    const b = corners[(i + 1) % corners.length]!;
    // The cut lies at or left of the centre, in the same arithmetic.
    if (a.y <= y !== b.y <= y && a.x + ((y - a.y) * (b.x - a.x)) / (b.y - a.y) <= x) inside = !inside;
  });
  return inside;
}

describe("distances", () => {
  it("are exact, and so is the nearest pixel's distance", () => {
    const next = generator(5);
    for (let round = 0; round < 25; round++) {
      const feature = Uint8Array.from({ length: 23 * 17 }, () => (next(30) === 0 ? 1 : 0));
      const { squared, index } = nearestFeature(feature, EXTENT);
      const points = [...feature.keys()].filter((i) => feature[i]);
      each(EXTENT, (x, y) => {
        const off = (i: number) => (x - (i % 23)) ** 2 + (y - Math.floor(i / 23)) ** 2;
        const best = Math.min(...points.map(off));
        const at = y * 23 + x;
        expect(squared[at]).toBe(best);
        if (points.length) expect(off(index[at]!)).toBe(best);
        else expect(index[at]).toBe(-1);
      });
    }
  });
});

describe("growing and shrinking", () => {
  it("are exact against looking at every pair of pixels", () => {
    for (let seed = 0; seed < 12; seed++) {
      const map = blobs(EXTENT.width, EXTENT.height, seed, 3, 4);
      const mask = labelRegion(map, 1);
      for (const radius of [1, 1.5, 2, 3, 4.3]) {
        const [large, small] = [growPatch(map, mask, radius).after, shrinkPatch(map, mask, radius).after];
        const near = (x: number, y: number, inside: boolean) => {
          let found = false;
          each(EXTENT, (u, v) => {
            found ||= maskAt(mask, u, v) === inside && (u - x) ** 2 + (v - y) ** 2 <= radius * radius;
          });
          return found;
        };
        each(EXTENT, (x, y) => {
          const expected = [near(x, y, true), maskAt(mask, x, y) && !near(x, y, false)];
          if (maskAt(large, x, y) !== expected[0] || maskAt(small, x, y) !== expected[1]) expect.fail(`${radius}: ${x}, ${y}`);
        });
      }
    }
  });

  it("hand on the labels of the nearest pixels", () => {
    const map = blobs(EXTENT.width, EXTENT.height, 3, 4, 4);
    const mask = labelRegion(map, 1);
    const { patch: gain, after } = growPatch(map, mask, 3);
    for (let i = 0; i < gain.data.length; i++) if (gain.data[i]) expect(gain.ids[i]).toBe(1);
    each(EXTENT, (x, y) => expect(maskAt(gain, x, y)).toBe(maskAt(after, x, y) && !maskAt(mask, x, y)));
    const { patch: loss } = shrinkPatch(map, mask, 1);
    let lost = 0;
    for (let i = 0; i < loss.data.length; i++) {
      if (!loss.data[i]) continue;
      lost++;
      expect(loss.ids[i]).not.toBe(1);
    }
    expect(lost).toBeGreaterThan(0);
  });
});

describe("what is done to regions", () => {
  it("removes: neighbours' labels, and nothing copied from there", () => {
    const document = openDocument(40, 30, 6);
    const mask = connectedRegion(edits.editedMap(document), 20, 15);
    const id = document.edited[15 * 40 + 20];
    expect(edits.removeRegion(document, mask)).toBe(true);
    each(document.extent, (x, y) => {
      const at = y * 40 + x;
      const inside = maskAt(mask, x, y);
      expect(document.exclude[at]).toBe(inside ? 1 : 0);
      if (inside) expect(document.edited[at]).not.toBe(id);
      else expect(document.edited[at]).toBe(document.original.ids[at]);
    });
    expect(edits.restoreRegion(document, mask)).toBe(true);
    expect(document.differs()).toBe(false);
  });

  it("relabels, merges, and stays inside a limit", () => {
    const document = openDocument(40, 30, 2);
    const all: Mask = { bounds: document.bounds, data: new Uint8Array(1200).fill(1) };
    const half = polygonMask([{ x: 0, y: 0 }, { x: 20, y: 0 }, { x: 20, y: 30 }, { x: 0, y: 30 }], document.extent);
    edits.paintMask(document, all, 4, "Relabel", half);
    each(document.extent, (x, y) => {
      const at = y * 40 + x;
      expect(document.edited[at]).toBe(x < 20 ? 4 : document.original.ids[at]);
    });
    expect(edits.mergeRegions(document, all)).toBe(true);
    expect(new Set(document.edited)).toEqual(new Set([4]));
    document.history.undo();
    document.history.undo();
    expect(document.differs()).toBe(false);
  });
});

describe("strokes", () => {
  const shape = { size: 9, softness: 0 };

  it("cover the pixels whose centres lie within the radius of the line", () => {
    const document = openDocument(50, 40);
    const edit = document.edit();
    const stroke = new Stroke(document, edit, { label: 4 }, shape, NOTHING);
    stroke.add({ x: 10, y: 10, pressure: 1 });
    stroke.add({ x: 40, y: 25, pressure: 1 });
    edit.commit("Brush");
    each(document.extent, (x, y) => {
      const [px, py] = [x + 0.5 - 10, y + 0.5 - 10];
      const along = Math.min(Math.max((px * 30 + py * 15) / (30 * 30 + 15 * 15), 0), 1);
      const inside = Math.hypot(px - along * 30, py - along * 15) <= 4.5;
      expect(document.edited[y * 50 + x]).toBe(inside ? 4 : document.original.ids[y * 50 + x]);
    });
  });

  it("hit the pixel under the pointer at size 1, and stay inside the selection", () => {
    const document = openDocument(20, 20);
    document.original.ids.fill(0);
    document.edited.fill(0);
    const only: Mask = { bounds: { x: 5, y: 5, width: 2, height: 2 }, data: Uint8Array.of(1, 0, 0, 1) };
    const stroke = new Stroke(document, document.edit(), { label: 3 }, { size: 1, softness: 0 }, NOTHING);
    stroke.add({ x: 2.9, y: 7.1, pressure: 1 });
    expect([...document.edited.keys()].filter((i) => document.edited[i])).toEqual([7 * 20 + 2]);
    const limited = new Stroke(document, document.edit(), { label: 4 }, shape, only);
    limited.add({ x: 6, y: 6, pressure: 1 });
    expect([...document.edited.keys()].filter((i) => document.edited[i] === 4)).toEqual([5 * 20 + 5, 6 * 20 + 6]);
  });

  it("break up at a soft edge, the same way however often they pass", () => {
    const once = openDocument(60, 60);
    const twice = openDocument(60, 60);
    for (const [document, passes] of [[once, 1], [twice, 5]] as const) {
      const stroke = new Stroke(document, document.edit(), { label: 4 }, { size: 40, softness: 0.8 }, NOTHING);
      for (let i = 0; i < passes; i++) stroke.add({ x: 30, y: 30, pressure: 1 });
    }
    expect(twice.edited).toEqual(once.edited);
    const painted = (radius: number) => {
      let [count, all] = [0, 0];
      each(once.extent, (x, y) => {
        if (Math.abs(Math.hypot(x - 29.5, y - 29.5) - radius) > 1) return;
        all++;
        count += once.edited[y * 60 + x] === 4 ? 1 : 0;
      });
      return count / all;
    };
    expect(painted(3)).toBe(1);
    expect(painted(12)).toBeGreaterThan(painted(18));
    expect(painted(18)).toBeLessThan(0.5);
  });

  it("bring back the original", () => {
    const document = openDocument(30, 30);
    edits.removeRegion(document, labelRegion(edits.editedMap(document), document.edited[465]!));
    const edit = document.edit();
    const stroke = new Stroke(document, edit, "original", { size: 100, softness: 0 }, NOTHING);
    stroke.add({ x: 15, y: 15, pressure: 1 });
    edit.commit("Restore");
    expect(document.differs()).toBe(false);
  });
});

describe("moving and scaling", () => {
  it("is exact at a patch's own size, mirrored or not, and at whole multiples", () => {
    const map = blobs(EXTENT.width, EXTENT.height, 8, 4, 3);
    const mask = connectedRegion(map, 11, 8);
    const patch = lifted(map, mask);
    const room = { x: -50, y: -50, width: 200, height: 200 };
    const target = { ...patch.bounds, x: -7, y: 3 };
    const same = stretched(patch, target, room);
    expect(same.data).toEqual(patch.data);
    expect(same.ids).toEqual(patch.ids);
    const mirrored = stretched({ ...stretched(patch, target, room, true), bounds: patch.bounds }, target, room, true);
    expect(mirrored.ids).toEqual(patch.ids);
    const { width, height } = patch.bounds;
    const double = stretched(patch, { x: 0, y: 0, width: 2 * width, height: 2 * height }, room);
    each({ width: 2 * width, height: 2 * height }, (x, y) => {
      expect(double.data[y * 2 * width + x]).toBe(patch.data[(y >> 1) * width + (x >> 1)]);
    });
    const cut = { x: 0, y: 4, width: 3, height: 2 };
    expect(stretched(patch, target, cut).bounds).toEqual(intersect(target, cut));
  });

  it("drags handles to whole boxes that never vanish", () => {
    const box = { x: 10, y: 20, width: 40, height: 20 };
    expect(dragged(box, "inside", 2.6, -3.4)).toEqual({ x: 13, y: 17, width: 40, height: 20 });
    expect(dragged(box, "e", 5, 99)).toEqual({ x: 10, y: 20, width: 45, height: 20 });
    expect(dragged(box, "nw", -40, -20)).toEqual({ x: -30, y: 0, width: 80, height: 40 });
    expect(dragged(box, "se", 10, 10, true)).toEqual({ x: 10, y: 20, width: 50, height: 30 });
    expect(dragged(box, "se", 10, 5, true, true)).toEqual({ x: 0, y: 15, width: 60, height: 30 });
    expect(dragged(box, "s", 0, -500)).toEqual({ x: 10, y: 20, width: 40, height: 1 });
  });
});

describe("outlines", () => {
  it("enclose exactly the masked pixels, holes too", () => {
    for (let seed = 0; seed < 20; seed++) {
      const mask = labelRegion(blobs(EXTENT.width, EXTENT.height, seed, 2, 1), 1);
      const loops = contours(mask);
      each(EXTENT, (x, y) => {
        const inside = loops.filter((loop) => inPolygon(loop, x + 0.5, y + 0.5)).length % 2 === 1;
        expect(inside).toBe(maskAt(mask, x, y));
      });
    }
  });
});
