/** A photo on the server: uploaded once, rendered many times, uploaded again when the server has forgotten it. */

import { create } from "@bufbuild/protobuf";

import { EMPTY, intersect, isEmpty, union, whole, type Extent, type Rect } from "../model/geometry";
import type { LabelMap, Photo, RenderResult } from "../model/types";
import { BackendError, type BackendDocument, type RenderRequest, type RunOptions } from "./backend";
import type { Calls } from "./calls";
import { Encoding, LayerKind, LayerSchema, type Layer } from "./gen/layoutbrush/v1/layers_pb";
import { EditSchema, PreviewKind, type Edit, type RenderResponse } from "./gen/layoutbrush/v1/render_pb";
import { RemoteReferences } from "./remote_references";
import { sourceMessages } from "./sources";
import { Assembler, broken, cropped, difference, pictureOf, planeLayer, planeOf } from "./wire";

/** Bytes of a layer in one message. */
export const PART_BYTES = 2 << 20;
/** Layers up to this size in all travel with the opening. */
const INLINE_BYTES = 4 << 20;
const PREVIEWS = { [PreviewKind.WARPED]: "warped", [PreviewKind.COARSE]: "coarse" } as const;

/** The label map as the server holds it. Its ids are kept only for hosts that can't say what they changed. */
interface Known {
  readonly revision: bigint;
  readonly ids: Uint8Array | null;
}

/** What changed since `known`, copied when the render was asked for. */
interface Part {
  readonly rect: Rect;
  readonly ids: Uint8Array<ArrayBuffer>;
  readonly since: Known;
}

/** A tile edit holds at least one tile, even where nothing differs. */
function atLeastOne(rect: Rect): Rect {
  return isEmpty(rect) ? { x: 0, y: 0, width: 1, height: 1 } : rect;
}

/** True where the server doesn't hold the document any more, or was started anew in the middle of a polled render. */
function isForgotten(error: unknown): boolean {
  return error instanceof BackendError && ["DOCUMENT_NOT_FOUND", "RENDER_NOT_FOUND"].includes(error.reason);
}

function isStale(error: unknown): boolean {
  return error instanceof BackendError && error.reason === "STALE_REVISION";
}

export interface RemoteOptions {
  /** True where bytes are dear: pictures travel as PNG both ways. */
  readonly packed: boolean;
}

/** What is uploaded: a photo, or a host's own pixels. */
export interface Subject extends Extent {
  layer(packed: boolean): Promise<Layer>;
}

export class RemoteDocument implements BackendDocument {
  private id: Promise<string> | null = null;
  private labels: LabelMap | null = null;
  private known: Known | null = null;
  /** Where the map may differ from `known`; null: anywhere. */
  private pending: Rect | null = EMPTY;
  /** Where it may differ from the label map that the document was opened with; null: not known. */
  private touched: Rect | null = null;
  private latest = 0;
  private closed = false;
  private readonly references: RemoteReferences;

  constructor(
    private readonly calls: Calls,
    private readonly subject: Subject,
    private readonly options: RemoteOptions,
  ) {
    const send = (documentId: string, layer: Layer) => this.upload(documentId, layer, {}, () => undefined);
    this.references = new RemoteReferences(options.packed, send);
  }

  /** Uploads what the server doesn't hold yet. */
  async open(labels: LabelMap | null, options: RunOptions = {}): Promise<void> {
    if (labels && (labels.width !== this.subject.width || labels.height !== this.subject.height)) {
      throw new BackendError("refused", "The label map has another size than the photo.", 0, "INVALID_ARGUMENT");
    }
    const added = labels && this.id ? labels : null;
    this.labels = labels ? { ...labels, ids: labels.ids.slice() } : this.labels;
    this.forget();
    if (!added) {
      await this.opened(options);
      return;
    }
    await this.alive(options, async (id) => {
      await this.upload(id, await planeLayer(LayerKind.LABEL_MAP, whole(added), added.ids), options, () => undefined);
    });
  }

  /** Finds the photo's label map. */
  async segment(options: RunOptions = {}): Promise<LabelMap> {
    return this.alive(options, (id) => this.calls.call(() => this.segmented(id, options), options.signal));
  }

  /** Finds the label map of a second photo, which the document keeps. */
  async segmentReference(referenceId: string, photo: Photo, options: RunOptions = {}): Promise<LabelMap> {
    return this.alive(options, async (id) => {
      await this.references.photo(id, referenceId, photo);
      options.signal?.throwIfAborted();
      const labels = await this.calls.call(() => this.segmented(id, options, referenceId), options.signal);
      this.references.found(referenceId, labels);
      return labels;
    });
  }

