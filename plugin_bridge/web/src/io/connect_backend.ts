/** The server over Connect: the page's own origin, or the address given with ?server=. */

import type { Interceptor, Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";

import type { LabelMap, Photo } from "../model/types";
import type { Backend, BackendDocument, RunOptions, ServerInfo } from "./backend";
import { Calls, type CallsOptions } from "./calls";
import { RemoteDocument } from "./remote_document";
import { currentToken } from "./token";

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

  return {
    async check(signal?: AbortSignal): Promise<ServerInfo> {
      const info = await calls.call((service) => service.getServerInfo({}, signal ? { signal } : {}), signal);
      const { bundle, limits, capabilities } = info;
      return {
        version: info.serverVersion,
        bundle: `${bundle?.name ?? ""} ${bundle?.version ?? ""}`.trim(),
        labels: (bundle?.labels ?? []).map(({ id, name, color }) => ({
          id,
          name,
          color: [color?.red ?? 0, color?.green ?? 0, color?.blue ?? 0] as const,
        })),
        maxSide: limits?.maxSide ?? 0,
        maxLayerPixels: Number(limits?.maxLayerPixels ?? 0n),
        minSide: limits?.minSide ?? 0,
        segmentation: capabilities?.segmentation ?? false,
        references: capabilities?.references ?? false,
      };
    },

    async segment(photo: Photo, run: RunOptions = {}): Promise<LabelMap> {
      const document = segmented.get(photo) ?? new RemoteDocument(calls, photo, remote);
      segmented.set(photo, document);
      await document.open(null, run);
      return document.segment(run);
    },

    async open(photo: Photo, labels: LabelMap, run: RunOptions = {}): Promise<BackendDocument> {
      const document = segmented.get(photo) ?? new RemoteDocument(calls, photo, remote);
      segmented.delete(photo);
      await document.open(labels, run);
      return document;
    },
  };
}
