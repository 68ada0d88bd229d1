/** Keeps the picture in step with the label map: asks for renders, shows previews, and lets the newest request win. */

import { effect, signal, type Signal } from "@preact/signals";
import { BackendError, type BackendDocument, type RunEvent } from "../io/backend";
import type { Document } from "./document";
import { heard, type Activity } from "./errand";
import { union, EMPTY, type Rect } from "./geometry";
import { layerOf, liveLayer, nextName, withLive } from "./layers";
import { anySet } from "./planes";
import { Results } from "./results";
import type { Server } from "./server";
import { settings } from "./settings";
import type { Photo, PlacedPixels } from "./types";

/** Milliseconds between requests while a stroke is drawn. */
const STROKE_PAUSE = 120;

export class Live {
  readonly preview = signal<PlacedPixels | null>(null);
  readonly activity = signal<Activity | null>(null);
  /** True while the map is ahead of the result that is shown. */
  readonly stale: Signal<boolean>;
  readonly timings = signal<Readonly<Record<string, number>> | null>(null);
  private readonly results = new Results();
  private remote: Promise<BackendDocument> | null = null;
  private running: AbortController | null = null;
  private changed: Rect | null = EMPTY;
  /** A preview of the stroke was asked for and hasn't come. */
  private strokeBusy = false;
  /** The stroke went on since a preview was asked for. */
  private strokeOn = false;
  private strokeTurn = 0;
  private lastStroke = -Infinity;
  private pause: ReturnType<typeof setTimeout> | null = null;
  private retry: ReturnType<typeof setTimeout> | null = null;
  private readonly stops: (() => void)[] = [];
  /** The state that was asked for last, or is shown. */
  private current = "";

  constructor(
    private readonly document: Document,
    private readonly server: Server,
    private readonly tell: (message: string) => void,
  ) {
    this.stale = document.outdated;
    const watch = (rect: Rect) => {
      if (this.changed) this.changed = union(this.changed, rect);
    };
    document.onPaint.add(watch);
    this.stops.push(() => document.onPaint.delete(watch));
    this.current = this.key;
    this.stops.push(
      effect(() => {
        const key = this.key;
        const online = server.link.value === "online";
        if (key !== this.current || (online && this.stale.peek())) queueMicrotask(() => this.catchUp());
      }),
    );
    // A project that was painted on and never rendered; one with results comes back as it was.
    if (this.stale.peek() || (document.layers.peek().length === 0 && document.differs())) {
      this.stale.value = true;
      queueMicrotask(() => this.catchUp());
    }
  }

  /** Syncs unless that has been seen to since it was found necessary. */
  private catchUp(): void {
    if (this.key !== this.current || (this.stale.peek() && !this.running)) this.sync();
  }

  private get key(): string {
    return `${this.document.mapState.value}:${this.document.seed.value}`;
  }

  /** Brings the live layer to what the map says: from memory where that state was rendered before. */
  sync(): void {
    const key = this.key;
    this.current = key;
    this.lift();
    if (!this.document.differs()) {
      this.stop();
      this.show(null);
      return;
    }
    const known = this.results.get(key);
    if (known) {
      this.stop();
      this.show(known);
      return;
    }
    this.stale.value = true;
    if (settings.live.peek()) void this.render();
    else this.stop();
  }

  private show(layer: ReturnType<Results["get"]>): void {
    const visible = liveLayer(this.document.layers.value)?.visible ?? true;
    this.document.layers.value = withLive(this.document.layers.value, layer ? { ...layer, visible } : null);
    this.preview.value = null;
    this.stale.value = false;
  }

  /** Renders the map as it is now; what was under way is given up. */
  async render(): Promise<void> {
    const key = this.key;
    this.current = key;
    const result = await this.request(false);
    if (!result || key !== this.key) return;
    const layer = layerOf(result, nextName(this.document.layers.value.filter((other) => other.kept)), this.document.seed.value);
    this.timings.value = result.timings;
    this.results.set(key, layer);
    this.show(layer);
  }

  /** Another picture of the same layout. */
  variant(): void {
    this.document.seed.value = (this.document.seed.value + 1) % 2147483648;
    if (!settings.live.peek()) void this.render();
  }

  /** Call while a stroke is drawn: asks for a preview as often as they come back, and of where it rests. */
  stroke(): void {
    this.strokeOn = true;
    this.follow();
  }

