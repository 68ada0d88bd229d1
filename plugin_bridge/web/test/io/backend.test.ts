import { create, toBinary, type DescMessage } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport, type HandlerContext } from "@connectrpc/connect";
import { describe, expect, it, vi } from "vitest";

import { BackendError, type RunEvent } from "../../src/io/backend";
import { concat, latin1 } from "../../src/io/bytes";
import type { CallsOptions } from "../../src/io/calls";
import { connectBackend } from "../../src/io/connect_backend";
import type { UploadLayerRequest } from "../../src/io/gen/layoutbrush/v1/documents_pb";
import { ChannelOrder, DataType, Encoding, ExtentSchema, LayerKind, LayerSchema, type Layer } from "../../src/io/gen/layoutbrush/v1/layers_pb";
import { RenderResponseSchema, type RenderRequest, type RenderResponse } from "../../src/io/gen/layoutbrush/v1/render_pb";
import { LayoutbrushService } from "../../src/io/gen/layoutbrush/v1/service_pb";
import { sendingRefusal, sendingWarning } from "../../src/io/size_warning";
import type { Rect } from "../../src/model/geometry";
import type { LabelMap } from "../../src/model/types";
import { noise, photo } from "./sample_project";

const PHOTO = photo(40, 30);
const PHOTO_RECT: Rect = { x: 0, y: 0, width: 40, height: 30 };
const MAP: LabelMap = { width: 40, height: 30, ids: new Uint8Array(1200) };

/** A detail as it travels: fields 1 and so on, as strings, nested messages or numbers. */
function field(number: number, value: string | Uint8Array | number): Uint8Array {
  if (typeof value === "number") return Uint8Array.of(number << 3, value);
  const data = typeof value === "string" ? latin1(value) : value;
  return concat([Uint8Array.of((number << 3) | 2, data.length), data]);
}

function failure(code: Code, message: string, details: Record<string, Uint8Array> = {}): ConnectError {
  const error = new ConnectError(message, code);
  error.details.push(...Object.entries(details).map(([type, value]) => ({ type: `google.rpc.${type}`, value })));
  return error;
}

const forgotten = () => failure(Code.NotFound, "The server has no such document.", { ErrorInfo: field(1, "DOCUMENT_NOT_FOUND") });
const stale = () => failure(Code.FailedPrecondition, "That state is gone.", { ErrorInfo: field(1, "STALE_REVISION") });
const busy = () => failure(Code.ResourceExhausted, "The queue is full.", { RetryInfo: field(1, field(2, 1)) });

function raw(kind: LayerKind, width: number, height: number, channels: number, data: Uint8Array, x = 0, y = 0): Layer {
  const channelOrder = { 1: ChannelOrder.GRAY, 3: ChannelOrder.RGB }[channels]!;
  const format = { channelOrder, dataType: DataType.UINT8 };
  return create(LayerSchema, { kind, bounds: { x, y, width, height }, encoding: Encoding.RAW, format, data });
}

/** A server that does as it is told and remembers what it was asked. */
class Scripted {
  readonly renders: RenderRequest[] = [];
  readonly uploads: UploadLayerRequest[] = [];
  readonly closed: string[] = [];
  readonly cancelled: string[] = [];
  /** What the next polls answer instead. */
  lostPolls: ConnectError[] = [];
  polls = 0;
  opens = 0;
  aborted = 0;
  revision = 0n;
  /** Runs before each render; may throw. */
  before: (turn: number, context?: HandlerContext) => Promise<void> | void = () => undefined;

