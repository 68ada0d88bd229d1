/** What the editor asks of a server, whatever carries it. */

import type { Rect } from "../model/geometry";
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
  readonly references: boolean;
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
  /** The whole edited map as it is at the call; it is copied before the call returns. */
  readonly edited: LabelMap;
  /** Where it may differ from the render of this document before; null: anywhere. */
  readonly changed: Rect | null;
  /** Not 0 = never copy from here; photo.width x photo.height. Null: nothing. */
  readonly exclude: Uint8Array | null;
  readonly seed: number;
  /** As RenderOptions.grow; left out: the server's choice. */
  readonly grow?: number;
  readonly previews: readonly ("warped" | "coarse")[];
}

/** An opened photo. Reopens by itself when the server has forgotten it. */
export interface BackendDocument {
  /** Ends earlier renders of the document. An abort of the signal rejects with its reason (AbortError). */
  render(request: RenderRequest, options?: RunOptions): Promise<RenderResult>;
  /** Never rejects. */
  close(): Promise<void>;
}

export interface Backend {
  /** Asks the server what it is. Rejects with BackendError. */
  check(signal?: AbortSignal): Promise<ServerInfo>;
  /** Finds the label map of a photo. */
  segment(photo: Photo, options?: RunOptions): Promise<LabelMap>;
  /** Uploads a photo and its label map, once. Progress: stage "upload". */
  open(photo: Photo, labels: LabelMap, options?: RunOptions): Promise<BackendDocument>;
}
