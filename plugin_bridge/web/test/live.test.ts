/** Live rendering: the newest stroke wins, undo needs no server, a lost server costs nothing. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BackendError } from "../src/io/backend";
import { Document } from "../src/model/document";
import { Live } from "../src/model/live";
import { Server } from "../src/model/server";
import { settings } from "../src/model/settings";
import { FakeBackend, picture, settle } from "./fake_backend";
import { document as openDocument } from "./helpers";

function paint(document: Document, x: number): void {
  const edit = document.edit();
  const rect = { x, y: 2, width: 1, height: 1 };
  edit.touch(rect);
  document.edited[2 * document.extent.width + x] = 4;
  document.painted(rect);
  edit.commit("Brush");
}

describe("live rendering", () => {
  let backend: FakeBackend;
  let server: Server;
  let document: Document;
  let live: Live;
  const told: string[] = [];

  beforeEach(async () => {
    vi.useFakeTimers();
    told.length = 0;
    settings.live.value = true;
    backend = new FakeBackend();
    server = new Server(backend);
    await server.connect();
    document = openDocument(20, 10);
    document.original.ids.fill(0);
    document.edited.fill(0);
    live = new Live(document, server, (message) => told.push(message));
  });

  afterEach(() => {
    live.close();
    vi.useRealTimers();
  });

  const shown = () => document.layers.value.map((layer) => layer.pixels[0]);

  it("opens once, gives up the older of two, and shows the newer", async () => {
    paint(document, 3);
    await settle();
    const first = backend.last;
    paint(document, 7);
    await settle();
    expect(first.options.signal!.aborted).toBe(true);
    expect(backend.calls).toHaveLength(2);
    expect([backend.last.edited[43], backend.last.edited[47]]).toEqual([4, 4]);
    backend.last.resolve(9);
    await settle();
    expect(shown()).toEqual([9]);
    expect([backend.opened, live.stale.value, live.activity.value]).toEqual([1, false, null]);
    expect(told).toEqual([]);
  });

  it("undoes and redoes without asking again", async () => {
    paint(document, 3);
    await settle();
    backend.last.resolve(1);
    await settle();
    paint(document, 7);
    await settle();
    backend.last.resolve(2);
    await settle();
    document.history.undo();
    await settle();
    expect(shown()).toEqual([1]);
    document.history.undo();
    await settle();
    expect(shown()).toEqual([]);
    document.history.redo();
    document.history.redo();
    await settle();
    expect(shown()).toEqual([2]);
    expect(backend.calls).toHaveLength(2);
  });

  it("shows previews of the newest request only", async () => {
    paint(document, 3);
    await settle();
    const first = backend.last;
    first.options.onEvent!({ type: "preview", kind: "warped", picture: picture(1) });
    expect(live.preview.value?.pixels[0]).toBe(1);
    paint(document, 7);
    await settle();
    first.options.onEvent!({ type: "preview", kind: "warped", picture: picture(5) });
    expect(live.preview.value?.pixels[0]).toBe(1);
    backend.last.resolve(2);
    await settle();
    expect(live.preview.value).toBeNull();
  });

  it("previews what a stroke painted meanwhile, though the pen rests", async () => {
    const edit = document.edit();
    const rect = { x: 3, y: 2, width: 5, height: 1 };
    edit.touch(rect);
    for (let x = 3; x < 8; x++) {
      document.edited[40 + x] = 4;
      live.stroke();
    }
    document.painted(rect);
    await settle();
    expect(backend.calls).toHaveLength(1);
    const [first] = backend.calls;
    first!.options.onEvent!({ type: "preview", kind: "warped", picture: picture(1) });
    await vi.advanceTimersByTimeAsync(200);
    await settle();
    // The first was given up; its end doesn't make room for a third.
    expect(first!.options.signal!.aborted).toBe(true);
    expect(backend.calls).toHaveLength(2);
    live.stroke();
    await vi.advanceTimersByTimeAsync(200);
    expect(backend.calls).toHaveLength(2);
    // Nothing was painted since: the last one is let go on to its result.
    backend.last.options.onEvent!({ type: "preview", kind: "warped", picture: picture(2) });
    await vi.advanceTimersByTimeAsync(200);
    expect(backend.calls).toHaveLength(3);
    backend.last.options.onEvent!({ type: "preview", kind: "warped", picture: picture(3) });
    await vi.advanceTimersByTimeAsync(1000);
    expect(backend.calls).toHaveLength(3);
    expect(backend.last.options.signal!.aborted).toBe(false);
    edit.commit("Brush");
    await settle();
    expect(backend.calls).toHaveLength(4);
    await vi.advanceTimersByTimeAsync(1000);
    expect(backend.calls).toHaveLength(4);
  });

  it("cancels: the map stays, no layer comes", async () => {
    paint(document, 3);
    await settle();
    live.cancel();
    await settle();
    expect(backend.last.options.signal!.aborted).toBe(true);
    expect([live.stale.value, shown().length, document.edited[43]]).toEqual([true, 0, 4]);
    expect(told).toEqual([]);
  });

  it("goes on by itself when a lost server is back", async () => {
    paint(document, 3);
    await settle();
    backend.offline = true;
    backend.last.reject(new BackendError("offline", "Nobody there."));
    await settle();
    expect([server.link.value, live.stale.value]).toEqual(["lost", true]);
    paint(document, 7);
    await settle();
    backend.offline = false;
    await vi.advanceTimersByTimeAsync(30_000);
    await settle();
    expect(server.link.value).toBe("online");
    expect(backend.last.edited[47]).toBe(4);
    backend.last.resolve(6);
    await settle();
    expect(shown()).toEqual([6]);
  });

  it("waits as long as a busy server says", async () => {
    paint(document, 3);
    await settle();
    backend.last.reject(new BackendError("busy", "Full.", 700));
    await settle();
    expect(backend.calls).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(750);
    await settle();
    expect(backend.calls).toHaveLength(2);
  });

  it("says what a server refuses", async () => {
    paint(document, 3);
    await settle();
    backend.last.reject(new BackendError("refused", "The label map is too small."));
    await settle();
    expect(told).toEqual(["The label map is too small."]);
    expect(live.activity.value).toBeNull();
  });

  it("makes variants with another seed and keeps what is pinned", async () => {
    paint(document, 3);
    await settle();
    backend.last.resolve(1);
    await settle();
    const [layer] = document.layers.value;
    document.changeLayers("Keep", [{ ...layer!, kept: true }]);
    live.variant();
    await settle();
    expect(backend.last.request.seed).toBe(1);
    backend.last.resolve(2);
    await settle();
    expect(shown()).toEqual([1, 2]);
  });
});

describe("a project that was painted on and not rendered", () => {
  it("says so, and is rendered when it is opened again", async () => {
    const before = openDocument(20, 10);
    paint(before, 3);
    const backend = new FakeBackend();
    const server = new Server(backend);
    const live = new Live(before, server, () => undefined);
    await settle();
    expect(before.project().outdated).toBe(true);
    live.close();
    const after = Document.of(before.project());
    const again = new Live(after, server, () => undefined);
    await server.connect();
    await settle();
    // One of the first page, given up with it, and one of the second.
    expect(backend.calls.map((call) => call.options.signal!.aborted)).toEqual([true, false]);
    backend.last.resolve(3);
    await settle();
    expect([after.layers.value.length, "outdated" in after.project()]).toEqual([1, false]);
    again.close();
  });
});