  *events(): Generator<RenderResponse> {
    const revision = ++this.revision;
    const response = (event: RenderResponse["event"]) => create(RenderResponseSchema, { event, revision });
    const pixels = noise(7 * 5 * 3, 2);
    const whole = raw(LayerKind.UNSPECIFIED, 7, 5, 3, pixels.subarray(0, 40), 11, 13);
    const layer = create(LayerSchema, { ...whole, dataSize: 105n, transferId: 1 });
    const mask = raw(LayerKind.MASK, 7, 5, 1, noise(35, 3), 11, 13);
    yield response({ case: "queued", value: { $typeName: "layoutbrush.v1.Queued", position: 2 } });
    yield response({ case: "progress", value: { $typeName: "layoutbrush.v1.Progress", stage: "warp", done: 0.5, elapsedMs: 1 } });
    const small = create(ExtentSchema, { width: 4, height: 3 });
    const preview = create(LayerSchema, { ...raw(LayerKind.UNSPECIFIED, 7, 5, 3, noise(36, 4), 11, 13), pixels: small });
    yield response({ case: "preview", value: { $typeName: "layoutbrush.v1.Preview", kind: 1, layer: preview } });
    const timings = [{ $typeName: "layoutbrush.v1.Timing" as const, stage: "total", milliseconds: 12 }];
    yield response({ case: "result", value: { $typeName: "layoutbrush.v1.Result", layer, mask, timings } });
    const chunk = (offset: number, data: Uint8Array, last: boolean) =>
      response({ case: "chunk", value: { $typeName: "layoutbrush.v1.LayerChunk", transferId: 1, offset: BigInt(offset), data, last } });
    yield chunk(40, pixels.subarray(40, 100), false);
    yield chunk(100, pixels.subarray(100), true);
  }

  backend(options: CallsOptions & { address?: string } = {}) {
    const transport = createRouterTransport(({ service }) => {
      service(LayoutbrushService, {
        getServerInfo: () => ({
          serverVersion: "1.2",
          bundle: { name: "b", version: "3", labels: [{ id: 4, name: "water", color: { blue: 9 } }] },
          limits: { maxSide: 100, maxLayerPixels: 5000n, minSide: 16 },
          capabilities: { segmentation: true },
        }),
        openDocument: () => ({ documentId: `d${++this.opens}` }),
        uploadLayer: (request) => {
          this.uploads.push(request);
          return {};
        },
        closeDocument: ({ documentId }) => {
          this.closed.push(documentId);
          return {};
        },
        segment: async function* () {
          yield { event: { case: "progress" as const, value: { stage: "segment", done: 1 } } };
          yield { event: { case: "labelMap" as const, value: raw(LayerKind.LABEL_MAP, 40, 30, 1, noise(1200, 6)) } };
        },
        render: (request, context) => this.stream(request, context),
        startRender: async ({ render }) => {
          this.renders.push(render!);
          await this.before(this.renders.length);
          this.polled = [...this.events()];
          return { renderId: "r1" };
        },
        // Two events an answer, so that several are needed.
        pollRender: ({ after }) => {
          this.polls++;
          const lost = this.lostPolls.shift();
          if (lost) throw lost;
          const next = Math.min(Number(after) + 2, this.polled.length);
          return { events: this.polled.slice(Number(after), next), next: BigInt(next), finished: next === this.polled.length };
        },
        cancelRender: ({ renderId }) => {
          this.cancelled.push(renderId);
          return {};
        },
      });
    });
    return connectBackend({ transport, address: "http://127.0.0.1:1", ...options });
  }

  private polled: RenderResponse[] = [];

  private async *stream(request: RenderRequest, context: HandlerContext): AsyncGenerator<RenderResponse> {
    this.renders.push(request);
    context.signal.addEventListener("abort", () => this.aborted++);
    await this.before(this.renders.length, context);
    yield* this.events();
  }
}

function request(change: (ids: Uint8Array) => void = () => undefined) {
  const ids = MAP.ids.slice();
  change(ids);
  return { edited: { ...MAP, ids }, changed: null, exclude: null, seed: 3, previews: ["warped" as const] };
}

function sent(message: DescMessage, value: never): number {
  return toBinary(message, value).length;
}

