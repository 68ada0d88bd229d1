/** What is asked of the server one at a time, and what is said of it meanwhile: the newest takes the place of an older one. */

import { signal, type Signal } from "@preact/signals";
import { BackendError, type RunEvent } from "../io/backend";
import type { Server } from "./server";

/** What is being done, for the status bar. */
export interface Activity {
  readonly stage: string;
  /** 0 to 1; null: not known. */
  readonly done: number | null;
}

/** What an event says to people; null: nothing. `named`: how a stage of the server is put. */
export function heard(event: RunEvent, named: (stage: string) => string): Activity | null {
  if (event.type === "progress") return { stage: named(event.stage), done: event.done };
  if (event.type === "queued" && event.position > 0) return { stage: `Waiting, place ${event.position} in the queue`, done: null };
  return null;
}

/** One of them while it is under way. */
export interface Task {
  readonly signal: AbortSignal;
  /** Says how far it is; of one that was given up nothing is heard any more. */
  show(activity: Activity | null): void;
}

export class Errand {
  /** Null: nothing is under way. */
  readonly activity: Signal<Activity | null> = signal(null);
  private running: AbortController | null = null;

  constructor(
    private readonly server: Server,
    private readonly fail: (error: unknown) => void,
  ) {}

  /** Does it; what was under way is given up. Null where it failed or was given up: the user has been told why. */
  async run<T>(stage: string, what: (task: Task) => Promise<T>): Promise<T | null> {
    this.cancel();
    const running = new AbortController();
    const { signal } = running;
    this.running = running;
    this.activity.value = { stage, done: null };
    const show = (activity: Activity | null) => {
      if (activity && !signal.aborted) this.activity.value = activity;
    };
    try {
      const made = await what({ signal, show });
      return signal.aborted ? null : made;
    } catch (error) {
      if (!signal.aborted) this.refused(error);
      return null;
    } finally {
      if (this.running === running) this.end();
    }
  }

  private refused(error: unknown): void {
    if (error instanceof BackendError && (error.kind === "offline" || error.kind === "denied")) this.server.lose(error);
    this.fail(error);
  }

  cancel(): void {
    this.running?.abort();
    this.end();
  }

  private end(): void {
    this.running = null;
    this.activity.value = null;
  }
}
