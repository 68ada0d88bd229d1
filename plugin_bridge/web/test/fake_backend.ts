/** A server in memory that does as the test says. */

import { BackendError, type Backend, type BackendDocument, type Draft, type DraftRequest, type Findings, type Query, type RenderRequest, type RunOptions, type ServerInfo } from "../src/io/backend";
import type { LabelMap, Photo, RenderResult } from "../src/model/types";
import { LABELS } from "./helpers";

export interface Call {
  readonly request: RenderRequest;
  readonly edited: Uint8Array;
  readonly options: RunOptions;
  resolve(value: number): void;
  reject(error: unknown): void;
}

/** A request for drafts, to be answered by hand. */
export interface DraftCall {
  readonly request: DraftRequest;
  readonly options: RunOptions;
  send(index: number, value?: number): void;
  finish(): void;
  reject(error: unknown): void;
}

export class FakeBackend implements Backend {
  readonly calls: Call[] = [];
  readonly draftCalls: DraftCall[] = [];
  readonly queries: Query[] = [];
  readonly segmented: string[] = [];
  findings: Findings = { photos: [], pending: 0 };
  opened = 0;
  closed = 0;
  offline = false;
  references = true;
  /** What the next segmentation of a second photo fails with. */
  refusal: BackendError | null = null;

  async check(): Promise<ServerInfo> {
    this.answer();
    return {
      version: "0",
      bundle: "fake",
      labels: LABELS,
      maxSide: 9999,
      maxLayerPixels: 1e9,
      minSide: 1,
      segmentation: true,
      references: this.references,
      drafts: true,
      draftLabels: LABELS.map(({ name }) => name),
      finding: true,
    };
  }

  private answer(): void {
    if (this.offline) throw new BackendError("offline", "Nobody there.");
  }

  async segment(photo: Photo): Promise<LabelMap> {
    this.answer();
    return { width: photo.width, height: photo.height, ids: new Uint8Array(photo.width * photo.height) };
  }

  async open(): Promise<BackendDocument> {
    this.answer();
    this.opened++;
    return {
      render: (request: RenderRequest, options: RunOptions = {}) =>
        new Promise<RenderResult>((resolve, reject) => {
          options.signal?.addEventListener("abort", () => reject(options.signal!.reason as Error));
          this.calls.push({
            request,
            edited: request.edited.ids.slice(),
            options,
            reject,
            resolve: (value) => resolve(picture(value)),
          });
        }),
      segmentReference: async (id: string, photo: Photo) => {
        this.segmented.push(id);
        if (this.refusal) throw this.refusal;
        return this.segment(photo);
      },
      close: async () => {
        this.closed++;
      },
    };
  }

  drafts(request: DraftRequest, onDraft: (draft: Draft) => void, options: RunOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.offline) reject(new BackendError("offline", "Nobody there."));
      options.signal?.addEventListener("abort", () => reject(options.signal!.reason as Error));
      const send = (index: number, value = index) => onDraft({ index, picture: picture(value), labels: null });
      this.draftCalls.push({ request, options, send, finish: resolve, reject });
    });
  }

  async find(query: Query): Promise<Findings> {
    this.answer();
    this.queries.push(query);
    return this.findings;
  }

  async fetchFound(name: string): Promise<{ photo: Photo; labels: LabelMap | null }> {
    this.answer();
    const { pixels } = picture(7);
    return { photo: { name, width: 2, height: 2, pixels, profile: null, file: null }, labels: null };
  }

  get last(): Call {
    return this.calls.at(-1)!;
  }

  get lastDrafts(): DraftCall {
    return this.draftCalls.at(-1)!;
  }
}

export function picture(value: number): RenderResult {
  return {
    bounds: { x: 1, y: 1, width: 2, height: 2 },
    pixels: new Uint8ClampedArray(16).fill(value),
    pixelExtent: { width: 2, height: 2 },
    mask: new Uint8Array(4).fill(255),
    timings: { total: 5 },
  };
}

/** Lets promises and microtasks run out. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