describe("a server", () => {
  it("says what it is", async () => {
    expect(await new Scripted().backend().check()).toEqual({
      ...{ version: "1.2", bundle: "b 3", maxSide: 100, maxLayerPixels: 5000, minSide: 16 },
      ...{ labels: [{ id: 4, name: "water", color: [0, 0, 9] }], segmentation: true, references: false, drafts: false, draftLabels: [], finding: false },
    });
  });

  it("finds labels, and gets the photo once", async () => {
    const server = new Scripted();
    const backend = server.backend();
    const map = await backend.segment(PHOTO);
    expect(map).toEqual({ width: 40, height: 30, ids: noise(1200, 6) });
    await backend.open(PHOTO, map);
    expect(server.opens).toBe(1);
    expect(server.uploads.map(({ layer }) => [layer!.kind, layer!.data])).toEqual([[LayerKind.LABEL_MAP, map.ids]]);
  });

  it("gets large photos in parts, with offsets", async () => {
    const server = new Scripted();
    const large = photo(1500, 1000);
    const map = { width: 1500, height: 1000, ids: new Uint8Array(1.5e6) };
    const progress: number[] = [];
    await server.backend().open(large, map, { onEvent: (event) => event.type === "progress" && progress.push(event.done) });
    const parts = server.uploads.filter(({ layer }) => layer!.kind === LayerKind.PHOTO);
    expect(parts.map(({ offset }) => Number(offset))).toEqual([0, 2 << 20, 4 << 20]);
    expect(new Set(parts.map(({ layer }) => Number(layer!.dataSize)))).toEqual(new Set([4.5e6]));
    const whole = concat(parts.map(({ layer }) => layer!.data));
    expect(whole[3_000_000]).toBe(large.pixels[4_000_000]);
    expect(progress.at(-1)).toBe(1);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
  });
});

describe.each([false, true])("a render, polled: %s", (poll) => {
  it("brings events, then the result with exact pixels", async () => {
    const server = new Scripted();
    const document = await server.backend({ poll }).open(PHOTO, MAP);
    const events: RunEvent[] = [];
    const result = await document.render(request(), { onEvent: (event) => events.push(event) });
    expect(events.map(({ type }) => type)).toEqual(["queued", "progress", "preview"]);
    const preview = events.find((event) => event.type === "preview")!.picture;
    expect([preview.bounds.width, preview.pixelExtent, preview.pixels.length]).toEqual([7, { width: 4, height: 3 }, 48]);
    expect(result.bounds).toEqual({ x: 11, y: 13, width: 7, height: 5 });
    expect(result.pixels.filter((_, i) => i % 4 < 3)).toEqual(new Uint8ClampedArray(noise(105, 2)));
    expect(result.mask).toEqual(noise(35, 3));
    expect(result.timings).toEqual({ total: 12 });
  });

  it("sends only the tile that differs, over the newest state", async () => {
    const server = new Scripted();
    const document = await server.backend({ poll }).open(PHOTO, MAP);
    await document.render(request((ids) => ids.fill(4, 83, 86)));
    await document.render(request((ids) => ids.fill(4, 83, 88)));
    const tiles = server.renders.map(({ edit }) => (edit!.layout.case === "tiles" ? edit!.layout.value : null)!);
    expect(tiles.map(({ baseRevision }) => baseRevision)).toEqual([0n, 1n]);
    expect(tiles.map(({ tiles: [tile] }) => tile!.bounds)).toMatchObject([
      { x: 3, y: 2, width: 3, height: 1 },
      { x: 6, y: 2, width: 2, height: 1 },
    ]);
    expect(server.renders.every(({ options }) => options!.supersede && options!.seed === 3)).toBe(true);
  });

  it("leaves nothing behind for labels that were only looked at", async () => {
    const server = new Scripted();
    const backend = server.backend({ poll });
    const { ids } = await backend.segment(PHOTO, {}, false);
    await vi.waitFor(() => expect(server.closed).toEqual(["d1"]));
    expect(ids).toHaveLength(1200);
    await backend.open(PHOTO, MAP);
    expect(server.opens).toBe(2);
  });

  it("builds on the map that it was opened with where its state is gone", async () => {
    const server = new Scripted();
    const document = await server.backend({ poll }).open(PHOTO, MAP);
    const painted = (from: number, to: number, changed: Rect | null) => ({ ...request((ids) => ids.fill(4, 83, to)), changed: changed && { x: from % 40, y: 2, width: to - from, height: 1 } });
    await document.render(painted(83, 86, null));
    await document.render(painted(86, 88, PHOTO_RECT));
    server.before = (turn) => {
      if (turn === 3) throw stale();
    };
    await document.render(painted(88, 90, PHOTO_RECT));
    await document.render(painted(90, 91, PHOTO_RECT));
    const tiles = server.renders.map(({ edit }) => (edit!.layout.case === "tiles" ? edit!.layout.value : null)!);
    expect(tiles.map(({ baseRevision, tiles: [tile] }) => [baseRevision, tile!.bounds!.x, tile!.bounds!.width])).toEqual([
      [0n, 3, 3],
      [1n, 6, 2],
      [2n, 8, 2],
      [0n, 3, 7],
      [3n, 10, 1],
    ]);
    expect([...tiles[3]!.tiles[0]!.data]).toEqual(Array(7).fill(4));
  });

  it("opens the photo again where the server has forgotten it", async () => {
    const server = new Scripted();
    const document = await server.backend({ poll }).open(PHOTO, MAP);
    await document.render(request((ids) => ids.fill(4, 83, 86)));
    server.before = (turn) => {
      if (turn === 2) throw forgotten();
    };
    await document.render(request((ids) => ids.fill(4, 83, 88)));
    expect(server.opens).toBe(2);
    const last = server.renders.at(-1)!;
    expect(last.documentId).toBe("d2");
    expect(last.edit!.layout.value).toMatchObject({ baseRevision: 0n, tiles: [{ bounds: { x: 3, y: 2, width: 5, height: 1 } }] });
  });

  it("waits as a busy server asks", async () => {
    const server = new Scripted();
    server.before = (turn) => {
      if (turn < 3) throw busy();
    };
    const document = await server.backend({ poll }).open(PHOTO, MAP);
    await document.render(request());
    expect(server.renders.length).toBe(3);
  });

  it("that was cancelled rejects with the reason, and the server hears of it", async () => {
    const server = new Scripted();
    const document = await server.backend({ poll }).open(PHOTO, MAP);
    const cancel = new AbortController();
    const onEvent = () => cancel.abort(new DOMException("enough", "AbortError"));
    await expect(document.render(request(), { signal: cancel.signal, onEvent })).rejects.toThrow("enough");
    await expect.poll(() => (poll ? server.cancelled.length : server.aborted)).toBe(1);
  });

  it("says which field the server refused", async () => {
    const server = new Scripted();
    const violation = field(1, concat([field(1, "edit.tiles"), field(2, "Too many.")]));
    server.before = () => {
      throw failure(Code.InvalidArgument, "Too many.", { ErrorInfo: field(1, "OUT_OF_RANGE"), BadRequest: violation });
    };
    const document = await server.backend({ poll }).open(PHOTO, MAP);
    const error = await document.render(request()).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BackendError);
    expect(error).toMatchObject({ kind: "refused", message: "Too many.", code: "INVALID_ARGUMENT", field: "edit.tiles", reason: "OUT_OF_RANGE" });
  });
});

