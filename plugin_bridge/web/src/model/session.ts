/** The page's one session: the server, the photo that is open, what is said to the user, and the draft that is kept. */

import { effect, signal, type Signal } from "@preact/signals";
import { dropDraft, loadDraft, saveDraft } from "../io/autosave";
import { BackendError, type Backend } from "../io/backend";
import { readPhoto } from "../io/photo_file";
import { PROJECT_ENDING, readProject } from "../io/project_file";
import { sendingRefusal, sendingWarning } from "../io/size_warning";
import { Workspace } from "../tools/workspace";
import { Board, type Drafted } from "./board";
import { boxesLayout } from "./boxes";
import { Document } from "./document";
import { heard, type Activity } from "./errand";
import { Finder } from "./found";
import { draftPhoto, layLayout, mayClose, underLayout } from "./handover";
import { FALLBACK_LABELS } from "./labels";
import { Live } from "./live";
import { Mixing } from "./mixing";
import { Server } from "./server";
import { settings } from "./settings";
import { UNKNOWN, type Label, type LabelMap, type Photo, type Project } from "./types";

export interface Toast {
  readonly id: number;
  readonly text: string;
  readonly kind: "note" | "error";
}

export interface Question {
  readonly text: string;
  readonly yes: string;
  readonly answer: (yes: boolean) => void;
}

/** Milliseconds after the last change until the draft is written. */
const DRAFT_PAUSE = 250;
/** Milliseconds after which it is written even while the user goes on. */
const DRAFT_LATEST = 3000;

export class Session {
  readonly server: Server;
  readonly bench: Signal<Workspace | null> = signal(null);
  /** A photo on its way in: reading, finding labels. */
  readonly opening: Signal<Activity | null> = signal(null);
  readonly toasts: Signal<readonly Toast[]> = signal([]);
  readonly question: Signal<Question | null> = signal(null);
  /** For screen readers. */
  readonly said = signal("");
  /** When the draft was written last; null: not yet. */
  readonly saved: Signal<Date | null> = signal(null);
  readonly board: Board;
  /** True while the board of boxes is what is seen. */
  readonly boarding = signal(false);
  readonly finder: Finder;
  private toastCount = 0;
  private running: AbortController | null = null;
  private draftTimer: ReturnType<typeof setTimeout> | null = null;
  private draftDue = 0;
  private draftsUnderWay = 0;
  private stopDraft: (() => void) | null = null;

  constructor(readonly backend: Backend) {
    this.server = new Server(backend);
    const fail = (error: unknown) => this.fail(error);
    this.board = new Board(this.server, fail);
    this.finder = new Finder(this.server, fail);
  }

