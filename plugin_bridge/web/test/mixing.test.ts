/** Second photos: taken in, drawn from live, removed; and found ones. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BackendError } from "../src/io/backend";
import type { Document } from "../src/model/document";
import { Finder } from "../src/model/found";
import { Live } from "../src/model/live";
import { Mixing } from "../src/model/mixing";
import { Server } from "../src/model/server";
import { settings } from "../src/model/settings";
import { FakeBackend, settle } from "./fake_backend";
import { document as openDocument, photo } from "./helpers";

describe("second photos", () => {
  let backend: FakeBackend;
  let server: Server;
  let document: Document;
  let live: Live;
  let mixing: Mixing;
  let failures: unknown[];
  let notes: string[];

  const start = async () => {
    server = new Server(backend);
    await server.connect();
    live = new Live(document, server, (message) => failures.push(message));
    const ask = async () => true;
    mixing = new Mixing(document, live, server, { say: () => undefined, note: (text) => notes.push(text), fail: (error) => failures.push(error), ask });
  };

  beforeEach(async () => {
    vi.useFakeTimers();
    settings.live.value = true;
    [failures, notes] = [[], []];
    backend = new FakeBackend();
    document = openDocument(20, 10);
    document.original.ids.fill(1);
    document.edited.fill(1);
    await start();
  });

  afterEach(() => {
    live.close();
    vi.useRealTimers();
  });

  it("are segmented where the first one is, and cost no render until something draws from them", async () => {
    const reference = await mixing.add(photo(6, 4));
    expect(backend.segmented).toEqual([reference!.id]);
    expect(document.references.value).toEqual([reference]);
    expect([mixing.current, mixing.taking.value]).toEqual([reference, null]);
    await settle();
    expect(backend.calls).toHaveLength(0);
    mixing.draw({ label: 1 }, reference!.id, 0);
    await settle();
    expect(backend.last.request.sources).toEqual([{ target: 1, reference, label: 0, part: null, place: null }]);
    backend.last.resolve(9);
    await settle();
    expect(document.layers.value.map((layer) => layer.pixels[0])).toEqual([9]);
  });

  it("go with one step, and come back with it", async () => {
    const reference = await mixing.add(photo(6, 4));
    mixing.draw({ label: 1 }, reference!.id, 0);
    await settle();
    backend.last.resolve(9);
    await settle();
    mixing.remove(reference!.id);
    await settle();
    expect([document.references.value.length, document.layers.value.length]).toEqual([0, 0]);
    document.history.undo();
    await settle();
    // The picture of that state is known; nobody is asked.
    expect(document.layers.value.map((layer) => layer.pixels[0])).toEqual([9]);
    expect(backend.calls).toHaveLength(1);
  });

  it("say which label is taken where the wanted one is missing", async () => {
    const reference = await mixing.add(photo(6, 4));
    mixing.drawLike({ label: 1 }, reference!.id, 1);
    expect(document.drawings.value[0]).toMatchObject({ target: { label: 1 }, label: 0 });
    expect(notes).toEqual(["photo.png has no tree: its sky is drawn from. You can choose another label."]);
    mixing.drawLike({ label: 1 }, "", 1);
    expect(document.drawings.value).toEqual([]);
  });

  it("are refused in a sentence, and nothing has changed", async () => {
    backend.refusal = new BackendError("refused", "The photo is too small.");
    expect(await mixing.add(photo(6, 4))).toBeNull();
    expect([failures, document.history.length.value, mixing.taking.value]).toEqual([[backend.refusal], 0, null]);
    await mixing.addFile(new Blob([]), "nothing.png");
    expect(String(failures[1])).toContain("nothing.png is empty");
  });

  it("can be given up on their way, and say when the server is lost", async () => {
    const adding = mixing.add(photo(6, 4));
    mixing.cancel();
    expect(await adding).toBeNull();
    expect([failures, document.references.value]).toEqual([[], []]);
    backend.offline = true;
    expect(await mixing.add(photo(6, 4))).toBeNull();
    expect([server.link.value, failures.length]).toEqual(["lost", 1]);
  });

  it("bring their labels where the server draws from no other photo", async () => {
    live.close();
    backend.references = false;
    await start();
    const reference = await mixing.add(photo(6, 4));
    expect([backend.segmented, reference!.labels.ids.length]).toEqual([[], 24]);
  });

  it("need no segmentation where their labels are known", async () => {
    const labels = { width: 6, height: 4, ids: new Uint8Array(24).fill(2) };
    const reference = await mixing.add(photo(6, 4), labels);
    expect([backend.segmented, backend.opened, reference!.labels]).toEqual([[], 0, labels]);
  });
});

describe("found photos", () => {
  const one = { name: "a.jpg", score: 0.9, width: 30, height: 20, thumbnail: null };
  let backend: FakeBackend;
  let finder: Finder;
  let failures: unknown[];
  const layout = { width: 2, height: 1, ids: Uint8Array.of(1, 2) };

  beforeEach(() => {
    vi.useFakeTimers();
    backend = new FakeBackend();
    failures = [];
    finder = new Finder(new Server(backend), (error) => failures.push(error));
  });

  afterEach(() => vi.useRealTimers());

  it("are asked for again while the server looks through its folder", async () => {
    backend.findings = { photos: [], pending: 3 };
    await finder.find({ labels: layout, picture: null }, "this layout");
    expect([finder.photos.value, finder.pending.value, finder.layout.value]).toEqual([[], 3, layout]);
    backend.findings = { photos: [one], pending: 0 };
    await vi.advanceTimersByTimeAsync(3000);
    expect([finder.photos.value, finder.pending.value, backend.queries.length]).toEqual([[one], 0, 2]);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(backend.queries).toHaveLength(2);
  });

  it("are fetched by name; a closed strip asks no more", async () => {
    backend.findings = { photos: [one], pending: 1 };
    await finder.find({ labels: layout, picture: null }, "this layout");
    expect((await finder.fetch("a.jpg"))!.photo.name).toBe("a.jpg");
    await finder.find({ labels: layout, picture: null }, "this layout");
    finder.close();
    await vi.advanceTimersByTimeAsync(30_000);
    expect([finder.photos.value, backend.queries.length, failures]).toEqual([null, 2, []]);
  });

  it("that are not there any more are said so", async () => {
    backend.offline = true;
    expect(await finder.fetch("a.jpg")).toBeNull();
    expect(String(failures[0])).toContain("Nobody there");
    expect(finder.activity.value).toBeNull();
  });
});
