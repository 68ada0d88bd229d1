import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";

import { BackendError, type Draft, type RunEvent } from "../../src/io/backend";
import { concat, latin1 } from "../../src/io/bytes";
import { connectBackend } from "../../src/io/connect_backend";
import type { UploadLayerRequest } from "../../src/io/gen/layoutbrush/v1/documents_pb";
import type { GenerateDraftsRequest, GenerateDraftsResponseSchema } from "../../src/io/gen/layoutbrush/v1/drafts_pb";
import { ChannelOrder, DataType, Encoding, LayerKind, LayerSchema, type Layer } from "../../src/io/gen/layoutbrush/v1/layers_pb";
import type { FetchReferenceRequest, FindReferencesRequest } from "../../src/io/gen/layoutbrush/v1/references_pb";
import type { RenderRequest, RenderResponse } from "../../src/io/gen/layoutbrush/v1/render_pb";
import { RenderResponseSchema } from "../../src/io/gen/layoutbrush/v1/render_pb";
import { LayoutbrushService } from "../../src/io/gen/layoutbrush/v1/service_pb";
import { planeOf } from "../../src/io/wire";
import type { Source } from "../../src/model/mix";
import type { LabelMap, Reference } from "../../src/model/types";
import { noise, photo } from "./sample_project";

const PHOTO = photo(40, 30);
const MAP: LabelMap = { width: 40, height: 30, ids: new Uint8Array(1200) };
const REFERENCE: Reference = { id: "ref-1", photo: photo(9, 5), labels: { width: 9, height: 5, ids: noise(45) } };

function raw(kind: LayerKind, width: number, height: number, channels: 1 | 3, data: Uint8Array): Layer {
  const channelOrder = channels === 1 ? ChannelOrder.GRAY : ChannelOrder.RGB;
  const format = { channelOrder, dataType: DataType.UINT8 };
  return create(LayerSchema, { kind, bounds: { width, height }, encoding: Encoding.RAW, format, data });
}

function forgotten(): ConnectError {
  const error = new ConnectError("The server has no such document.", Code.NotFound);
  const info = latin1("DOCUMENT_NOT_FOUND");
  error.details.push({ type: "google.rpc.ErrorInfo", value: concat([Uint8Array.of(10, info.length), info]) });
  return error;
}

class Scripted {
  readonly uploads: UploadLayerRequest[] = [];
  readonly renders: RenderRequest[] = [];
  readonly drafts: GenerateDraftsRequest[] = [];
  readonly queries: FindReferencesRequest[] = [];
  readonly fetched: FetchReferenceRequest[] = [];
  readonly segmented: string[] = [];
  opens = 0;
  forget = false;
  /** What GenerateDrafts answers. */
  answers: MessageInitShape<typeof GenerateDraftsResponseSchema>[] = [];

  private *rendered(request: RenderRequest): Generator<RenderResponse> {
    this.renders.push(request);
    if (this.forget) {
      this.forget = false;
      throw forgotten();
    }
    const layer = raw(LayerKind.UNSPECIFIED, 2, 2, 3, noise(12));
    const mask = raw(LayerKind.MASK, 2, 2, 1, noise(4));
    const value = { $typeName: "layoutbrush.v1.Result" as const, layer, mask, timings: [] };
    yield create(RenderResponseSchema, { revision: 1n, event: { case: "result", value } });
  }

  backend() {
    const transport = createRouterTransport(({ service }) => {
      service(LayoutbrushService, {
        openDocument: () => ({ documentId: `d${++this.opens}` }),
        uploadLayer: (request) => {
          this.uploads.push(request);
          return {};
        },
        segment: (request) => this.segment(request.referenceId),
        render: (request) => stream(this.rendered(request)),
        generateDrafts: (request) => {
          this.drafts.push(request);
          return stream(this.answers);
        },
        findReferences: (request) => {
          this.queries.push(request);
          const thumbnail = raw(LayerKind.REFERENCE_PHOTO, 3, 2, 3, noise(18));
          return { references: [{ name: "a/b.jpg", score: 0.5, extent: { width: 30, height: 20 }, thumbnail }, { name: "c" }], pending: 4 };
        },
        fetchReference: (request) => {
          this.fetched.push(request);
          const whole = raw(LayerKind.REFERENCE_PHOTO, 9, 5, 3, noise(135).subarray(0, 100));
          const photo = create(LayerSchema, { ...whole, dataSize: 135n, transferId: 3 });
          return stream([
            { event: { case: "progress" as const, value: { stage: "read", done: 0.5 } } },
            { event: { case: "photo" as const, value: photo } },
            { event: { case: "chunk" as const, value: { transferId: 3, offset: 100n, data: noise(135).subarray(100), last: true } } },
            { event: { case: "labelMap" as const, value: raw(LayerKind.REFERENCE_LABEL_MAP, 9, 5, 1, noise(45)) } },
          ]);
        },
      });
    });
    return connectBackend({ transport, address: "http://127.0.0.1:1" });
  }

