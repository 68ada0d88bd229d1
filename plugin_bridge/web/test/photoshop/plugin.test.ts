/**
 * The built plug-in in an engine as bare as UXP's, against a running gateway. `tests/hosts/photoshop` builds the one, starts
 * the other, and names it in LAYOUTBRUSH_GATEWAY.
 */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { Window } from "happy-dom";
import { beforeEach, describe, expect, it } from "vitest";

import { connectBackend } from "../../src/io/connect_backend";
import type { Photo } from "../../src/model/types";
import { noise } from "../io/sample_project";
import { MockPhotoshop, type MockLayer, type Realm } from "./mock";

const GATEWAY = process.env["LAYOUTBRUSH_GATEWAY"] ?? "";
const SLOW = process.env["LAYOUTBRUSH_SLOW_GATEWAY"] ?? "";
const SCRIPT = join(import.meta.dirname, "../../../hosts/photoshop/dist/index.js");
const [WIDTH, HEIGHT] = [131, 97];
/** The photo lies within the canvas, at an odd place. */
const BOUNDS = { left: 5, top: 3, right: 5 + 119, bottom: 3 + 89 };

interface Options {
  /** The host's fetch lets a body be read piece by piece. */
  readonly streams?: boolean;
}

/** Photoshop with the panel open. */
class Bench {
  readonly photoshop: MockPhotoshop;
  readonly root: HTMLElement;
  readonly seen: string[] = [];
  readonly memory = new Map<string, string>();
  /** Answers nothing while true. */
  down = false;
  /** Called with the name of each call that is made. */
  watch: (call: string) => void = () => undefined;

  constructor(options: Options = {}) {
    const context = createContext({ setTimeout, clearTimeout, outer: this.fetch.bind(this) });
    // Errors of this realm, so that they are what the plug-in expects.
    runInContext(
      `var fetch = async (address, init) => {
        try { return await outer(address, init); } catch (error) { throw new TypeError(error.message); }
      };`,
      context,
    );
    if (options.streams) Object.assign(context, { ReadableStream, Response, AbortController, AbortSignal });
    this.photoshop = new MockPhotoshop(runInContext("({ Uint8Array, Uint16Array })", context) as Realm);
    const window = new Window();
    this.root = window.document.createElement("div") as unknown as HTMLElement;
    const panels: Record<string, { show(root: HTMLElement): void }> = {};
    const uxp = { entrypoints: { setup: (given: { panels: typeof panels }) => Object.assign(panels, given.panels) } };
    const modules: Record<string, unknown> = { photoshop: this.photoshop, uxp };
    const localStorage = {
      getItem: (key: string) => this.memory.get(key) ?? null,
      setItem: (key: string, value: string) => this.memory.set(key, value),
    };
    Object.assign(context, { require: (name: string) => modules[name], localStorage, exports: {}, module: {} });
    runInContext(readFileSync(SCRIPT, "utf8"), context);
    this.start = () => panels["layoutbrush"]!.show(this.root);
  }

  readonly start: () => void;

  private async fetch(address: string, init: RequestInit): Promise<unknown> {
    this.seen.push(new URL(address).pathname.split("/").at(-1)!);
    this.watch(this.seen.at(-1)!);
    if (this.down) throw new TypeError("Network request failed");
    const response = await fetch(address, { ...init, body: new Uint8Array(init.body as ArrayBuffer).slice() });
    if (this.streaming) return response;
    // No body to read from: all at once.
    return { ok: response.ok, status: response.status, headers: response.headers, arrayBuffer: () => response.arrayBuffer() };
  }

  streaming = false;

  element<T extends HTMLElement>(id: string): T {
    return this.root.querySelector(`#${id}`) as T;
  }

  get status(): string {
    return this.element("status").textContent!;
  }

  press(id: string): void {
    this.element<HTMLButtonElement>(id).click();
  }

  /** Presses a button and waits until its work is done. */
  async work(id: string, timeout = 20_000): Promise<string> {
    this.press(id);
    await this.idle(timeout);
    return this.status;
  }

