/** The calls that the editor makes, with what a connection needs: errors in sentences, retries, cancelling, polling. */

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createClient, type Client, type Transport } from "@connectrpc/connect";

import { BackendError } from "./backend";
import {
  PollRenderRequestSchema,
  StartRenderRequestSchema,
  type PollRenderRequest,
  type PollRenderResponse,
} from "./gen/layoutbrush/v1/polling_pb";
import type { RenderRequestSchema, RenderResponse } from "./gen/layoutbrush/v1/render_pb";
import { LayoutbrushService } from "./gen/layoutbrush/v1/service_pb";
import { backendError } from "./rpc_error";

/** A server that asks for a longer pause before a retry is not waited for. */
const LONGEST_PAUSE = 30_000;
const RETRIES = 3;
/** The first event of a render comes at once; where it doesn't, something holds the answer back until it is whole. */
const STREAM_PATIENCE = 5_000;
const POLL_WAIT = 10_000;
/** A poll whose answer was lost is made again, so many times in a row, after pauses. */
const LOST_POLLS = 3;
const LOST_PAUSE = 400;

export type Service = Client<typeof LayoutbrushService>;

export interface CallsOptions {
  /** Never streams. */
  readonly poll?: boolean;
  /** Milliseconds without a first event after which streams are given up for polling. */
  readonly streamPatience?: number;
}

/** Resolves after a pause; rejects with the signal's reason. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

export class Calls {
  readonly service: Service;
  private polling: boolean;

  constructor(
    transport: Transport,
    /** For sentences about a server that doesn't answer. */
    readonly address: string,
    private readonly options: CallsOptions = {},
  ) {
    this.service = createClient(LayoutbrushService, transport);
    this.polling = options.poll ?? false;
  }

  /** True where renders are polled for, because streams don't come through. */
  get polls(): boolean {
    return this.polling;
  }

  /** What went wrong as a BackendError, or the signal's own reason where the caller gave up. */
  failure(reason: unknown, signal?: AbortSignal): unknown {
    return signal?.aborted ? signal.reason : backendError(reason, this.address);
  }

  /** Makes a call; a busy server is asked again after the pause that it wants. */
  async call<T>(make: (service: Service) => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      signal?.throwIfAborted();
      try {
        return await make(this.service);
      } catch (reason) {
        const error = this.failure(reason, signal);
        const busy = error instanceof BackendError && error.kind === "busy" && error.retryMs <= LONGEST_PAUSE;
        if (!busy || attempt >= RETRIES) throw error;
        await pause(error.retryMs, signal);
      }
    }
  }

  /** The events of a render: streamed, or polled where streams are held back. Rejects with BackendError. */
  async *render(request: MessageInitShape<typeof RenderRequestSchema>, signal?: AbortSignal): AsyncGenerator<RenderResponse> {
    if (!this.polling) {
      const held = yield* this.streamed(request, signal);
      if (!held) return;
      this.polling = true;
    }
    yield* this.polled(request, signal);
  }

  /** Returns true where no first event came in time; the call is given up then. */
  private async *streamed(
    request: MessageInitShape<typeof RenderRequestSchema>,
    signal?: AbortSignal,
  ): AsyncGenerator<RenderResponse, boolean> {
    const giveUp = new AbortController();
    const forward = () => giveUp.abort(signal?.reason);
    if (signal?.aborted) forward();
    signal?.addEventListener("abort", forward, { once: true });
    let held = false;
    const timer = setTimeout(() => {
      held = true;
      giveUp.abort();
    }, this.options.streamPatience ?? STREAM_PATIENCE);
    try {
      for await (const event of this.service.render(request, { signal: giveUp.signal })) {
        clearTimeout(timer);
        yield event;
      }
      return false;
    } catch (reason) {
      if (held && !signal?.aborted) return true;
      throw this.failure(reason, signal);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", forward);
      giveUp.abort();
    }
  }

  private async polledOnce(poll: PollRenderRequest, signal?: AbortSignal): Promise<PollRenderResponse> {
    for (let lost = 1; ; lost++) {
      try {
        return await this.call((service) => service.pollRender(poll, signal ? { signal } : {}), signal);
      } catch (error) {
        if (!(error instanceof BackendError) || error.kind !== "offline" || lost > LOST_POLLS) throw error;
        await pause(LOST_PAUSE * lost, signal);
      }
    }
  }

  private async *polled(
    request: MessageInitShape<typeof RenderRequestSchema>,
    signal?: AbortSignal,
  ): AsyncGenerator<RenderResponse> {
    const { renderId } = await this.call(
      (service) => service.startRender(create(StartRenderRequestSchema, { render: request }), signal ? { signal } : {}),
      signal,
    );
    let finished = false;
    try {
      for (let after = 0n; !finished; ) {
        const poll = create(PollRenderRequestSchema, { renderId, after, waitMs: POLL_WAIT });
        const answer = await this.polledOnce(poll, signal);
        ({ next: after, finished } = answer);
        yield* answer.events;
      }
    } finally {
      // Not waited for: the server forgets an unpolled render by itself, too.
      if (!finished) void this.service.cancelRender({ renderId }).catch(() => undefined);
    }
  }
}