it("streams that are held back are given up for polling", async () => {
  const server = new Scripted();
  server.before = (_, context) => context && new Promise((resolve) => context.signal.addEventListener("abort", () => resolve()));
  const document = await server.backend({ streamPatience: 30 }).open(PHOTO, MAP);
  expect((await document.render(request())).bounds.x).toBe(11);
  expect(server.aborted).toBe(1);
  expect((await document.render(request())).bounds.x).toBe(11);
  expect(server.aborted).toBe(1);
});

describe("polls", () => {
  it("are made again where their answer was lost", async () => {
    const server = new Scripted();
    server.lostPolls = [failure(Code.Unavailable, ""), failure(Code.Unavailable, "")];
    const document = await server.backend({ poll: true }).open(PHOTO, MAP);
    expect((await document.render(request())).bounds.x).toBe(11);
    expect([server.renders.length, server.polls]).toEqual([1, 5]);
  });

  it("of a server that was started anew render again", async () => {
    const server = new Scripted();
    const document = await server.backend({ poll: true }).open(PHOTO, MAP);
    server.lostPolls = [failure(Code.NotFound, "No such render.", { ErrorInfo: field(1, "RENDER_NOT_FOUND") })];
    expect((await document.render(request())).bounds.x).toBe(11);
    expect([server.opens, server.renders.length]).toEqual([2, 2]);
  });
});

