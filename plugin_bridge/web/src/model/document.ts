/** A photo being edited: its label maps, layers, references, and the steps that led here. */

import { batch, signal } from "@preact/signals";
import { applyDelta, Recorder, type Delta } from "./delta";
import { union, EMPTY, whole, type Extent, type Rect } from "./geometry";
import { History } from "./history";
import { stackBytes, type Stack } from "./layers";
import { anySet, sameBytes } from "./planes";
import { sourcesOf, type Mix, type Source } from "./mix";
import { Selection } from "./selection";
import type { Drawing, Label, LabelMap, Photo, Placement, Project, Reference } from "./types";

/** One edit under way: both planes are watched until `commit` or `cancel`. */
export interface Edit {
  /** Call before writing to `edited` or `exclude` inside the rectangle, and `painted` afterwards. */
  touch(rect: Rect): void;
  /** What `edited` held before the edit. */
  was(x: number, y: number): number;
  /** Puts both planes back as they were and goes on. */
  revert(): void;
  commit(name: string): boolean;
  cancel(): void;
}

export class Document {
  readonly extent: Extent;
  readonly edited: Uint8Array;
  readonly exclude: Uint8Array;
  readonly history = new History();
  readonly layers = signal<Stack>([]);
  readonly references = signal<readonly Reference[]>([]);
  readonly placements = signal<readonly Placement[]>([]);
  readonly drawings = signal<readonly Drawing[]>([]);
  readonly selection: Selection;
  /** Names the state of the label map and of what it draws from: the same number is the same state. 0 is as opened. */
  readonly mapState = signal(0);
  readonly seed = signal(0);
  /** True while the map is ahead of the live layer. */
  readonly outdated = signal(false);
  /** Told about every painted rectangle of the planes, as it happens. */
  readonly onPaint = new Set<(rect: Rect) => void>();
  private states = 0;

  constructor(
    readonly photo: Photo,
    readonly labels: readonly Label[],
    /** What is where in the photo. */
    readonly original: LabelMap,
    from: Partial<Pick<Project, "edited" | "exclude" | "layers" | "references" | "placements" | "drawings" | "seed" | "outdated">> = {},
  ) {
    this.extent = { width: photo.width, height: photo.height };
    this.edited = (from.edited ?? original).ids.slice();
    this.exclude = from.exclude?.slice() ?? new Uint8Array(photo.width * photo.height);
    this.selection = new Selection(this.extent);
    this.layers.value = from.layers ?? [];
    this.references.value = from.references ?? [];
    this.placements.value = from.placements ?? [];
    this.drawings.value = from.drawings ?? [];
    this.seed.value = from.seed ?? 0;
    this.outdated.value = from.outdated ?? false;
  }

  static of(project: Project): Document {
    return new Document(project.photo, project.labels, project.original, project);
  }

  /** Everything as it is now; the planes are copied, the rest is shared. */
  project(): Project {
    return {
      photo: this.photo,
      labels: this.labels,
      original: this.original,
      edited: { ...this.extent, ids: this.edited.slice() },
      exclude: anySet(this.exclude) ? this.exclude.slice() : null,
      layers: this.layers.value,
      references: this.references.value,
      placements: this.placements.value,
      drawings: this.drawings.value,
      seed: this.seed.value,
      ...(this.outdated.value && { outdated: true }),
    };
  }

  label(id: number): Label | null {
    return this.labels.find((label) => label.id === id) ?? null;
  }

  painted(rect: Rect): void {
    for (const listener of this.onPaint) listener(rect);
  }

  /** What the layout draws from besides its own photo. */
  get mix(): Mix {
    return { references: this.references.value, placements: this.placements.value, drawings: this.drawings.value };
  }

  private set mix(mix: Mix) {
    batch(() => {
      this.references.value = mix.references;
      this.placements.value = mix.placements;
      this.drawings.value = mix.drawings;
    });
  }

  /** Changes what the layout draws from, as one step that can be undone. */
  changeMix(name: string, next: Mix): void {
    const before = this.mix;
    // A photo that nothing draws from changes no picture.
    const from = this.mapState.value;
    const to = before.placements === next.placements && before.drawings === next.drawings ? from : ++this.states;
    const turn = (state: number, mix: Mix) =>
      batch(() => {
        this.mix = mix;
        this.mapState.value = state;
      });
    const [undo, redo] = [() => turn(from, before), () => turn(to, next)];
    this.history.push({ name, bytes: mixBytes(before, next) + 64, undo, redo });
    redo();
  }

  /** The sources of a render of the map as it is now. */
  sources(): Source[] {
    const { references } = this.mix;
    return references.length ? sourcesOf(this.mix, { ...this.extent, ids: this.edited }) : [];
  }

  /** Starts an edit of the planes. */
  edit(): Edit {
    const edited = new Recorder(this.edited, this.extent);
    const exclude = new Recorder(this.exclude, this.extent);
    const placements = this.placements.value;
    const revert = () => {
      this.painted(union(edited.revert(), exclude.revert()));
      this.placements.value = placements;
    };
    return {
      touch: (rect) => {
        edited.touch(rect);
        exclude.touch(rect);
      },
      was: (x, y) => edited.was(x, y),
      revert,
      cancel: revert,
      commit: (name) => this.commit(name, edited.finish(), exclude.finish(), placements),
    };
  }

  private commit(name: string, edited: Delta | null, exclude: Delta | null, before: readonly Placement[]): boolean {
    const after = this.placements.value;
    if (!edited && !exclude && before === after) return false;
    const from = this.mapState.value;
    const to = ++this.states;
    const turn = (state: number, placements: readonly Placement[]) => {
      if (edited) applyDelta(this.edited, this.extent, edited);
      if (exclude) applyDelta(this.exclude, this.extent, exclude);
      this.placements.value = placements;
      this.painted(union(edited?.bounds ?? EMPTY, exclude?.bounds ?? EMPTY));
      this.mapState.value = state;
    };
    this.history.push({
      name,
      bytes: (edited?.bytes ?? 0) + (exclude?.bytes ?? 0) + 64,
      undo: () => turn(from, before),
      redo: () => turn(to, after),
    });
    this.mapState.value = to;
    return true;
  }

  /** Changes the stack as one step that can be undone. A live layer that came since then stays where it is. */
  changeLayers(name: string, next: Stack): void {
    const before = this.layers.value;
    this.layers.value = next;
    const gone = before.filter((layer) => !next.some((other) => other.id === layer.id));
    this.history.push({
      name,
      bytes: stackBytes(gone) + 64,
      undo: () => this.restoreLayers(before),
      redo: () => this.restoreLayers(next),
    });
  }

  private restoreLayers(stack: Stack): void {
    this.layers.value = stack;
  }

  /** True where the layout asks for something else than the photo: another label, or another photo to draw from. */
  differs(): boolean {
    if (anySet(this.exclude) || !sameBytes(this.original.ids, this.edited)) return true;
    return this.sources().some(({ reference }) => reference !== null);
  }

  get bounds(): Rect {
    return whole(this.extent);
  }
}

/** What history holds that the newer of two mixes doesn't. */
function mixBytes(before: Mix, after: Mix): number {
  const gone = before.references.filter((one) => !after.references.includes(one));
  return gone.reduce((sum, { photo, labels }) => sum + photo.pixels.length + labels.ids.length, 0);
}