  private follow(): void {
    if (!settings.live.peek() || this.server.link.peek() !== "online") return;
    if (!this.strokeOn || this.strokeBusy || this.pause !== null || this.retry !== null) return;
    const wait = this.lastStroke + STROKE_PAUSE - performance.now();
    if (wait > 0) {
      this.pause = setTimeout(() => {
        this.pause = null;
        this.follow();
      }, wait);
      return;
    }
    this.strokeOn = false;
    this.strokeBusy = true;
    this.lastStroke = performance.now();
    const turn = ++this.strokeTurn;
    void this.request(true).finally(() => turn === this.strokeTurn && this.previewed());
  }

  private previewed(): void {
    this.strokeBusy = false;
    this.follow();
  }

  /** The stroke is over. */
  private lift(): void {
    if (this.pause !== null) clearTimeout(this.pause);
    this.pause = null;
    this.strokeOn = false;
    this.strokeBusy = false;
  }

  /** Call when a stroke or a move ended without changing anything: what was asked for on its way is given up. */
  settle(): void {
    if (this.key !== this.current) return;
    if (this.stale.peek()) this.sync();
    else this.stop();
  }

  private async request(preview: boolean) {
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
    this.running?.abort();
    const running = new AbortController();
    this.running = running;
    this.activity.value = { stage: "waiting", done: null };
    const onEvent = (event: RunEvent) => {
      if (this.running !== running) return;
      if (event.type === "preview") {
        this.preview.value = event.picture;
        this.previewed();
      } else this.activity.value = heard(event, (stage) => stage) ?? this.activity.peek();
    };
    try {
      const remote = await this.opened(running.signal, onEvent);
      running.signal.throwIfAborted();
      const changed = this.changed;
      this.changed = EMPTY;
      const { extent, edited, exclude } = this.document;
      const result = await remote.render(
        {
          edited: { ...extent, ids: edited },
          changed,
          exclude: anySet(exclude) ? exclude : null,
          sources: this.document.sources(),
          seed: this.document.seed.peek(),
          previews: ["warped"],
        },
        { signal: running.signal, onEvent },
      );
      if (this.running !== running) return null;
      this.finished(running);
      if (preview) this.preview.value = { ...result, pixelExtent: result.pixelExtent };
      return result;
    } catch (error) {
      this.failed(running, error);
      return null;
    }
  }

  /** Sends a second photo to where this one is, and finds its label map. Rejects with BackendError. */
  async segmentReference(id: string, photo: Photo, options: { signal: AbortSignal; onEvent: (event: RunEvent) => void }) {
    const remote = await this.opened(options.signal, options.onEvent);
    return remote.segmentReference(id, photo, options);
  }

  private opened(signal: AbortSignal, onEvent: (event: RunEvent) => void): Promise<BackendDocument> {
    // The upload is not given up with the stroke that started it: the next one needs it as well.
    if (!this.remote) {
      const { photo, original } = this.document;
      this.changed = null;
      this.remote = this.server.backend.open(photo, original, { onEvent });
      this.remote.catch(() => (this.remote = null));
    }
    const remote = this.remote;
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      remote.then(resolve, reject);
    });
  }

  private finished(running: AbortController): void {
    if (this.running !== running) return;
    this.running = null;
    this.activity.value = null;
  }

  private failed(running: AbortController, error: unknown): void {
    const mine = this.running === running;
    this.finished(running);
    if (running.signal.aborted || (error instanceof BackendError && error.kind === "superseded")) return;
    if (!(error instanceof BackendError)) {
      this.tell(error instanceof Error ? error.message : String(error));
      return;
    }
    if (error.kind === "offline" || error.kind === "denied") {
      this.stale.value = this.document.differs();
      this.server.lose(error);
    } else if (error.kind === "busy" && mine) {
      this.activity.value = { stage: "server busy", done: null };
      this.retry = setTimeout(() => this.sync(), Math.max(error.retryMs, 250));
    } else this.tell(error.message);
  }

  private stop(): void {
    this.lift();
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
    this.running?.abort();
    this.running = null;
    this.activity.value = null;
    this.preview.value = null;
  }

  /** Gives up what is under way; the map stays as it is, and the result that is shown too. */
  cancel(): void {
    this.stop();
    this.stale.value = this.document.differs();
  }

  close(): void {
    this.stop();
    for (const stop of this.stops) stop();
    void this.remote?.then((remote) => remote.close()).catch(() => undefined);
    this.remote = null;
  }
}