  private async *segment(referenceId: string) {
    this.segmented.push(referenceId);
    yield { event: { case: "labelMap" as const, value: raw(LayerKind.REFERENCE_LABEL_MAP, 9, 5, 1, noise(45)) } };
  }

  /** The layers that went up, by kind and reference. */
  get sent(): string[] {
    return this.uploads.map(({ layer }) => `${LayerKind[layer!.kind]} ${layer!.referenceId}`);
  }
}

async function* stream<T>(events: Iterable<T>): AsyncGenerator<T> {
  yield* events;
}

function rendering(sources: readonly Source[]) {
  return { edited: MAP, changed: null, exclude: null, sources, seed: 0, previews: [] };
}

const FROM: Source = { target: 3, reference: REFERENCE, label: null, part: null, place: null };

describe("sources of a render", () => {
  it("travel with their photos, which go up once, and again to a server that has forgotten them", async () => {
    const server = new Scripted();
    const document = await server.backend().open(PHOTO, MAP);
    await document.render(rendering([FROM]));
    await document.render(rendering([FROM, { ...FROM, target: 4 }]));
    expect(server.sent).toEqual(["REFERENCE_PHOTO ref-1", "REFERENCE_LABEL_MAP ref-1"]);
    expect(planeOf(server.uploads[1]!.layer!, server.uploads[1]!.layer!.data).ids).toEqual(REFERENCE.labels.ids);
    server.forget = true;
    await document.render(rendering([FROM]));
    expect([server.sent.length, server.opens, server.renders.length]).toEqual([4, 2, 4]);
    await document.render(rendering([]));
    expect(server.renders.at(-1)!.edit!.sources).toEqual([]);
  });

  it("say label, region, part and place as the contract wants them", async () => {
    const server = new Scripted();
    const document = await server.backend().open(PHOTO, MAP);
    const target = { bounds: { x: 5, y: 6, width: 2, height: 1 }, data: Uint8Array.of(0, 1) };
    const part = { bounds: { x: 1, y: 2, width: 1, height: 2 }, data: Uint8Array.of(1, 1) };
    const place = { x: -3, y: 4, width: 18, height: 10 };
    await document.render(rendering([{ target: 7, reference: null, label: 2, part: null, place: null }, { target, reference: REFERENCE, label: 255, part, place }]));
    const [own, placed] = server.renders[0]!.edit!.sources;
    expect(own).toMatchObject({ target: { case: "labelId", value: 7 }, referenceId: "", sourceLabelId: 2 });
    expect([own!.sourceRegion, own!.place]).toEqual([undefined, undefined]);
    expect(placed).toMatchObject({ referenceId: "ref-1", place });
    // Unknown is no label to draw from.
    expect(placed!.sourceLabelId).toBeUndefined();
    expect(placed!.target).toMatchObject({ case: "region", value: { kind: LayerKind.MASK, bounds: target.bounds, data: Uint8Array.of(0, 255) } });
    expect(placed!.sourceRegion).toMatchObject({ kind: LayerKind.MASK, bounds: part.bounds, data: Uint8Array.of(255, 255) });
  });

  it("cost no second upload where the server has found the labels itself", async () => {
    const server = new Scripted();
    const document = await server.backend().open(PHOTO, MAP);
    const labels = await document.segmentReference("ref-2", REFERENCE.photo);
    expect([labels.ids, server.segmented]).toEqual([noise(45), ["ref-2"]]);
    await document.render(rendering([{ ...FROM, reference: { id: "ref-2", photo: REFERENCE.photo, labels } }]));
    expect(server.sent).toEqual(["REFERENCE_PHOTO ref-2"]);
    // Another map of the same photo goes up alone.
    await document.render(rendering([{ ...FROM, reference: { id: "ref-2", photo: REFERENCE.photo, labels: REFERENCE.labels } }]));
    expect(server.sent.slice(1)).toEqual(["REFERENCE_LABEL_MAP ref-2"]);
  });
});

