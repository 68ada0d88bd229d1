/** Photos of the server's folder that are like a layout or a draft. */

import { batch, signal, type Signal } from "@preact/signals";
import type { Found, Query } from "../io/backend";
import { Errand, heard, type Activity } from "./errand";
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
  /** What was looked for, for people: "this layout". */
  readonly about = signal("");
  /** The layout that was looked for; null where it was a picture alone. */
  readonly layout: Signal<LabelMap | null> = signal(null);
  private readonly errand: Errand;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly server: Server,
    fail: (error: unknown) => void,
  ) {
    this.errand = new Errand(server, fail);
  }

  get activity(): Signal<Activity | null> {
    return this.errand.activity;
  }

  /** Looks for photos like the query; while the server still looks through its folder it is asked again now and then. */
  async find(query: Query, about: string): Promise<void> {
    this.cancel();
    batch(() => {
      this.about.value = about;
      this.layout.value = query.labels;
    });
    await this.errand.run("Looking for photos", async ({ signal }) => {
      const { photos, pending } = await this.server.backend.find(query, COUNT, { signal });
      signal.throwIfAborted();
      batch(() => {
        this.photos.value = photos;
        this.pending.value = pending;
      });
      if (pending) this.timer = setTimeout(() => void this.find(query, about), AGAIN);
    });
  }

  /** Fetches one of them; null where that failed or was given up: the user has been told why. */
  fetch(name: string): Promise<{ readonly photo: Photo; readonly labels: LabelMap | null } | null> {
    this.cancel();
    const stage = `Fetching ${name}`;
    return this.errand.run(stage, ({ signal, show }) =>
      this.server.backend.fetchFound(name, { signal, onEvent: (event) => show(heard(event, () => stage)) }),
    );
  }

  cancel(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.errand.cancel();
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
