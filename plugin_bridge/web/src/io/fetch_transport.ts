/**
 * The Connect protocol (https://connectrpc.com/docs/protocol) over nothing but `fetch` and byte arrays, for hosts that have
 * no TextEncoder, no streams, no AbortController. Where a body can't be read piece by piece, streams come all at once.
 */

import { create, fromBinary, toBinary, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type StreamResponse, type Transport, type UnaryResponse } from "@connectrpc/connect";

import { concat, view } from "./bytes";

export interface FetchTransportOptions {
  /** Scheme, host and port. */
  readonly address: string;
  readonly token: () => string;
  readonly fetch: typeof globalThis.fetch;
}

const HEAD = 5;
const END_OF_STREAM = 2;
const LARGEST_MESSAGE = 64 << 20;

/** UTF-8 without TextDecoder; damage becomes U+FFFD. */
export function utf8(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at++]!;
    const more = first < 0x80 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : -1;
    let point = more < 0 ? 0xfffd : more === 0 ? first : first & (0x3f >> more);
    for (let i = 0; i < more; i++) {
      if ((bytes[at]! & 0xc0) !== 0x80) {
        point = 0xfffd;
        break;
      }
      point = (point << 6) | (bytes[at++]! & 0x3f);
    }
    text += String.fromCodePoint(point > 0x10ffff ? 0xfffd : point);
  }
  return text;
}

function base64(text: string): Uint8Array {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const clean = text.replace(/-/g, "+").replace(/_/g, "/").replace(/[^A-Za-z0-9+/]/g, "");
  const out = new Uint8Array(Math.floor((clean.length * 3) / 4));
  for (let i = 0, to = 0, bits = 0, held = 0; i < clean.length; i++) {
    held = ((held << 6) | letters.indexOf(clean[i]!)) & 0xffffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out[to++] = (held >> bits) & 255;
  }
  return out;
}

/** "not_found" to Code.NotFound. */
function codeOf(name: unknown): Code {
  const wanted = String(name).replace(/(^|_)([a-z])/g, (_, __, letter: string) => letter.toUpperCase());
  const found = (Code as unknown as Record<string, unknown>)[wanted === "Cancelled" ? "Canceled" : wanted];
  return typeof found === "number" ? found : Code.Unknown;
}

const STATUS: Record<number, Code> = {
  400: Code.Internal,
  401: Code.Unauthenticated,
  403: Code.PermissionDenied,
  404: Code.Unimplemented,
  429: Code.Unavailable,
  502: Code.Unavailable,
  503: Code.Unavailable,
  504: Code.Unavailable,
};

function errorOf(json: unknown, fallback: Code): ConnectError {
  const { code, message, details } = (json ?? {}) as { code?: unknown; message?: unknown; details?: unknown };
  const error = new ConnectError(typeof message === "string" ? message : "", code === undefined ? fallback : codeOf(code));
  for (const detail of Array.isArray(details) ? (details as { type?: unknown; value?: unknown }[]) : []) {
    error.details.push({ type: String(detail.type), value: base64(String(detail.value)) });
  }
  return error;
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8(bytes));
  } catch {
    return null;
  }
}

/** The body, piece by piece where the host can. */
async function* pieces(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body && typeof response.body.getReader === "function" ? response.body.getReader() : null;
  if (!reader) {
    yield new Uint8Array(await response.arrayBuffer());
    return;
  }
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

/** Cuts a body into its envelopes. */
async function* envelopes(response: Response): AsyncGenerator<{ flags: number; data: Uint8Array }> {
  let held: Uint8Array = new Uint8Array(0);
  for await (const piece of pieces(response)) {
    held = held.length ? concat([held, piece]) : piece;
    while (held.length >= HEAD) {
      const length = view(held).getUint32(1);
      if (length > LARGEST_MESSAGE) throw new ConnectError("The server's answer is too large.", Code.Internal);
      if (held.length < HEAD + length) break;
      yield { flags: held[0]!, data: held.subarray(HEAD, HEAD + length) };
      held = held.subarray(HEAD + length);
    }
  }
  if (held.length) throw new ConnectError("The server's answer ended too early.", Code.Unavailable);
}

async function* messages<O extends DescMessage>(response: Response, output: O): AsyncGenerator<MessageShape<O>> {
  for await (const { flags, data } of envelopes(response)) {
    if (flags & 1) throw new ConnectError("The server sent a compressed answer.", Code.Internal);
    if (flags & END_OF_STREAM) {
      const { error } = (parsed(data) ?? {}) as { error?: unknown };
      if (error) throw errorOf(error, Code.Unknown);
      return;
    }
    yield fromBinary(output, data);
  }
  throw new ConnectError("The connection to the server broke.", Code.Unavailable);
}

export function fetchTransport(options: FetchTransportOptions): Transport {
  const post = async (path: string, type: string, body: Uint8Array, signal?: AbortSignal): Promise<Response> => {
    const headers: Record<string, string> = { "content-type": type, "connect-protocol-version": "1" };
    const token = options.token();
    if (token) headers["authorization"] = `Bearer ${token}`;
    const { buffer, byteOffset, byteLength } = body;
    // Hosts that know nothing of typed arrays take plain buffers.
    const data = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
    const response = await options.fetch(options.address.replace(/\/+$/, "") + path, {
      method: "POST",
      headers,
      body: data,
      ...(signal ? { signal } : {}),
    });
    if (!response.ok) {
      throw errorOf(parsed(new Uint8Array(await response.arrayBuffer())), STATUS[response.status] ?? Code.Unknown);
    }
    return response;
  };

  return {
    async unary(method, signal, _timeout, _header, input) {
      const body = toBinary(method.input, create(method.input, input as never));
      const response = await post(`/${method.parent.typeName}/${method.name}`, "application/proto", body, signal);
      const message = fromBinary(method.output, new Uint8Array(await response.arrayBuffer()));
      const answer = { stream: false, service: method.parent, method, header: response.headers, trailer: response.headers };
      return { ...answer, message } as unknown as UnaryResponse<typeof method.input, typeof method.output>;
    },

    async stream(method, signal, _timeout, _header, input) {
      let first: MessageInitShape<typeof method.input> | undefined;
      for await (const message of input) {
        first = message;
        break;
      }
      const data = toBinary(method.input, create(method.input, first as never));
      const head = new Uint8Array(HEAD);
      view(head).setUint32(1, data.length);
      const path = `/${method.parent.typeName}/${method.name}`;
      const response = await post(path, "application/connect+proto", concat([head, data]), signal);
      const answer = { stream: true, service: method.parent, method, header: response.headers, trailer: response.headers };
      const message = messages(response, method.output);
      return { ...answer, message } as unknown as StreamResponse<typeof method.input, typeof method.output>;
    },
  };
}