  /** Connects, and goes on with what was open when the page was left. */
  async start(): Promise<void> {
    void this.server.connect();
    document.addEventListener("visibilitychange", () => document.hidden && this.flushDraft());
    window.addEventListener("pagehide", () => this.flushDraft());
    this.opening.value = { stage: "Looking for unsaved work", done: null };
    try {
      const draft = await loadDraft();
      if (draft) {
        this.adopt(Document.of(draft));
        this.toast(`Back where you left off: ${draft.photo.name}`);
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.opening.value = null;
    }
  }

  say = (message: string): void => {
    this.said.value = message;
  };

  toast = (text: string, kind: Toast["kind"] = "note"): void => {
    const id = ++this.toastCount;
    this.toasts.value = [...this.toasts.value.filter((toast) => toast.text !== text).slice(-2), { id, text, kind }];
    if (kind === "note") setTimeout(() => this.dismiss(id), 5000);
  };

  dismiss(id: number): void {
    this.toasts.value = this.toasts.value.filter((toast) => toast.id !== id);
  }

  fail(error: unknown): void {
    if (error instanceof DOMException && error.name === "AbortError") return;
    // That nobody answers is said for as long as it lasts: by the banner.
    const passing = error instanceof BackendError && error.kind === "offline";
    this.toast(error instanceof Error ? error.message : String(error), passing ? "note" : "error");
  }

  ask(text: string, yes: string): Promise<boolean> {
    return new Promise((resolve) => {
      this.question.value = {
        text,
        yes,
        answer: (said) => {
          this.question.value = null;
          resolve(said);
        },
      };
    });
  }

  /** Opens a photo or a project file. */
  async open(file: Blob, name: string): Promise<void> {
    await this.while("Reading the file", async (signal) => {
      if (name.endsWith(PROJECT_ENDING)) this.adopt(Document.of(await readProject(file)));
      else await this.openPhoto(await readPhoto(file, name), signal);
    });
  }

  async openSample(load: () => Promise<Photo>): Promise<void> {
    await this.while("Fetching the sample", async (signal) => this.openPhoto(await load(), signal));
  }

  cancelOpening(): void {
    this.running?.abort();
  }

  private async while(stage: string, what: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.running?.abort();
    const running = new AbortController();
    this.running = running;
    this.opening.value = { stage, done: null };
    try {
      await what(running.signal);
    } catch (error) {
      this.fail(error);
    } finally {
      if (this.running === running) {
        this.running = null;
        this.opening.value = null;
      }
    }
  }

  /** Shows the board of boxes, in the shape of the photo that is open, or goes back to where the user came from. */
  turnBoard(on: boolean): void {
    const document = this.bench.peek()?.document;
    this.bench.peek()?.tool.finish?.();
    if (on) {
      this.board.shape(document?.extent ?? null);
      this.board.watch(() => settings.live.value);
    } else this.board.stop();
    this.boarding.value = on;
  }

  /** A draft becomes the photo that is edited. */
  async openDraft(draft: Drafted): Promise<void> {
    if (!(await mayClose(this))) return;
    const photo = draftPhoto(draft, this.board.extent.peek());
    await this.while("Opening the draft", async (signal) => this.openPhoto(photo, signal));
  }

  /** The boxes of a draft, or the labels that the server finds in it, become the layout of the photo that is open. */
  async layDraft(draft: Drafted, by: "boxes" | "labels"): Promise<void> {
    await this.while("Finding what the draft holds", async (signal) => {
      const document = this.bench.peek()?.document;
      if (!document) return;
      const picture = () => draftPhoto(draft, this.board.extent.peek());
      const layout =
        by === "boxes"
          ? boxesLayout(draft.boxes, document.labels, document.extent)
          : await this.backend.segment(picture(), { signal }, false);
      signal.throwIfAborted();
      this.say(layLayout(document, layout, "Layout of a draft") ? "The layout is that of the draft" : "Nothing changed");
      this.turnBoard(false);
    });
  }

  /** A draft becomes a second photo of the one that is open. */
  async referToDraft(draft: Drafted): Promise<void> {
    const taken = await this.bench.peek()?.mixing.add(draftPhoto(draft, this.board.extent.peek()));
    if (taken) this.turnBoard(false);
  }

  /** A found photo becomes a second photo of the one that is open. */
  async referToFound(name: string): Promise<void> {
    const found = await this.finder.fetch(name);
    if (!found) return;
    await this.bench.peek()?.mixing.add(found.photo, found.labels);
  }

  /** A found photo is opened, under the layout that it was found for. */
  async openFound(name: string): Promise<void> {
    const layout = this.finder.layout.peek();
    if (!(await mayClose(this))) return;
    const found = await this.finder.fetch(name);
    if (!found) return;
    await this.while("Opening the photo", async (signal) => {
      const original = found.labels ?? (await this.segmented(found.photo, signal));
      signal.throwIfAborted();
      const labels = this.labels();
      this.adopt(layout ? underLayout(found.photo, original, layout, labels) : new Document(found.photo, labels, original));
    });
  }

  private async openPhoto(photo: Photo, signal: AbortSignal): Promise<void> {
    const info = this.server.info.value;
    const refusal = info && sendingRefusal(photo, info);
    if (refusal) throw new Error(refusal);
    const warning = sendingWarning(photo);
    if (warning && !(await this.ask(warning, "Send"))) return;
    const original = await this.segmented(photo, signal);
    signal.throwIfAborted();
    this.adopt(new Document(photo, this.labels(), original));
    for (const note of photo.notes ?? []) this.toast(note);
  }

  /** The photo's label map; unknown everywhere where no server finds one. */
  async segmented(photo: Photo, signal: AbortSignal): Promise<LabelMap> {
    this.opening.value = { stage: "Finding what the photo holds", done: null };
    try {
      return await this.backend.segment(photo, {
        signal,
        onEvent: (event) => {
          this.opening.value = heard(event, () => "Finding what the photo holds") ?? this.opening.peek();
        },
      });
    } catch (error) {
      if (!(error instanceof BackendError) || !["offline", "denied"].includes(error.kind)) throw error;
      this.server.lose(error);
      this.toast("The labels are unknown until the server answers. You can paint meanwhile.");
      const ids = new Uint8Array(photo.width * photo.height).fill(UNKNOWN);
      return { width: photo.width, height: photo.height, ids };
    }
  }

  /** The server's labels, or those of the bundle that ships. */
  labels(): readonly Label[] {
    const known = this.server.info.value?.labels;
    if (known?.length) return known;
    return FALLBACK_LABELS;
  }

  /** Finds the labels anew; what was painted stays painted. Undo starts afresh. */
  async segmentAgain(): Promise<void> {
    const bench = this.bench.value;
    if (!bench) return;
    await this.while("Finding what the photo holds", async (signal) => {
      const before = bench.document.project();
      const original = await this.segmented(before.photo, signal);
      signal.throwIfAborted();
      const ids = original.ids.slice();
      for (let i = 0; i < ids.length; i++) {
        if (before.edited.ids[i] !== before.original.ids[i]) ids[i] = before.edited.ids[i]!;
      }
      this.adopt(new Document(before.photo, this.labels(), original, { ...before, edited: { ...original, ids } }));
    });
  }

  private adopt(document: Document): void {
    this.bench.value?.close();
    this.stopDraft?.();
    this.board.stop();
    this.boarding.value = false;
    this.finder.close();
    // What went wrong before is of another photo.
    this.toasts.value = this.toasts.value.filter(({ kind }) => kind !== "error");
    const live = new Live(document, this.server, (message) => this.toast(message, "error"));
    const mixing = new Mixing(document, live, this.server, {
      say: this.say,
      note: (message) => this.toast(message),
      fail: (error) => this.fail(error),
      ask: (text, yes) => this.ask(text, yes),
    });
    this.bench.value = new Workspace(document, live, mixing, this.say);
    this.watchDraft(document);
    const unknown = document.original.ids.every((id) => id === UNKNOWN);
    if (unknown) this.segmentWhenFound(document);
    this.say(`Opened ${document.photo.name}, ${document.photo.width} by ${document.photo.height} pixels`);
  }

  /** A photo opened without a server gets its labels when one answers. */
  private segmentWhenFound(document: Document): void {
    const stop = effect(() => {
      const mine = this.bench.value?.document === document;
      const found = this.server.link.value === "online";
      if (mine && !found) return;
      queueMicrotask(() => {
        stop();
        if (mine) void this.segmentAgain();
      });
    });
  }

  private watchDraft(document: Document): void {
    this.stopDraft = effect(() => {
      void [document.mapState.value, document.layers.value, document.references.value, document.placements.value];
      void [document.drawings.value, document.seed.value, document.outdated.value];
      const now = Date.now();
      if (this.draftTimer === null) this.draftDue = now + DRAFT_LATEST;
      else clearTimeout(this.draftTimer);
      this.draftTimer = setTimeout(() => void this.writeDraft(), Math.max(0, Math.min(DRAFT_PAUSE, this.draftDue - now)));
    });
  }

  /** Writes what is not written yet: the page is being hidden or left. */
  flushDraft(): void {
    if (this.draftTimer !== null) void this.writeDraft();
  }

  /** Writes the draft now. */
  async writeDraft(): Promise<void> {
    if (this.draftTimer !== null) clearTimeout(this.draftTimer);
    this.draftTimer = null;
    const project = this.project();
    if (!project) return;
    this.draftsUnderWay++;
    try {
      await saveDraft(project);
      this.saved.value = new Date();
    } catch (error) {
      this.fail(error);
    } finally {
      this.draftsUnderWay--;
    }
  }

  /** True while something is not in the draft yet. */
  get unsaved(): boolean {
    return this.draftTimer !== null || this.draftsUnderWay > 0;
  }

  project(): Project | null {
    return this.bench.value?.document.project() ?? null;
  }

  /** Back to the start; the draft is forgotten. */
  async close(): Promise<void> {
    this.stopDraft?.();
    this.stopDraft = null;
    if (this.draftTimer !== null) clearTimeout(this.draftTimer);
    this.draftTimer = null;
    this.bench.value?.close();
    this.bench.value = null;
    this.saved.value = null;
    await dropDraft().catch(() => undefined);
  }
}