  async render(request: RenderRequest, options: RunOptions = {}): Promise<RenderResult> {
    if (this.closed) throw new BackendError("refused", "The photo was closed.", 0, "FAILED_PRECONDITION");
    const exclude = request.exclude?.slice() ?? null;
    const sources = request.sources ?? [];
    const turn = ++this.latest;
    this.pending = request.changed && this.pending && union(this.pending, request.changed);
    const touched = this.touch(request);
    // A whole map of a large photo is copied only where it must be: copies are what a stroke would wait for.
    const part = this.part(request.edited);
    const ids = part ? null : request.edited.ids.slice();
    return this.alive(options, async (id) => {
      const settle = (revision: bigint) => {
        // An older render may answer after a newer one; the newest state is the one to build on.
        if (turn !== this.latest) return;
        this.known = { revision, ids };
        this.pending = EMPTY;
      };
      const edit = (tiles: boolean) => {
        if (tiles && part && part.since === this.known) return this.tileEdit(part.since.revision, part.rect, part.ids);
        // A render that was given up before its first answer may have left a state that is not known here. The map that
        // the document was opened with is always there to build on.
        if (touched && !tiles) return this.tileEdit(0n, touched, cropped(request.edited.ids, this.subject, touched));
        return this.edit(ids ?? request.edited.ids.slice(), tiles);
      };
      for (const { reference } of sources) if (reference) await this.references.all(id, reference);
      options.signal?.throwIfAborted();
      const messages = await sourceMessages(sources);
      const attempt = async (edit: Edit) => {
        edit.sources = messages;
        const excluded = exclude && (await this.excluded(exclude));
        if (excluded) edit.exclude = excluded;
        return this.calls.call(() => this.rendered(id, edit, request, options, settle), options.signal);
      };
      try {
        return await attempt(await edit(true));
      } catch (error) {
        if (!isStale(error)) throw error;
        return await attempt(await edit(false));
      }
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    try {
      const documentId = await this.id;
      if (documentId) await this.calls.service.closeDocument({ documentId });
    } catch {
      // It forgets by itself, too.
    }
  }

  /** Where the map differs from the one that the document was opened with; at least a pixel. */
  private touch({ changed, edited }: RenderRequest): Rect | null {
    if (changed && this.touched) this.touched = union(this.touched, intersect(changed, whole(edited)));
    else this.touched = this.labels && atLeastOne(difference(this.labels.ids, edited.ids, edited));
    return this.touched;
  }

  private forget(): void {
    this.touched = null;
    this.known = this.labels && { revision: 0n, ids: this.labels.ids };
    this.pending = null;
    this.references.forget();
  }

  private opened(options: RunOptions): Promise<string> {
    if (this.id) return this.id;
    const opening = this.upstairs(options);
    this.id = opening;
    opening.catch(() => {
      if (this.id === opening) this.id = null;
    });
    return opening;
  }

  /** Does something with the document; once more, after opening it again, where the server has forgotten it. */
  private async alive<T>(options: RunOptions, work: (id: string) => Promise<T>): Promise<T> {
    const before = this.opened(options);
    try {
      return await work(await before);
    } catch (error) {
      if (!isForgotten(error) || this.closed) throw error;
      if (this.id === before) {
        this.id = null;
        this.forget();
      }
      return work(await this.opened(options));
    }
  }

  private async upstairs(options: RunOptions): Promise<string> {
    const { calls, subject, labels } = this;
    const layers = [await subject.layer(this.options.packed)];
    if (labels) layers.push(await planeLayer(LayerKind.LABEL_MAP, whole(labels), labels.ids));
    const total = layers.reduce((sum, layer) => sum + layer.data.length, 0);
    const inline = total <= INLINE_BYTES;
    const callOptions = options.signal ? { signal: options.signal } : {};
    const opened = await calls.call(
      (service) => service.openDocument({ layers: inline ? layers : [] }, callOptions),
      options.signal,
    );
    let sent = 0;
    for (const layer of inline ? [] : layers) {
      await this.upload(opened.documentId, layer, options, (bytes) => {
        options.onEvent?.({ type: "progress", stage: "upload", done: (sent += bytes) / total });
      });
    }
    return opened.documentId;
  }

  /** One layer, part by part. An interrupted upload starts the layer anew. */
  private async upload(documentId: string, layer: Layer, options: RunOptions, tell: (bytes: number) => void): Promise<void> {
    const { data, ...rest } = layer;
    const callOptions = options.signal ? { signal: options.signal } : {};
    for (let offset = 0; offset < data.length; offset += PART_BYTES) {
      const part = data.subarray(offset, offset + PART_BYTES);
      const message = create(LayerSchema, { ...rest, data: part, dataSize: BigInt(data.length) });
      const request = { documentId, layer: message, offset: BigInt(offset) };
      await this.calls.call((service) => service.uploadLayer(request, callOptions), options.signal);
      tell(part.length);
    }
  }

  /** What changed since the state that the server holds; null where that isn't known. */
  private part({ ids }: LabelMap): Part | null {
    if (!this.known || !this.pending) return null;
    const extent = { width: this.subject.width, height: this.subject.height };
    const rect = atLeastOne(intersect(this.pending, whole(extent)));
    return { rect, ids: cropped(ids, extent, rect), since: this.known };
  }

  private async tileEdit(baseRevision: bigint, rect: Rect, ids: Uint8Array): Promise<Edit> {
    const tile = await planeLayer(LayerKind.EDITED_LABEL_MAP, rect, ids);
    const tiles = { $typeName: "layoutbrush.v1.TileEdit" as const, baseRevision, tiles: [tile] };
    return create(EditSchema, { layout: { case: "tiles", value: tiles } });
  }

  /** What to change: only the tile that differs from what the server holds, or all of the map. */
  private async edit(ids: Uint8Array, tiles: boolean): Promise<Edit> {
    const extent = { width: this.subject.width, height: this.subject.height };
    if (tiles && this.known?.ids) {
      const rect = atLeastOne(difference(this.known.ids, ids, extent));
      return this.tileEdit(this.known.revision, rect, cropped(ids, extent, rect));
    }
    const map = await planeLayer(LayerKind.EDITED_LABEL_MAP, whole(extent), ids);
    return create(EditSchema, { layout: { case: "labelMap", value: map } });
  }

  private async excluded(exclude: Uint8Array): Promise<Layer | null> {
    const extent = { width: this.subject.width, height: this.subject.height };
    const rect = difference(exclude, new Uint8Array(exclude.length), extent);
    if (isEmpty(rect)) return null;
    return planeLayer(LayerKind.EXCLUDE, rect, cropped(exclude, extent, rect).map((value) => (value ? 255 : 0)));
  }

  private async segmented(documentId: string, options: RunOptions, referenceId = ""): Promise<LabelMap> {
    const { calls } = this;
    const assembler = new Assembler();
    let found: LabelMap | null = null;
    try {
      const encoding = this.options.packed ? Encoding.PNG : Encoding.RAW;
      const request = { documentId, encoding, referenceId, store: referenceId !== "" };
      for await (const { event } of calls.service.segment(request, options.signal ? { signal: options.signal } : {})) {
        if (event.case === "queued") options.onEvent?.({ type: "queued", position: event.value.position });
        else if (event.case === "progress") {
          options.onEvent?.({ type: "progress", stage: event.value.stage, done: event.value.done });
        } else if (event.case === "chunk") assembler.feed(event.value);
        else if (event.case === "labelMap") {
          const { value } = event;
          assembler.announce(value, (data) => (found = planeOf(value, data)));
        }
      }
    } catch (reason) {
      throw calls.failure(reason, options.signal);
    }
    if (!found) throw broken();
    return found;
  }

  private async rendered(
    documentId: string,
    edit: Edit,
    request: RenderRequest,
    options: RunOptions,
    settle: (revision: bigint) => void,
  ): Promise<RenderResult> {
    const receiver = new Receiver(options);
    const message = {
      documentId,
      edit,
      options: {
        seed: request.seed,
        ...(request.grow === undefined ? {} : { grow: request.grow }),
        warpedPreview: request.previews.includes("warped"),
        coarsePreview: request.previews.includes("coarse"),
        encoding: this.options.packed ? Encoding.PNG : Encoding.RAW,
        supersede: true,
      },
    };
    let settled = false;
    for await (const response of this.calls.render(message, options.signal)) {
      options.signal?.throwIfAborted();
      if (!settled) settle(response.revision);
      settled = true;
      receiver.feed(response);
    }
    return receiver.finished();
  }
}

/** Collects what a render sends. */
class Receiver {
  private readonly assembler = new Assembler();
  private layer: Omit<RenderResult, "mask" | "timings"> | null = null;
  private mask: Uint8Array | null = null;
  private timings: Record<string, number> = {};

  constructor(private readonly options: RunOptions) {}

  feed({ event }: RenderResponse): void {
    const tell = this.options.onEvent;
    if (event.case === "queued") tell?.({ type: "queued", position: event.value.position });
    else if (event.case === "progress") tell?.({ type: "progress", stage: event.value.stage, done: event.value.done });
    else if (event.case === "chunk") this.assembler.feed(event.value);
    else if (event.case === "preview") {
      const { kind, layer } = event.value;
      if (!layer || kind === PreviewKind.UNSPECIFIED) return;
      this.assembler.announce(layer, (data) => tell?.({ type: "preview", kind: PREVIEWS[kind], picture: pictureOf(layer, data) }));
    } else if (event.case === "result") {
      const { layer, mask, timings } = event.value;
      if (!layer || !mask) throw broken();
      this.assembler.announce(layer, (data) => (this.layer = pictureOf(layer, data)));
      this.assembler.announce(mask, (data) => (this.mask = planeOf(mask, data).ids));
      this.timings = Object.fromEntries(timings.map(({ stage, milliseconds }) => [stage, milliseconds]));
    }
  }

  finished(): RenderResult {
    if (!this.layer || !this.mask) throw broken();
    return { ...this.layer, mask: this.mask, timings: this.timings };
  }
}
