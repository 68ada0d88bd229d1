/** Deltas, history, layers, results, selection masks: what undo and the stack promise. */

import { describe, expect, it } from "vitest";
import { compositeInto } from "../src/model/composite";
import { applyDelta, decodeRuns, encodeRuns, Recorder, TILE } from "../src/model/delta";
import { Document } from "../src/model/document";
import { layerOf, liveLayer, moved, nextName, withLive } from "../src/model/layers";
import { anySet, sameBytes } from "../src/model/planes";
import { Results } from "../src/model/results";
import { combined, cropped, maskAt, trimmed, type Mask } from "../src/model/selection";
import type { Photo, RenderResult } from "../src/model/types";
import { document as openDocument, generator, photo, same } from "./helpers";

function result(x: number, y: number, width: number, height: number, value: number): RenderResult {
  return {
    bounds: { x, y, width, height },
    pixels: new Uint8ClampedArray(width * height * 4).fill(value),
    pixelExtent: { width, height },
    mask: new Uint8Array(width * height).fill(255),
    timings: {},
  };
}

describe("run lengths", () => {
  it("give back every array", () => {
    const next = generator(1);
    for (let round = 0; round < 200; round++) {
      const values = Uint8Array.from({ length: next(700) + 1 }, () => (next(4) === 0 ? next(256) : 0));
      expect(decodeRuns(encodeRuns(values), values.length)).toEqual(values);
    }
    expect(decodeRuns(encodeRuns(new Uint8Array(1000).fill(7)), 1000)).toEqual(new Uint8Array(1000).fill(7));
  });
});

describe("recorder", () => {
  it("makes a delta that leads to and fro, and is small", () => {
    const extent = { width: 500, height: 333 };
    const plane = new Uint8Array(500 * 333).fill(3);
    const before = plane.slice();
    const recorder = new Recorder(plane, extent);
    const rect = { x: 100, y: 90, width: 120, height: 60 };
    recorder.touch(rect);
    for (let y = 90; y < 150; y++) plane.fill(9, y * 500 + 100, y * 500 + 220);
    const after = plane.slice();
    const delta = recorder.finish()!;
    expect(delta.bounds).toEqual(rect);
    expect(delta.bytes).toBeLessThan(3000);
    applyDelta(plane, extent, delta);
    expect(same(plane, before)).toBe(true);
    applyDelta(plane, extent, delta);
    expect(same(plane, after)).toBe(true);
    expect(recorder.was(100, 90)).toBe(3);
  });

  it("reverts, and finds nothing where nothing changed", () => {
    const plane = Uint8Array.from({ length: TILE * 3 * 10 }, (_, i) => i & 255);
    const before = plane.slice();
    const recorder = new Recorder(plane, { width: TILE * 3, height: 10 });
    recorder.touch({ x: -5, y: -5, width: 1000, height: 1000 });
    plane.fill(0);
    recorder.revert();
    expect(plane).toEqual(before);
    expect(recorder.finish()).toBeNull();
  });
});

describe("document", () => {
  it("undoes and redoes any sequence of edits exactly, however they mix", () => {
    const next = generator(7);
    const document = openDocument(150, 100);
    const states: [Uint8Array, Uint8Array][] = [[document.edited.slice(), document.exclude.slice()]];
    let at = 0;
    for (let round = 0; round < 300; round++) {
      const what = next(4);
      if (what < 2) {
        const edit = document.edit();
        const rect = { x: next(140), y: next(90), width: next(30) + 1, height: next(30) + 1 };
        edit.touch(rect);
        const plane = next(3) ? document.edited : document.exclude;
        for (let y = rect.y; y < Math.min(rect.y + rect.height, 100); y++) {
          for (let x = rect.x; x < Math.min(rect.x + rect.width, 150); x++) plane[y * 150 + x] = next(5);
        }
        if (next(5) === 0) edit.cancel();
        else if (edit.commit("Edit")) {
          states.length = ++at;
          states.push([document.edited.slice(), document.exclude.slice()]);
        }
      } else if (what === 2) at -= document.history.undo() ? 1 : 0;
      else at += document.history.redo() ? 1 : 0;
      expect(same(document.edited, states[at]![0])).toBe(true);
      expect(same(document.exclude, states[at]![1])).toBe(true);
    }
  });

  it("names states of the map: undo leads back to the same number", () => {
    const document = openDocument(40, 40);
    const paint = (value: number) => {
      const edit = document.edit();
      edit.touch(document.bounds);
      document.edited.fill(value);
      return edit.commit("Paint");
    };
    expect(paint(5)).toBe(true);
    const first = document.mapState.value;
    paint(6);
    document.history.undo();
    expect(document.mapState.value).toBe(first);
    document.history.undo();
    expect(document.mapState.value).toBe(0);
    expect(document.differs()).toBe(false);
    paint(7);
    expect(document.mapState.value).not.toBe(first);
    expect(document.history.redoName.value).toBeNull();
  });

  it("gives a project that later edits leave alone, and comes back from it", () => {
    const document = openDocument(30, 20);
    const project = document.project();
    document.edited.fill(9);
    expect(project.edited.ids).toEqual(document.original.ids);
    expect(project.exclude).toBeNull();
    document.exclude[3] = 1;
    const again = Document.of(document.project());
    expect(again.edited).toEqual(document.edited);
    expect(again.exclude[3]).toBe(1);
  });

  it("undoes what is done to layers", () => {
    const document = openDocument(30, 20);
    const layer = { ...layerOf(result(2, 2, 5, 5, 10), "Result 1", 0), kept: true };
    document.changeLayers("Keep", [layer]);
    document.changeLayers("Drop", []);
    document.history.undo();
    expect(document.layers.value).toEqual([layer]);
    document.history.undo();
    expect(document.layers.value).toEqual([]);
    document.history.redo();
    expect(document.layers.value).toEqual([layer]);
  });
});

