import { toBinary, create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";

import { concat, view } from "../../src/io/bytes";
import { Calls } from "../../src/io/calls";
import { fetchTransport, utf8 } from "../../src/io/fetch_transport";
import { GetServerInfoResponseSchema } from "../../src/io/gen/layoutbrush/v1/info_pb";
import { RenderResponseSchema } from "../../src/io/gen/layoutbrush/v1/render_pb";
import { noise } from "./sample_project";

const event = toBinary(RenderResponseSchema, create(RenderResponseSchema, { event: { case: "queued", value: { position: 3 } }, revision: 9n }));

function envelope(flags: number, data: Uint8Array): Uint8Array {
  const head = new Uint8Array(5);
  head[0] = flags;
  view(head).setUint32(1, data.length);
  return concat([head, data]);
}

function text(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Answers as hosts do: piece by piece, or without a body to read from. */
function answer(parts: Uint8Array[], streams: boolean, status = 200): Response {
  if (!streams) {
    const whole = concat(parts);
    return { ok: status < 400, status, headers: new Headers(), arrayBuffer: async () => whole.buffer } as unknown as Response;
  }
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
  return new Response(body, { status });
}

function calls(response: () => Response, seen: RequestInit[] = []): Calls {
  const fetch = async (_: unknown, init?: RequestInit) => {
    seen.push(init!);
    return response();
  };
  return new Calls(fetchTransport({ address: "http://127.0.0.1:1/", token: () => "t", fetch }), "http://127.0.0.1:1");
}

async function all<T>(events: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of events) found.push(one);
  return found;
}

it("reads UTF-8 as others do", () => {
  for (const sample of ["", "plain", "é ü ß", "日本語", "🎨 a"]) expect(utf8(new TextEncoder().encode(sample))).toBe(sample);
  expect(utf8(Uint8Array.of(0xff, 0x41, 0xe3, 0x41))).toBe("\ufffdA\ufffdA");
});

describe.each([true, false])("a host that streams: %s", (streams) => {
  it("makes calls with plain buffers and the token", async () => {
    const seen: RequestInit[] = [];
    const message = toBinary(GetServerInfoResponseSchema, create(GetServerInfoResponseSchema, { serverVersion: "7" }));
    const found = await calls(() => answer([message], streams), seen).call((service) => service.getServerInfo({}));
    expect(found.serverVersion).toBe("7");
    expect(seen[0]!.body).toBeInstanceOf(ArrayBuffer);
    expect(seen[0]!.headers).toMatchObject({ authorization: "Bearer t", "content-type": "application/proto" });
  });

  it("reads events, wherever the answer was cut", async () => {
    const whole = concat([envelope(0, event), envelope(0, event), envelope(2, text({}))]);
    for (const cut of [1, 5, 9, whole.length - 1]) {
      const parts = [whole.slice(0, cut), whole.slice(cut)];
      const found = await all(calls(() => answer(parts, streams)).render({}));
      expect(found.map(({ revision }) => revision)).toEqual([9n, 9n]);
    }
  });

  it("tells errors at the end of a stream and instead of an answer", async () => {
    const detail = { type: "google.rpc.ErrorInfo", value: Buffer.from("\x0a\x05STALE").toString("base64").replace(/=+$/, "") };
    const error = { code: "failed_precondition", message: "Gone.", details: [detail] };
    const expected = { code: "FAILED_PRECONDITION", message: "Gone.", reason: "STALE", kind: "refused" };
    await expect(all(calls(() => answer([envelope(2, text({ error }))], streams)).render({}))).rejects.toMatchObject(expected);
    const refused = calls(() => answer([text(error)], streams, 412));
    await expect(refused.call((service) => service.getServerInfo({}))).rejects.toMatchObject(expected);
  });

  it("tells answers that aren't ours", async () => {
    const page = new TextEncoder().encode("<html>");
    const lost = calls(() => answer([page], streams, 502));
    await expect(lost.call((service) => service.getServerInfo({}))).rejects.toMatchObject({ kind: "offline" });
    const denied = calls(() => answer([page], streams, 401));
    await expect(denied.call((service) => service.getServerInfo({}))).rejects.toMatchObject({ kind: "denied" });
    await expect(all(calls(() => answer([envelope(0, event)], streams)).render({}))).rejects.toMatchObject({ kind: "offline" });
    const half = envelope(0, event).subarray(0, 7);
    await expect(all(calls(() => answer([half], streams)).render({}))).rejects.toMatchObject({ kind: "offline" });
    await expect(all(calls(() => answer([noise(40, 77)], streams)).render({}))).rejects.toMatchObject({ name: "BackendError" });
  });
});