describe("drafts", () => {
  const request = { extent: { width: 64, height: 48 }, boxes: [{ label: "tree", look: 0, x: 1, y: 2, width: 3, height: 4 }], count: 2, seed: 5 };

  it("come one by one, whole, with their label maps", async () => {
    const server = new Scripted();
    const picture = noise(4 * 4 * 3);
    const cut = create(LayerSchema, { ...raw(LayerKind.UNSPECIFIED, 4, 4, 3, picture.subarray(0, 20)), dataSize: 48n, transferId: 1 });
    const labelMap = raw(LayerKind.LABEL_MAP, 4, 4, 1, noise(16));
    server.answers = [
      { event: { case: "queued", value: { position: 1 } } },
      { event: { case: "draft", value: { index: 1, picture: raw(LayerKind.UNSPECIFIED, 4, 4, 3, picture) } } },
      { event: { case: "draft", value: { index: 0, picture: cut, labelMap } } },
      { event: { case: "chunk", value: { transferId: 1, offset: 20n, data: picture.subarray(20), last: true } } },
    ];
    const drafts: Draft[] = [];
    const events: RunEvent[] = [];
    await server.backend().drafts(request, (draft) => drafts.push(draft), { onEvent: (event) => events.push(event) });
    expect(drafts.map(({ index, labels }) => [index, labels?.ids.length])).toEqual([[1, undefined], [0, 16]]);
    expect(drafts[0]!.picture.pixels).toEqual(drafts[1]!.picture.pixels);
    expect(events).toEqual([{ type: "queued", position: 1 }]);
    expect(server.drafts[0]).toMatchObject({ extent: request.extent, boxes: request.boxes, count: 2, seed: 5 });
    // A look of 0 is one, too: left out it would mean the place in the list.
    expect(server.drafts[0]!.boxes[0]!.look).toBe(0);
    await server.backend().drafts({ ...request, before: [request.boxes, []] }, () => undefined);
    expect(server.drafts[1]!.before.map(({ boxes }) => boxes.length)).toEqual([1, 0]);
  });

  it("that break off are said so", async () => {
    const server = new Scripted();
    const cut = create(LayerSchema, { ...raw(LayerKind.UNSPECIFIED, 4, 4, 3, noise(20)), dataSize: 48n, transferId: 1 });
    server.answers = [{ event: { case: "draft", value: { index: 0, picture: cut } } }];
    const drafts: Draft[] = [];
    await expect(server.backend().drafts(request, (draft) => drafts.push(draft))).rejects.toBeInstanceOf(BackendError);
    expect(drafts).toEqual([]);
  });
});

describe("found photos", () => {
  it("are asked for with a small layout, a small picture, or both", async () => {
    const server = new Scripted();
    const labels = { width: 1500, height: 900, ids: new Uint8Array(1500 * 900).fill(4) };
    const { photos, pending } = await server.backend().find({ labels, picture: photo(30, 20) }, 12);
    const { labelMap, picture, count } = server.queries[0]!;
    expect(labelMap!.bounds).toMatchObject({ width: 512, height: 307 });
    expect(planeOf(labelMap!, labelMap!.data).ids.every((id) => id === 4)).toBe(true);
    expect([picture!.kind, picture!.bounds!.width, count, pending]).toEqual([LayerKind.PHOTO, 30, 12, 4]);
    expect(photos[0]).toMatchObject({ name: "a/b.jpg", score: 0.5, width: 30, height: 20, thumbnail: { pixelExtent: { width: 3, height: 2 } } });
    expect(photos[1]).toMatchObject({ name: "c", width: 0, thumbnail: null });
    await server.backend().find({ labels: null, picture: photo(30, 20) }, 12);
    expect(server.queries[1]!.labelMap).toBeUndefined();
  });

  it("come whole, with their labels", async () => {
    const server = new Scripted();
    const { photo: found, labels } = await server.backend().fetchFound("a/b.jpg");
    expect(server.fetched[0]!.name).toBe("a/b.jpg");
    expect([found.name, found.width, found.height, found.pixels.length]).toEqual(["a/b.jpg", 9, 5, 180]);
    const rgb = noise(135);
    expect([...found.pixels.subarray(176)]).toEqual([...rgb.subarray(132), 255]);
    expect(labels!.ids).toEqual(noise(45));
  });
});