  async idle(timeout = 20_000): Promise<void> {
    await expect.poll(() => this.element<HTMLButtonElement>("generate").disabled, { timeout, interval: 20 }).toBe(false);
  }

  async connect(address = GATEWAY): Promise<string> {
    this.element<HTMLInputElement>("address").value = address;
    return this.work("connect");
  }

  photo(bits: 8 | 16 = 8, channels: 3 | 4 = 3): MockLayer {
    const document = this.photoshop.open(WIDTH, HEIGHT, bits);
    const length = (BOUNDS.right - BOUNDS.left) * (BOUNDS.bottom - BOUNDS.top) * channels;
    const { Uint8Array: Bytes, Uint16Array: Words } = this.photoshop.realm;
    const values = new Bytes(noise(length));
    if (channels === 4) for (let at = 3; at < length; at += 4) values[at] = 255;
    const data = bits === 16 ? new Words(values).map((value) => Math.round((value * 32768) / 255)) : values;
    return document.add("Background", BOUNDS, channels, data);
  }

  /** Paints a label over a rectangle of the label layer, as a brush would. */
  async paint(id: number, left: number, top: number, width: number, height: number, soft = false): Promise<void> {
    this.press(`label-${id}`);
    await expect.poll(() => this.status).toContain("The brush paints");
    const layer = this.layer("Layoutbrush labels");
    const across = layer.bounds.right - layer.bounds.left;
    const scale = layer.data instanceof this.photoshop.realm.Uint16Array ? 32768 / 255 : 1;
    for (let y = top; y < top + height; y++) {
      for (let x = left; x < left + width; x++) {
        const at = ((y - layer.bounds.top) * across + x - layer.bounds.left) * layer.channels;
        const share = soft && (x === left || y === top) ? 0.5 : 1;
        this.photoshop.foreground.forEach((value, channel) => {
          layer.data[at + channel] = Math.round(layer.data[at + channel]! * (1 - share) + value * scale * share);
        });
      }
    }
  }

  layer(name: string): MockLayer {
    return this.photoshop.document!.layers.find((layer) => layer.name === name)!;
  }
}

async function ready(bench: Bench, bits: 8 | 16 = 8, channels: 3 | 4 = 3): Promise<MockLayer> {
  const photo = bench.photo(bits, channels);
  bench.start();
  await bench.connect();
  await bench.work("find");
  return photo;
}

/** What the server makes of the same edit, asked as the web page asks. */
async function expected(photo: MockLayer, seed: number, paint: (ids: Uint8Array, width: number) => void) {
  const [width, height] = [BOUNDS.right - BOUNDS.left, BOUNDS.bottom - BOUNDS.top];
  const pixels = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let i = 0; i < width * height; i++) {
    for (let channel = 0; channel < 3; channel++) pixels[i * 4 + channel] = photo.data[i * photo.channels + channel]!;
  }
  const given: Photo = { name: "photo", width, height, pixels, profile: null, file: null };
  const backend = connectBackend({ address: GATEWAY });
  const original = await backend.segment(given);
  const document = await backend.open(given, original);
  const ids = original.ids.slice();
  paint(ids, width);
  return document.render({ edited: { width, height, ids }, changed: null, exclude: null, seed, previews: [] });
}

