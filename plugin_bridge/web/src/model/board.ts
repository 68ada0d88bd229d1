/** The board of boxes, and the drafts that the server makes of it: the newest boxes win. */

import { batch, computed, effect, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import type { Draft } from "../io/backend";
import { boxesFile, boxesFrom, MOST_BOXES, newLook, type Box, type Boxes, type Place } from "./boxes";
import { Errand, heard, type Activity } from "./errand";
import type { Extent } from "./geometry";
import { History } from "./history";
import { newId } from "./layers";
import type { Server } from "./server";
import { settings } from "./settings";

/** A draft, with the boxes that it shows. */
export interface Drafted extends Draft {
  readonly boxes: Boxes;
  readonly seed: number;
}

/** Boxes being dragged: one step, however often they change on the way. */
export interface BoxEdit {
  set(next: Boxes): void;
  commit(name: string): void;
  cancel(): void;
}

const STORE = "layoutbrush.boxes";
/** Milliseconds after a change until drafts are asked for again. */
const PAUSE = 120;
const DRAFTING = "Drafting";
const SQUARE: Extent = { width: 512, height: 512 };
export const LARGEST_SEED = 2147483647;
export const COUNTS = ["4", "8", "16"] as const;

/** Layouts that the server remembers for us at most; of longer walks the first one is kept, from which all others come. */
const MOST_BEFORE = 16;

/** A layout whose drafts came, with those that came before it. */
interface Walked {
  readonly boxes: Boxes;
  readonly before: readonly Boxes[];
  /** Seed, count and shape: drafts of others have nothing in common with these. */
  readonly way: string;
}

function key(boxes: Boxes, way: string): string {
  return JSON.stringify([boxes.map(({ id: _, ...box }) => box), way]);
}

/** On an eighth of a pixel, which every float holds exactly: a box that ends at the rim must not reach beyond it. */
function exact(share: number, side: number): number {
  return Math.round(share * side * 8) / 8;
}

export class Board {
  readonly boxes: Signal<Boxes> = signal([]);
  readonly chosen: Signal<string | null> = signal(null);
  /** The shape of the picture: that of the photo it is meant for, or a square. */
  readonly extent: Signal<Extent> = signal(SQUARE);
  readonly seed = signal(0);
  readonly count: Signal<(typeof COUNTS)[number]> = signal("8");
  readonly history = new History();
  /** By their index; those of older boxes stay until newer ones come. */
  readonly drafts: Signal<readonly Drafted[]> = signal([]);
  readonly picked: Signal<number | null> = signal(null);
  /** True where the drafts show other boxes than the board. */
  readonly outdated: ReadonlySignal<boolean>;
  private readonly shown = signal("");
  private readonly walked = new Map<string, Walked>();
  private asked = "";
  private readonly errand: Errand;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private stops: (() => void)[] = [];

  constructor(
    private readonly server: Server,
    private readonly fail: (error: unknown) => void,
  ) {
    this.errand = new Errand(server, fail);
    this.outdated = computed(() => this.shown.value !== this.key);
    this.restore();
  }

  get activity(): Signal<Activity | null> {
    return this.errand.activity;
  }

  private get key(): string {
    return key(this.boxes.value, this.way);
  }

  private get way(): string {
    const { width, height } = this.extent.value;
    return `${this.seed.value} ${this.count.value} ${width} ${height}`;
  }

  /**
   * What came before these boxes, so that their drafts change only where the boxes did: as it was when they were drafted
   * (undo brings the same drafts back), else the drafts that are shown and what came before those.
   */
  private before(asked: string): readonly Boxes[] {
    const known = this.walked.get(asked);
    if (known) return known.before;
    const last = this.walked.get(this.shown.peek());
    if (!last || last.way !== this.way) return [];
    const [first, ...others] = [...last.before, last.boxes];
    return [first!, ...others.slice(-(MOST_BEFORE - 1))];
  }

  get draft(): Drafted | null {
    return this.drafts.value.find(({ index }) => index === this.picked.value) ?? null;
  }

  /** Keeps the boxes, and the drafts in step with them while `live()` is true; until `stop`. */
  watch(live: () => boolean): void {
    this.stop();
    this.stops.push(
      effect(() => {
        const { boxes, extent } = this;
        this.keep({ ...boxesFile(boxes.value, extent.value), seed: this.seed.value, count: this.count.value });
      }),
      effect(() => {
        const now = this.key;
        // The first drafts are asked for by a button.
        if (this.drafts.peek().length && now !== this.asked && live()) this.soon();
      }),
    );
  }

  stop(): void {
    for (const stop of this.stops.splice(0)) stop();
    this.cancel();
  }

  /** Starts a change that goes on for a while. */
  edit(): BoxEdit {
    const before = this.boxes.peek();
    return {
      set: (next) => (this.boxes.value = next),
      cancel: () => (this.boxes.value = before),
      commit: (name) => this.remember(name, before),
    };
  }

  change(name: string, next: Boxes): void {
    const edit = this.edit();
    edit.set(next);
    edit.commit(name);
  }

  private remember(name: string, before: Boxes): void {
    const after = this.boxes.peek();
    if (before === after) return;
    const turn = (boxes: Boxes) => {
      this.boxes.value = boxes;
      if (!boxes.some(({ id }) => id === this.chosen.peek())) this.chosen.value = null;
    };
    this.history.push({ name, bytes: (before.length + after.length) * 64, undo: () => turn(before), redo: () => turn(after) });
  }

  /** What the next box is labelled as: the label that was set last, as far as the server knows it. */
  get label(): string | null {
    const known = this.server.info.value?.draftLabels ?? [];
    const wanted = settings.boxLabel.value;
    return known.includes(wanted) ? wanted : (known[0] ?? null);
  }

  /** A new box in front of all others, chosen; null where there are too many, or no labels to give. */
  add(place: Place): Box | null {
    const { boxes, label } = this;
    if (label === null) return null;
    if (boxes.peek().length >= MOST_BOXES) {
      this.fail(new Error(`There are ${MOST_BOXES} boxes; more can't be drawn.`));
      return null;
    }
    const box = { ...place, id: newId("box"), label, look: newLook(boxes.peek()) };
    this.change("Draw box", [...boxes.peek(), box]);
    this.chosen.value = box.id;
    return box;
  }

  /** Gives a box another look; all others keep theirs. */
  relook(id: string): void {
    const look = newLook(this.boxes.peek());
    this.change("Another look", this.boxes.peek().map((box) => (box.id === id ? { ...box, look } : box)));
  }

  /** Other drafts of the same boxes. */
  vary(): void {
    this.seed.value = (this.seed.value + 1) % (LARGEST_SEED + 1);
    void this.generate();
  }

  private soon(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.generate(), PAUSE);
  }

  /** Asks for drafts of the boxes as they are; what was under way is given up. */
  async generate(): Promise<void> {
    this.cancel();
    const boxes = this.boxes.peek();
    if (!boxes.length) {
      batch(() => {
        this.drafts.value = [];
        this.picked.value = null;
      });
      return;
    }
    const [seed, count, { width, height }] = [this.seed.peek(), Number(this.count.peek()), this.extent.peek()];
    const { key: asked, way } = this;
    const before = this.before(asked);
    this.asked = asked;
    this.activity.value = { stage: "drafts", done: null };
    const messages = (layout: Boxes) => layout.map((box) => wired(box, { width, height }));
    const request = { extent: { width, height }, boxes: messages(boxes), before: before.map(messages), count, seed };
    await this.errand.run(DRAFTING, async ({ signal, show }) => {
      const onDraft = (draft: Draft) => {
        if (!signal.aborted) this.arrived({ ...draft, boxes, seed }, count);
      };
      await this.server.backend.drafts(request, onDraft, { signal, onEvent: (event) => show(heard(event, () => DRAFTING)) });
      signal.throwIfAborted();
      this.walked.set(asked, { boxes, before, way });
      this.shown.value = asked;
    });
  }

  private arrived(draft: Drafted, count: number): void {
    batch(() => {
      const others = this.drafts.peek().filter(({ index }) => index !== draft.index && index < count);
      this.drafts.value = [...others, draft].sort((a, b) => a.index - b.index);
      if (this.picked.peek() === null || this.picked.peek()! >= count) this.picked.value = draft.index;
    });
  }

  /** Gives up what is under way; the drafts that came stay. */
  cancel(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.errand.cancel();
  }

  /** As a file that `layoutbrush draft` reads. */
  file(): object {
    return boxesFile(this.boxes.peek(), this.extent.peek());
  }

  /** Takes the boxes of such a file. Throws Error with a sentence for people. */
  read(json: unknown): void {
    const { boxes } = boxesFrom(json);
    this.change("Open boxes", boxes.map((box) => ({ ...box, id: newId("box") })));
    this.chosen.value = null;
  }

  /** The board takes the shape of a photo; null: a square. */
  shape(extent: Extent | null): void {
    this.extent.value = extent ?? SQUARE;
  }

  private keep(json: object): void {
    try {
      localStorage.setItem(STORE, JSON.stringify(json));
    } catch {
      // No storage: the boxes last as long as the page.
    }
  }

  private restore(): void {
    try {
      const json = JSON.parse(localStorage.getItem(STORE) ?? "null") as { seed?: unknown; count?: unknown } | null;
      if (!json) return;
      this.boxes.value = boxesFrom(json).boxes.map((box) => ({ ...box, id: newId("box") }));
      if (Number.isInteger(json.seed)) this.seed.value = Number(json.seed);
      if (COUNTS.includes(json.count as never)) this.count.value = json.count as (typeof COUNTS)[number];
    } catch {
      // Damaged, or no storage: an empty board.
    }
  }
}

function wired({ label, x, y, look, ...size }: Box, { width, height }: Extent) {
  const [left, top] = [exact(x, width), exact(y, height)];
  const [right, bottom] = [exact(x + size.width, width), exact(y + size.height, height)];
  return { label, look, x: left, y: top, width: Math.max(right - left, 1 / 8), height: Math.max(bottom - top, 1 / 8) };
}
