/** Photos of the server's folder that are like a layout or a draft. */

import { batch, signal, type Signal } from "@preact/signals";
import { BackendError, type Found, type Query, type RunEvent } from "../io/backend";
import type { Activity } from "./live";
import type { Server } from "./server";
import type { LabelMap, Photo } from "./types";

const COUNT = 24;
/** Milliseconds until a server that still looks through its folder is asked again. */
const AGAIN = 2000;

export class Finder {
  /** Null: nothing was looked for, or the strip was closed. */
  readonly photos: Signal<readonly Found[] | null> = signal(null);
  /** Photos that the server has not looked at yet. */
  readonly pending = signal(0);
  readonly activity: Signal<Activity | null> = signal(null);
  /** What was looked for, for people: "this layout". */
  readonly about = signal("");
  /** The layout that was looked for; null where it was a picture alone. */
  readonly layout: Signal<LabelMap | null> = signal(null);
  private running: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly server: Server,
    private readonly fail: (error: unknown) => void,
  ) {}

  /** Looks for photos like the query; while the server still looks through its folder it is asked again now and then. */
  async find(query: Query, about: string): Promise<void> {
    const running = this.start("Looking for photos");
    batch(() => {
      this.about.value = about;
      this.layout.value = query.labels;
    });
    try {
      const { photos, pending } = await this.server.backend.find(query, COUNT, { signal: running.signal });
      if (this.running !== running) return;
      batch(() => {
        this.photos.value = photos;
        this.pending.value = pending;
      });
      if (pending) this.timer = setTimeout(() => void this.find(query, about), AGAIN);
    } catch (error) {
      this.refused(running, error);
    } finally {
      this.ended(running);
    }
  }

  /** Fetches one of them; null where that failed or was given up: the user has been told why. */
  async fetch(name: string): Promise<{ readonly photo: Photo; readonly labels: LabelMap | null } | null> {
    const running = this.start(`Fetching ${name}`);
    const onEvent = (event: RunEvent) => {
      if (this.running === running && event.type === "progress") {
        this.activity.value = { stage: `Fetching ${name}`, done: event.done };
      }
    };
    try {
      const found = await this.server.backend.fetchFound(name, { signal: running.signal, onEvent });
      return this.running === running ? found : null;
    } catch (error) {
      this.refused(running, error);
      return null;
    } finally {
      this.ended(running);
    }
  }

  private start(stage: string): AbortController {
    this.cancel();
    const running = new AbortController();
    this.running = running;
    this.activity.value = { stage, done: null };
    return running;
  }

  private ended(running: AbortController): void {
    if (this.running !== running) return;
    this.running = null;
    this.activity.value = null;
  }

  private refused(running: AbortController, error: unknown): void {
    if (running.signal.aborted) return;
    if (error instanceof BackendError && (error.kind === "offline" || error.kind === "denied")) this.server.lose(error);
    this.fail(error);
  }

  cancel(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.running?.abort();
    this.running = null;
    this.activity.value = null;
  }

  /** Closes the strip. */
  close(): void {
    this.cancel();
    batch(() => {
      this.photos.value = null;
      this.pending.value = 0;
      this.layout.value = null;
    });
  }
}
