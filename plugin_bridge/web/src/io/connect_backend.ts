/** The server over Connect: the page's own origin, or the address given with ?server=. */

import type { Interceptor, Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";

import type { LabelMap, Photo } from "../model/types";
import type { Backend, BackendDocument, Draft, DraftRequest, Query, RunOptions, ServerInfo } from "./backend";
import { Calls, type CallsOptions } from "./calls";
import { generateDrafts } from "./drafting";
import { fetchReference, findReferences } from "./finding";
import { RemoteDocument } from "./remote_document";
import { serverInfo } from "./server_info";
import { currentToken } from "./token";
import { photoLayer } from "./wire";

export interface ConnectOptions extends CallsOptions {
  /** Instead of the page's own; tests give one. */
  readonly transport?: Transport;
  /** Scheme, host and port. */
  readonly address?: string;
  readonly token?: () => string;
  readonly fetch?: typeof globalThis.fetch;
}

/** True for the machine that the page runs on: bytes cost nothing there, packing them does. */
function isNear(address: string): boolean {
  try {
    const { hostname } = new URL(address);
    return hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
  } catch {
    return false;
  }
}

function ownAddress(): string {
  const { location } = globalThis;
  if (!location) return "http://127.0.0.1:8080";
  return new URLSearchParams(location.search).get("server") ?? location.origin;
}

function transportTo(address: string, options: ConnectOptions): Transport {
  const token = options.token ?? currentToken;
  const authorize: Interceptor = (next) => (request) => {
    const bearer = token();
    if (bearer) request.header.set("authorization", `Bearer ${bearer}`);
    return next(request);
  };
  return createConnectTransport({
    baseUrl: address,
    useBinaryFormat: true,
    interceptors: [authorize],
    ...(options.fetch ? { fetch: options.fetch } : {}),
  });
}

export function connectBackend(options: ConnectOptions = {}): Backend {
  const address = options.address ?? ownAddress();
  const calls = new Calls(options.transport ?? transportTo(address, options), address, options);
  const remote = { packed: !isNear(address) };
  // A photo that was segmented is on the server already.
  const segmented = new WeakMap<Photo, RemoteDocument>();
  const documentOf = (photo: Photo) => {
    const { width, height } = photo;
    const subject = { width, height, layer: (packed: boolean) => photoLayer(photo, packed) };
    return segmented.get(photo) ?? new RemoteDocument(calls, subject, remote);
  };

  return {
    async check(signal?: AbortSignal): Promise<ServerInfo> {
      return serverInfo(await calls.call((service) => service.getServerInfo({}, signal ? { signal } : {}), signal));
    },

    async segment(photo: Photo, run: RunOptions = {}, keep = true): Promise<LabelMap> {
      const document = documentOf(photo);
      if (keep) segmented.set(photo, document);
      try {
        await document.open(null, run);
        return await document.segment(run);
      } finally {
        if (!keep) {
          segmented.delete(photo);
          void document.close();
        }
      }
    },

    async open(photo: Photo, labels: LabelMap, run: RunOptions = {}): Promise<BackendDocument> {
      const document = documentOf(photo);
      segmented.delete(photo);
      await document.open(labels, run);
      return document;
    },

    drafts(request: DraftRequest, onDraft: (draft: Draft) => void, run: RunOptions = {}): Promise<void> {
      return generateDrafts(calls, request, remote.packed, onDraft, run);
    },

    find(query: Query, count: number, run: RunOptions = {}) {
      return findReferences(calls, query, count, remote.packed, run);
    },

    fetchFound(name: string, run: RunOptions = {}) {
      return fetchReference(calls, name, remote.packed, run);
    },
  };
}
