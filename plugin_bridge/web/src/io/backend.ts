/** What the editor asks of a server, whatever carries it. */

import type { Extent, Rect } from "../model/geometry";
import type { Source } from "../model/mix";
import type { Label, LabelMap, Photo, PlacedPixels, RenderResult } from "../model/types";

export interface ServerInfo {
  readonly version: string;
  /** Such as "scenes 0.1.0". */
  readonly bundle: string;
  readonly labels: readonly Label[];
  readonly maxSide: number;
  readonly maxLayerPixels: number;
  readonly minSide: number;
  readonly segmentation: boolean;
  /** Renders may draw from other photos. */
  readonly references: boolean;
  /** Pictures are made from boxes. */
  readonly drafts: boolean;
  /** What boxes may be labelled as. */
  readonly draftLabels: readonly string[];
  /** The server has a folder of photos to look through. */
  readonly finding: boolean;
}

/** Why a call failed, in a sentence for a person. */
export class BackendError extends Error {
  constructor(
    /**
     * `offline`: nothing answers (the work can be sent again later). `busy`: come back after retryMs. `superseded`: a newer
     * render took its place. `refused`: the request is at fault. `denied`: token missing or wrong. `failed`: the rest.
     */
    readonly kind: "offline" | "busy" | "superseded" | "refused" | "denied" | "failed",
    message: string,
    readonly retryMs = 0,
    /** Of gRPC, in capitals: "NOT_FOUND". */
    readonly code = "UNKNOWN",
    /** Path of the request's field at fault, as the contract names it; empty where none is. */
    readonly field = "",
    /** The server's fixed word for it: "DOCUMENT_NOT_FOUND". */
    readonly reason = "",
  ) {
    super(message);
    this.name = "BackendError";
  }
}

export type RunEvent =
  /** 0 = the work begins. */
  | { readonly type: "queued"; readonly position: number }
  /** done: 0 to 1. */
  | { readonly type: "progress"; readonly stage: string; readonly done: number }
  | { readonly type: "preview"; readonly kind: "warped" | "coarse"; readonly picture: PlacedPixels };

export interface RunOptions {
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: RunEvent) => void;
}

export interface RenderRequest {
  /**
   * The whole edited map. What changed is copied before the call returns; a server that has to be sent all of it gets the map
   * as it is then.
   */
  readonly edited: LabelMap;
  /** Where it may differ from the render of this document before; null: anywhere. */
  readonly changed: Rect | null;
  /** Not 0 = never copy from here; photo.width x photo.height. Null: nothing. */
  readonly exclude: Uint8Array | null;
  /** Which photo labels and regions draw from; left out: the photo itself. Later ones lie over earlier ones. */
  readonly sources?: readonly Source[];
  readonly seed: number;
  /** As RenderOptions.grow; left out: the server's choice. */
  readonly grow?: number;
  readonly previews: readonly ("warped" | "coarse")[];
}

/** An opened photo. Reopens by itself when the server has forgotten it. */
export interface BackendDocument {
  /** Ends earlier renders of the document. An abort of the signal rejects with its reason (AbortError). */
  render(request: RenderRequest, options?: RunOptions): Promise<RenderResult>;
  /** Uploads a second photo under a name of its own and finds its label map. */
  segmentReference(id: string, photo: Photo, options?: RunOptions): Promise<LabelMap>;
  /** Never rejects. */
  close(): Promise<void>;
}

/** One object of a draft: a rectangle within the request's extent. */
export interface DraftBox extends Rect {
  /** Out of ServerInfo.draftLabels. */
  readonly label: string;
  /** Names the object's look: the same number is the same look, wherever the box lies. */
  readonly look: number;
}

export interface DraftRequest {
  /** What the boxes' coordinates refer to. */
  readonly extent: Extent;
  /** Later ones lie over earlier ones; 1 to 64. */
  readonly boxes: readonly DraftBox[];
  /** Layouts whose drafts came before, oldest first, at most 16: what they share with the boxes stays as it was there. */
  readonly before?: readonly (readonly DraftBox[])[];
  readonly count: number;
  readonly seed: number;
}

export interface Draft {
  /** 0 to below DraftRequest.count. */
  readonly index: number;
  readonly picture: PlacedPixels;
  /** Null where the server makes none. */
  readonly labels: LabelMap | null;
}

/** A photo of the server's folder: its own size, and a small picture of it. */
export interface Found extends Extent {
  /** To fetch it by, and to be shown. */
  readonly name: string;
  /** Likeness to what was asked for, 0 to 1. */
  readonly score: number;
  /** Null where the server sends none. */
  readonly thumbnail: PlacedPixels | null;
}

export interface Findings {
  /** The nearest first. */
  readonly photos: readonly Found[];
  /** Photos that the server has not looked at yet: ask again later. */
  readonly pending: number;
}

/** What to look for: a layout (UNKNOWN: anything), a picture in straight RGBA, or both. */
export interface Query {
  readonly labels: LabelMap | null;
  readonly picture: (Extent & { readonly pixels: Uint8ClampedArray }) | null;
}

export interface Backend {
  /** Asks the server what it is. Rejects with BackendError. */
  check(signal?: AbortSignal): Promise<ServerInfo>;
  /** Finds the label map of a photo, which the server keeps for `open` unless `keep` is false. */
  segment(photo: Photo, options?: RunOptions, keep?: boolean): Promise<LabelMap>;
  /** Uploads a photo and its label map, once. Progress: stage "upload". */
  open(photo: Photo, labels: LabelMap, options?: RunOptions): Promise<BackendDocument>;
  /** Makes pictures from boxes; hands each out as it is done. */
  drafts(request: DraftRequest, onDraft: (draft: Draft) => void, options?: RunOptions): Promise<void>;
  /** Ranks the photos of the server's folder; the nearest first. */
  find(query: Query, count: number, options?: RunOptions): Promise<Findings>;
  /** Fetches one of them, with its label map where the server has one. */
  fetchFound(name: string, options?: RunOptions): Promise<{ readonly photo: Photo; readonly labels: LabelMap | null }>;
}