it("what must not be copied is sent as its own rectangle", async () => {
  const server = new Scripted();
  const document = await server.backend().open(PHOTO, MAP);
  const exclude = new Uint8Array(1200);
  exclude.fill(1, 45, 47);
  await document.render({ ...request(), exclude });
  const sentMask = server.renders[0]!.edit!.exclude!;
  expect(sentMask).toMatchObject({ kind: LayerKind.EXCLUDE, bounds: { x: 5, y: 1, width: 2, height: 1 } });
  expect([...sentMask.data]).toEqual([255, 255]);
  expect(sent(LayerSchema, sentMask as never)).toBeLessThan(40);
});

it("a broken answer is no result", async () => {
  const server = new Scripted();
  const events = server.events.bind(server);
  server.events = function* () {
    for (const event of events()) if (event.event.case !== "chunk") yield event;
  };
  const document = await server.backend().open(PHOTO, MAP);
  await expect(document.render(request())).rejects.toMatchObject({ kind: "failed", code: "DATA_LOSS" });
});

describe("errors", () => {
  it.each([
    [failure(Code.Aborted, "A newer edit.", { ErrorInfo: field(1, "SUPERSEDED") }), "superseded"],
    [failure(Code.Unauthenticated, "Wrong token.", { ErrorInfo: field(1, "UNAUTHENTICATED") }), "denied"],
    [failure(Code.ResourceExhausted, "Too large.", { ErrorInfo: field(1, "LIMIT_EXCEEDED") }), "refused"],
    [failure(Code.Internal, "Oops.", { ErrorInfo: field(1, "INTERNAL") }), "failed"],
    [failure(Code.Unavailable, "The server stops.", { ErrorInfo: field(1, "UNAVAILABLE") }), "offline"],
  ])("%s is %s", async (error, kind) => {
    const server = new Scripted();
    server.before = () => {
      throw error;
    };
    const document = await server.backend().open(PHOTO, MAP);
    await expect(document.render(request())).rejects.toMatchObject({ kind, message: error.rawMessage });
  });

  it("of a server that isn't there name its address", async () => {
    const fetch = () => Promise.reject(new TypeError("Failed to fetch"));
    const backend = connectBackend({ address: "http://10.0.0.1:8080", fetch });
    await expect(backend.check()).rejects.toMatchObject({ kind: "offline", message: expect.stringContaining("http://10.0.0.1:8080") });
  });

  it("the token is sent, and a refusal says so", async () => {
    const seen: (string | null)[] = [];
    const fetch = (_: unknown, init?: RequestInit) => {
      seen.push(new Headers(init?.headers).get("authorization"));
      return Promise.resolve(new Response("", { status: 401 }));
    };
    const backend = connectBackend({ address: "http://10.0.0.1:8080", fetch, token: () => "secret" });
    await expect(backend.check()).rejects.toMatchObject({ kind: "denied", message: expect.stringContaining("token") });
    expect(seen).toEqual(["Bearer secret"]);
  });

  it("a photo that was closed is not rendered", async () => {
    const server = new Scripted();
    const document = await server.backend().open(PHOTO, MAP);
    await document.close();
    await expect(document.render(request())).rejects.toMatchObject({ kind: "refused" });
    expect(server.closed).toEqual(["d1"]);
  });

  it("a label map of another size is refused before anything is sent", async () => {
    const server = new Scripted();
    await expect(server.backend().open(PHOTO, { ...MAP, width: 39 })).rejects.toMatchObject({ kind: "refused" });
    expect(server.opens).toBe(0);
  });
});

it("very large photos are asked about, impossible ones refused", async () => {
  const info = await new Scripted().backend().check();
  expect(sendingWarning({ width: 4000, height: 4000 })).toBeNull();
  expect(sendingWarning({ width: 5000, height: 4000 })).toContain("60 MB");
  expect(sendingRefusal({ width: 101, height: 20 }, info)).toContain("at most 100 a side");
  expect(sendingRefusal({ width: 90, height: 90 }, info)).not.toBeNull();
  expect(sendingRefusal({ width: 90, height: 15 }, info)).toContain("at least 16");
  expect(sendingRefusal({ width: 90, height: 16 }, info)).toBeNull();
});
