/** Boxes and their drafts: places, order, looks, files; and that the newest boxes win. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BackendError } from "../src/io/backend";
import { Board } from "../src/model/board";
import { between, boxAt, boxesFile, boxesFrom, boxesLayout, newLook, reordered, shifted, stretchedBy, type Box } from "../src/model/boxes";
import { layLayout, underLayout } from "../src/model/handover";
import { pixelsAt } from "../src/model/resample";
import { Server } from "../src/model/server";
import { settings } from "../src/model/settings";
import { UNKNOWN } from "../src/model/types";
import { FakeBackend, settle } from "./fake_backend";
import { blobs, document as openDocument, generator, LABELS, photo } from "./helpers";

function box(id: string, x: number, y: number, width: number, height: number, label = "tree", look = 0): Box {
  return { id, x, y, width, height, label, look };
}

describe("boxes", () => {
  it("stay on the board however they are drawn, moved or stretched", () => {
    const next = generator(5);
    const any = () => (next(4000) - 1000) / 2000;
    for (let i = 0; i < 500; i++) {
      let place = between(any(), any(), any(), any());
      place = shifted(place, any(), any());
      place = stretchedBy(place, ["nw", "n", "ne", "e", "se", "s", "sw", "w"][next(8)]!, any(), any());
      const inside = place.x >= 0 && place.y >= 0 && place.x + place.width <= 1 + 1e-12 && place.y + place.height <= 1 + 1e-12;
      expect([inside, place.width > 0.0156, place.height > 0.0156]).toEqual([true, true, true]);
    }
  });

  it("are moved without changing their size, and stretched at the edges that are held", () => {
    const moved = shifted(box("a", 0.5, 0.5, 0.25, 0.125), 0.9, -0.125);
    expect(moved).toEqual({ x: 0.75, y: 0.375, width: 0.25, height: 0.125 });
    expect(stretchedBy(box("a", 0.5, 0.5, 0.25, 0.25), "w", -0.25, 0.7)).toEqual({ x: 0.25, y: 0.5, width: 0.5, height: 0.25 });
  });

  it("are picked out of larger ones, reordered and drawn in their order", () => {
    const boxes = [box("sky", 0, 0, 1, 0.5, "sky"), box("tree", 0.25, 0.25, 0.5, 0.5), box("odd", 0, 0.75, 0.5, 0.25, "unicorn")];
    expect(boxAt(boxes, 0.3, 0.3)!.id).toBe("tree");
    expect(boxAt(boxes, 0.9, 0.9)).toBeNull();
    expect(reordered(boxes, "sky", 1).map(({ id }) => id)).toEqual(["tree", "sky", "odd"]);
    expect(reordered(boxes, "sky", -1)).toBe(boxes);
    expect(newLook(boxes.map((one, look) => ({ ...one, look: look * 2 })))).toBe(5);
    const { ids } = boxesLayout(boxes, LABELS, { width: 4, height: 4 });
    expect([...ids]).toEqual([0, 0, 0, 0, 0, 1, 1, 0, UNKNOWN, 1, 1, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]);
  });

  it("come back from a file, whatever its size", () => {
    const extent = { width: 640, height: 480 };
    const boxes = [box("a", 0.25, 0.5, 0.125, 0.25, "sky", 7), box("b", 0, 0, 1, 1)];
    const found = boxesFrom(JSON.parse(JSON.stringify(boxesFile(boxes, extent))));
    expect(found.extent).toEqual(extent);
    expect(found.boxes.map(({ id: _, ...rest }) => rest)).toEqual(boxes.map(({ id: _, ...rest }) => rest));
    const plain = boxesFrom({ width: 64, height: 64, objects: [{ label: "tree", bbox: [32, 0, 64, 32] }] });
    expect(plain.boxes[0]).toMatchObject({ x: 0.5, y: 0, width: 0.5, height: 0.5, look: 0 });
  });

  it.each<[string, unknown]>([
    ["nothing", null],
    ["no size", { objects: [] }],
    ["no box", { width: 4, height: 4, objects: [{ label: "tree", bbox: [0, 0, 1] }] }],
    ["a box of no size", { width: 4, height: 4, objects: [{ label: "tree", bbox: [0, 0, 0, 1] }] }],
    ["a number as a label", { width: 4, height: 4, objects: [{ label: 3, bbox: [0, 0, 1, 1] }] }],
  ])("are refused in a sentence: %s", (_, json) => {
    expect(() => boxesFrom(json)).toThrow("The file holds no boxes");
  });
});

describe("the board", () => {
  let backend: FakeBackend;
  let board: Board;
  let failures: unknown[];

  beforeEach(async () => {
    vi.useFakeTimers();
    settings.boxLabel.value = "tree";
    backend = new FakeBackend();
    failures = [];
    const server = new Server(backend);
    await server.connect();
    board = new Board(server, (error) => failures.push(error));
  });

  afterEach(() => {
    board.stop();
    vi.useRealTimers();
  });

  const draw = (x: number, label = "tree") => {
    settings.boxLabel.value = label;
    return board.add({ x, y: 0.25, width: 0.25, height: 0.5 })!;
  };

  it("shows each draft as it comes", async () => {
    draw(0);
    const drafting = board.generate();
    const { request, send, finish } = backend.lastDrafts;
    expect(request).toMatchObject({ extent: { width: 512, height: 512 }, count: 8, seed: 0 });
    expect(request.boxes).toEqual([{ label: "tree", look: 0, x: 0, y: 128, width: 128, height: 256 }]);
    send(1);
    send(0);
    expect(board.drafts.value.map(({ index }) => index)).toEqual([0, 1]);
    expect([board.picked.value, board.activity.value !== null]).toEqual([1, true]);
    finish();
    await drafting;
    expect([board.activity.value, board.outdated.value]).toEqual([null, false]);
  });

  it("keeps the looks of boxes that are moved, relabelled or reordered, and changes one on demand", async () => {
    const [a, b] = [draw(0), draw(0.5, "sky")];
    board.change("Move box", board.boxes.value.map((one) => (one.id === a.id ? { ...one, x: 0.2 } : one)));
    board.change("Reorder boxes", reordered(board.boxes.value, b.id, -1));
    void board.generate();
    expect(backend.lastDrafts.request.boxes.map(({ label, look }) => [label, look])).toEqual([["sky", 1], ["tree", 0]]);
    board.relook(a.id);
    void board.generate();
    expect(backend.lastDrafts.request.boxes.map(({ look }) => look)).toEqual([1, 2]);
  });

  it("drafts again when boxes change, and the newest boxes win", async () => {
    board.watch(() => true);
    const a = draw(0);
    await vi.advanceTimersByTimeAsync(1000);
    // The first drafts are asked for by a button.
    expect(backend.draftCalls).toHaveLength(0);
    void board.generate();
    backend.lastDrafts.send(0, 10);
    backend.lastDrafts.finish();
    await settle();
    const edit = board.edit();
    for (let step = 1; step < 5; step++) edit.set([{ ...a, x: step / 10 }]);
    edit.commit("Move box");
    expect(board.outdated.value).toBe(true);
    await vi.advanceTimersByTimeAsync(1000);
    expect(backend.draftCalls).toHaveLength(2);
    const older = backend.lastDrafts;
    draw(0.7);
    await vi.advanceTimersByTimeAsync(1000);
    expect(older.options.signal!.aborted).toBe(true);
    older.send(0, 66);
    expect(board.drafts.value[0]!.picture.pixels[0]).toBe(10);
    backend.lastDrafts.send(0, 77);
    expect(board.drafts.value[0]!.picture.pixels[0]).toBe(77);
    expect(board.history.length.value).toBe(3);
  });

  it("says what came before, so that drafts change only where boxes did; undo brings the same drafts back", async () => {
    const drafted = async () => {
      const drafting = board.generate();
      backend.lastDrafts.finish();
      await drafting;
      return backend.lastDrafts.request.before!.map((layout) => layout.map(({ x }) => x / 512));
    };
    const a = draw(0);
    expect(await drafted()).toEqual([]);
    board.change("Move box", [{ ...a, x: 0.25 }]);
    expect(await drafted()).toEqual([[0]]);
    board.change("Move box", [{ ...a, x: 0.5 }]);
    expect(await drafted()).toEqual([[0], [0.25]]);
    board.history.undo();
    expect(await drafted()).toEqual([[0]]);
    board.history.redo();
    expect(await drafted()).toEqual([[0], [0.25]]);
    // A long walk keeps where it came from.
    for (let step = 1; step <= 20; step++) {
      board.change("Move box", [{ ...a, x: 0.5 + step / 64 }]);
      await drafted();
    }
    const before = await drafted();
    expect([before.length, before[0], before[15]]).toEqual([16, [0], [0.5 + 19 / 64]]);
    // Other seeds, counts and shapes have nothing in common with it.
    board.seed.value = 5;
    expect(await drafted()).toEqual([]);
  });

  it("undoes and redoes; a dragged box is one step", () => {
    const a = draw(0);
    const edit = board.edit();
    edit.set([{ ...a, x: 0.5 }]);
    edit.set([{ ...a, x: 0.6 }]);
    edit.commit("Move box");
    const other = board.edit();
    other.set([]);
    other.cancel();
    expect(board.boxes.value[0]!.x).toBe(0.6);
    board.history.undo();
    expect(board.boxes.value[0]!.x).toBe(0);
    board.history.undo();
    expect([board.boxes.value, board.chosen.value]).toEqual([[], null]);
    board.history.redo();
    board.history.redo();
    expect(board.boxes.value[0]!.x).toBe(0.6);
  });

  it("varies by the seed, and can be cancelled", async () => {
    draw(0);
    board.vary();
    expect(backend.lastDrafts.request.seed).toBe(1);
    backend.lastDrafts.send(0);
    board.cancel();
    await settle();
    expect([backend.lastDrafts.options.signal!.aborted, board.activity.value, failures]).toEqual([true, null, []]);
    expect(board.drafts.value).toHaveLength(1);
  });

  it("says what the server refuses", async () => {
    draw(0);
    const drafting = board.generate();
    backend.lastDrafts.reject(new BackendError("refused", "A label is unknown."));
    await drafting;
    expect([String(failures[0]), board.activity.value]).toEqual(["BackendError: A label is unknown.", null]);
  });

  it("takes no more boxes than the server", () => {
    board.boxes.value = Array.from({ length: 64 }, (_, i) => box(`${i}`, 0, 0, 0.5, 0.5));
    expect(board.add({ x: 0, y: 0, width: 1, height: 1 })).toBeNull();
    expect(String(failures[0])).toContain("64 boxes");
  });

  it("sends boxes that end exactly at the rim", () => {
    board.shape({ width: 333, height: 777 });
    const next = generator(9);
    board.boxes.value = Array.from({ length: 60 }, (_, i) => ({ ...box(`${i}`, 0, 0, 1, 1), ...between(next(999) / 999, next(999) / 999, 1, 1) }));
    void board.generate();
    for (const { x, y, width, height } of backend.lastDrafts.request.boxes) {
      expect(Math.fround(x) + Math.fround(width)).toBe(333);
      expect(Math.fround(y) + Math.fround(height)).toBe(777);
    }
  });
});

describe("a draft's layout", () => {
  it("is laid over a photo's as one step; what it says nothing about stays", () => {
    const document = openDocument(8, 4);
    const before = document.edited.slice();
    expect(layLayout(document, { width: 2, height: 1, ids: Uint8Array.of(4, UNKNOWN) }, "Layout")).toBe(true);
    for (let i = 0; i < 32; i++) expect(document.edited[i]).toBe(i % 8 < 4 ? 4 : before[i]);
    document.history.undo();
    expect([...document.edited]).toEqual([...before]);
  });

  it("is what a found photo shall become", () => {
    const original = blobs(8, 4);
    const document = underLayout(photo(8, 4), original, { width: 1, height: 2, ids: Uint8Array.of(UNKNOWN, 3) }, LABELS);
    expect([...document.edited]).toEqual([...original.ids.subarray(0, 16), ...new Uint8Array(16).fill(3)]);
    expect(document.original).toBe(original);
    expect(document.differs()).toBe(true);
  });

  it("lies under a picture that is enlarged smoothly: corners as they are, between them the mean", () => {
    const small = { bounds: { x: 0, y: 0, width: 2, height: 1 }, pixelExtent: { width: 2, height: 1 } };
    const pixels = Uint8ClampedArray.of(0, 10, 200, 255, 100, 30, 100, 255);
    const found = pixelsAt({ ...small, pixels }, { width: 6, height: 2 });
    const reds = Array.from({ length: 6 }, (_, x) => found[x * 4]);
    expect(reds).toEqual([0, 0, 33, 67, 100, 100]);
    expect(found.subarray(24)).toEqual(found.subarray(0, 24));
    expect(pixelsAt({ ...small, pixels }, { width: 2, height: 1 })).toEqual(pixels);
  });
});