describe("layers", () => {
  it("hold one live layer, on top", () => {
    const kept = { ...layerOf(result(0, 0, 1, 1, 1), "Result 1", 0), kept: true };
    const live = layerOf(result(0, 0, 1, 1, 2), "Result 2", 0);
    const stack = withLive(withLive([kept], layerOf(result(0, 0, 1, 1, 3), "x", 0)), live);
    expect(stack).toEqual([kept, live]);
    expect(liveLayer(stack)).toBe(live);
    expect(nextName([kept])).toBe("Result 2");
    expect(moved(stack, kept.id, 1)).toBe(stack);
    const second = { ...live, kept: true };
    expect(moved([kept, second], kept.id, 1)).toEqual([second, kept]);
  });

  it("lie on the photo to the bit, at offsets outside it too, through their masks", () => {
    const base: Photo = photo(8, 6);
    const whole = { x: 0, y: 0, width: 8, height: 6 };
    const out = new Uint8ClampedArray(8 * 6 * 4);
    const layer = layerOf(result(-2, 4, 5, 5, 77), "Result 1", 0);
    layer.mask.fill(0, 0, 3);
    compositeInto(base, [layer], whole, out);
    for (let y = 0; y < 6; y++) {
      for (let x = 0; x < 8; x++) {
        const at = (y * 8 + x) * 4;
        const covered = x < 3 && y >= 4 && !(y === 4 && x + 2 < 3);
        const expected = covered ? [77, 77, 77] : [...base.pixels.slice(at, at + 3)];
        expect([...out.slice(at, at + 3)]).toEqual(expected);
      }
    }
    compositeInto(base, [{ ...layer, visible: false }], whole, out);
    expect(out).toEqual(base.pixels);
  });

  it("mix half-covered pixels by rounding", () => {
    const base: Photo = { ...photo(1, 1), pixels: Uint8ClampedArray.of(100, 0, 255, 255) };
    const layer = layerOf({ ...result(0, 0, 1, 1, 200), mask: Uint8Array.of(128) }, "Result 1", 0);
    const out = new Uint8ClampedArray(4);
    compositeInto(base, [layer], { x: 0, y: 0, width: 1, height: 1 }, out);
    expect([...out]).toEqual([150, 100, 227, 255]);
  });
});

describe("planes", () => {
  it("are compared to the last byte, wherever they lie in memory", () => {
    for (let length = 0; length < 14; length++) {
      for (const [offset, other] of [[0, 0], [1, 1], [3, 0], [2, 5]] as const) {
        const a = new Uint8Array(new ArrayBuffer(32), offset, length);
        const b = new Uint8Array(new ArrayBuffer(32), other, length);
        expect([anySet(a), sameBytes(a, b)]).toEqual([false, true]);
        for (let i = 0; i < length; i++) {
          a[i] = 5;
          expect([anySet(a), sameBytes(a, b)]).toEqual([true, false]);
          a[i] = 0;
        }
      }
    }
    expect(sameBytes(new Uint8Array(3), new Uint8Array(4))).toBe(false);
  });
});

describe("results", () => {
  it("forget those not asked for the longest", () => {
    const layers = [1, 2, 3].map((value) => layerOf(result(0, 0, 10, 10, value), `${value}`, 0));
    const results = new Results(1100);
    results.set("a", layers[0]!);
    results.set("b", layers[1]!);
    expect(results.get("a")).toBe(layers[0]);
    results.set("c", layers[2]!);
    expect(results.get("b")).toBeNull();
    expect(results.get("a")).toBe(layers[0]);
    expect(results.get("c")).toBe(layers[2]);
  });
});

describe("masks", () => {
  const next = generator(3);
  const random = (): Mask => {
    const bounds = { x: next(6), y: next(6), width: next(5) + 1, height: next(5) + 1 };
    return { bounds, data: Uint8Array.from({ length: bounds.width * bounds.height }, () => next(2)) };
  };

  it("combine pixel by pixel", () => {
    for (let round = 0; round < 200; round++) {
      const [a, b] = [random(), random()];
      const rules = {
        replace: (_: boolean, q: boolean) => q,
        add: (p: boolean, q: boolean) => p || q,
        subtract: (p: boolean, q: boolean) => p && !q,
        intersect: (p: boolean, q: boolean) => p && q,
      };
      for (const how of ["replace", "add", "subtract", "intersect"] as const) {
        const mask = combined(a, b, how);
        for (let y = -1; y < 13; y++) {
          for (let x = -1; x < 13; x++) {
            if (maskAt(mask, x, y) !== rules[how](maskAt(a, x, y), maskAt(b, x, y))) expect.fail(`${how} at ${x}, ${y}`);
          }
        }
      }
    }
  });

  it("are trimmed to what they hold", () => {
    const mask = cropped({ bounds: { x: 4, y: 5, width: 1, height: 1 }, data: Uint8Array.of(1) }, { x: 0, y: 0, width: 9, height: 9 });
    expect(trimmed(mask).bounds).toEqual({ x: 4, y: 5, width: 1, height: 1 });
    expect(trimmed({ ...mask, data: new Uint8Array(81) }).bounds.width).toBe(0);
  });
});