describe.skipIf(!GATEWAY || !existsSync(SCRIPT))("the plug-in (built, and LAYOUTBRUSH_GATEWAY names a server)", () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });

  it("tests the connection in a sentence, and remembers the address", async () => {
    bench.photo();
    bench.start();
    expect(await bench.connect()).toMatch(/^Connected: Layoutbrush [\d.]+ on this computer, bundle stand-in 0, 15 labels\.$/);
    expect(bench.memory.get("layoutbrush-server")).toBe(GATEWAY);
    expect(bench.root.querySelectorAll("#palette button").length).toBe(15);
  });

  it("says in a sentence that no server answers", async () => {
    bench.photo();
    bench.start();
    expect(await bench.connect("http://127.0.0.1:9")).toContain("http://127.0.0.1:9 doesn't answer");
    expect(await bench.work("find")).toBe("Connect to a server first.");
  });

  it.each([3, 4] as const)("makes a result that is the server's to the last bit, from %i channels", async (channels) => {
    const photo = await ready(bench, 8, channels);
    const before = photo.data.slice();
    expect(bench.status).toContain("Paint on the layer");
    await bench.paint(4, 40, 60, 30, 20);
    const painted = bench.layer("Layoutbrush labels").data.slice();
    bench.element<HTMLInputElement>("seed").value = "11";
    expect(await bench.work("generate")).toBe("The result is a new layer.");

    const result = bench.layer("Layoutbrush result 1");
    const wanted = await expected(photo, 11, (ids, width) => {
      for (let y = 60; y < 80; y++) ids.fill(4, (y - 3) * width + 35, (y - 3) * width + 65);
    });
    const { x, y, width, height } = wanted.bounds;
    expect(result.bounds).toEqual({ left: x + 5, top: y + 3, right: x + 5 + width, bottom: y + 3 + height });
    expect([...result.data]).toEqual([...wanted.pixels].filter((_, i) => i % 4 < 3));
    const mask = new Uint8Array(WIDTH * HEIGHT);
    for (let row = 0; row < height; row++) {
      mask.set(wanted.mask.subarray(row * width, (row + 1) * width), (y + 3 + row) * WIDTH + x + 5);
    }
    expect([...result.mask!]).toEqual([...mask]);

    const document = bench.photoshop.document!;
    expect(document.layers.map(({ name }) => name)).toEqual(["Layoutbrush labels", "Layoutbrush result 1", "Background"]);
    expect(document.history).toEqual(["Layoutbrush: labels", "Layoutbrush: generate"]);
    expect(document.activeLayers.map(({ name }) => name)).toEqual(["Layoutbrush labels"]);
    expect(photo.data).toEqual(before);
    expect(bench.layer("Layoutbrush labels").data).toEqual(painted);
    expect(bench.photoshop.leaks).toBe(0);
  });

  it("polls where streams are held back, and doesn't send the photo twice", async () => {
    await ready(bench);
    await bench.paint(4, 40, 60, 30, 20);
    await bench.work("generate");
    await bench.paint(4, 30, 60, 30, 20);
    await bench.work("generate");
    expect(bench.layer("Layoutbrush result 2")).toBeDefined();
    expect(bench.seen.filter((name) => name === "OpenDocument").length).toBe(1);
    expect(bench.seen.filter((name) => name === "StartRender").length).toBe(2);
    expect(bench.seen).not.toContain("Render");
  });

  it("streams where it can", async () => {
    bench = new Bench({ streams: true });
    bench.streaming = true;
    await ready(bench);
    await bench.paint(4, 40, 60, 30, 20);
    expect(await bench.work("generate")).toBe("The result is a new layer.");
    expect(bench.seen).toContain("Render");
    expect(bench.seen).not.toContain("StartRender");
  });

  it("works with 16 bit: whole numbers up, exact numbers down", async () => {
    const photo = await ready(bench, 16);
    await bench.paint(4, 40, 60, 30, 20);
    expect(await bench.work("generate")).toBe("The result is a new layer.");
    const result = bench.layer("Layoutbrush result 1");
    expect(result.data).toBeInstanceOf(bench.photoshop.realm.Uint16Array);
    // Outside the mask the result is the photo; here its numbers have an exact place in 8 bit.
    const { left, top, right } = result.bounds;
    const hidden = [...result.mask!.entries()].filter(([i, value]) => {
      const [column, row] = [i % WIDTH, Math.floor(i / WIDTH)];
      return value === 0 && column >= left && column < right && row >= top && row < result.bounds.bottom;
    });
    expect(hidden.length).toBeGreaterThan(0);
    for (const [i] of hidden) {
      const [column, row] = [i % WIDTH, Math.floor(i / WIDTH)];
      const at = ((row - top) * (right - left) + column - left) * 3;
      const from = ((row - BOUNDS.top) * (BOUNDS.right - BOUNDS.left) + column - BOUNDS.left) * 3;
      expect(result.data[at]).toBe(photo.data[from]);
    }
    expect(Math.max(...result.mask!)).toBe(32768);
    expect(bench.photoshop.leaks).toBe(0);
  });

  it.each([
    ["CMYKColorMode", 8, "not RGB"],
    ["RGBColorMode", 32, "32 bits a channel"],
  ] as const)("refuses %s with %i bits by name", async (mode, bits, sentence) => {
    const document = bench.photoshop.open(WIDTH, HEIGHT, bits);
    document.mode = mode;
    document.add("Background", BOUNDS, 3, new bench.photoshop.realm.Uint8Array(0));
    bench.start();
    await bench.connect();
    expect(await bench.work("find")).toContain(sentence);
    expect(document.history).toEqual([]);
  });

  it("asks before the label layer is made again, and before a very large canvas is sent", async () => {
    await ready(bench);
    bench.press("find");
    await expect.poll(() => bench.element("question").hidden).toBe(false);
    bench.press("no");
    await bench.idle();
    expect(bench.status).toBe("Nothing was changed.");
    const layer = bench.layer("Background");
    Object.assign(bench.photoshop.document!, { width: 6000, height: 4000 });
    const large = { left: 0, top: 0, right: 6000, bottom: 4000 };
    Object.assign(layer, { bounds: large, data: new bench.photoshop.realm.Uint8Array(6000 * 4000 * 3) });
    bench.photoshop.document!.layers = [layer];
    const sent = bench.seen.length;
    bench.press("find");
    await expect.poll(() => bench.element("question").textContent, { timeout: 10_000 }).toContain("6000 x 4000");
    bench.press("no");
    await bench.idle();
    expect(bench.status).toBe("Nothing was sent.");
    expect(bench.seen.length).toBe(sent);
  });

  it("reads soft strokes, and tells colours that no label has", async () => {
    await ready(bench);
    await bench.paint(4, 40, 60, 30, 20, true);
    expect(await bench.work("generate")).toBe("The result is a new layer.");
    const layer = bench.layer("Layoutbrush labels");
    layer.data.set([250, 10, 20], ((71 - 3) * 119 + 51 - 5) * layer.channels);
    expect(await bench.work("generate")).toContain("1 pixels of the label layer, the first at 51, 71, have a colour");
  });

  it("leaves nothing behind where writing fails", async () => {
    await ready(bench);
    await bench.paint(4, 40, 60, 30, 20);
    bench.photoshop.failure = new Error("The disk is full.");
    expect(await bench.work("generate")).toBe("The disk is full.");
    const document = bench.photoshop.document!;
    expect(document.layers.map(({ name }) => name)).toEqual(["Layoutbrush labels", "Background"]);
    expect(document.history).toEqual(["Layoutbrush: labels"]);
    expect(bench.photoshop.leaks).toBe(0);
  });

  it("goes on when the server comes back", async () => {
    await ready(bench);
    await bench.paint(4, 40, 60, 30, 20);
    bench.down = true;
    expect(await bench.work("generate")).toContain("doesn't answer");
    bench.down = false;
    expect(await bench.work("generate")).toBe("The result is a new layer.");
  });

  it("does not land in a document of another size, or in none", async () => {
    await ready(bench);
    await bench.paint(4, 40, 60, 30, 20);
    bench.watch = (call) => {
      if (call === "PollRender") Object.assign(bench.photoshop.document!, { width: WIDTH + 1 });
    };
    expect(await bench.work("generate")).toContain("another size");
    expect(bench.photoshop.document!.history).toEqual(["Layoutbrush: labels"]);
    bench.photoshop.document = null;
    expect(await bench.work("generate")).toBe("No document is open.");
  });

  it.skipIf(!SLOW)("cancels in mid-render, and the server stops", async () => {
    bench.photo();
    bench.start();
    await bench.connect(SLOW);
    await bench.work("find");
    await bench.paint(4, 40, 60, 30, 20);
    bench.press("generate");
    await expect.poll(() => bench.status, { timeout: 20_000 }).toMatch(/warp|refine/);
    bench.press("cancel");
    await bench.idle();
    expect(bench.status).toBe("Cancelled.");
    expect(bench.seen.at(-1)).toBe("CancelRender");
    expect(bench.photoshop.document!.history).toEqual(["Layoutbrush: labels"]);
  });
});
