/** The server as the page sees it: asked at the start, asked again by itself when it is lost. */

import { signal } from "@preact/signals";
import { BackendError, type Backend, type ServerInfo } from "../io/backend";

export type Link = "connecting" | "online" | "lost" | "denied";

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 10_000;

export class Server {
  readonly link = signal<Link>("connecting");
  readonly info = signal<ServerInfo | null>(null);
  /** Why it is lost or denied, for people. */
  readonly reason = signal("");
  private wait = FIRST_WAIT;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private asking = false;

  constructor(readonly backend: Backend) {}

  /** Asks now; keeps asking, ever more seldom, until an answer comes. */
  async connect(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    if (this.asking) return;
    this.asking = true;
    try {
      this.info.value = await this.backend.check();
      this.reason.value = "";
      this.wait = FIRST_WAIT;
      this.link.value = "online";
    } catch (error) {
      this.lose(error);
    } finally {
      this.asking = false;
    }
  }

  /** Call when a request found nobody there. */
  lose(error: unknown): void {
    this.reason.value = error instanceof Error ? error.message : "The server does not answer.";
    this.link.value = error instanceof BackendError && error.kind === "denied" ? "denied" : "lost";
    if (this.timer !== null) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      void this.connect();
    }, this.wait);
    this.wait = Math.min(this.wait * 1.6, LONGEST_WAIT);
  }
}
