/** Undo and redo without end: each step holds only what it changed. */

import { computed, signal, type ReadonlySignal } from "@preact/signals";

export interface Step {
  /** For people: "Brush", "Drop layer". */
  readonly name: string;
  /** Memory held, bytes. */
  readonly bytes: number;
  undo(): void;
  redo(): void;
}

export class History {
  private readonly steps = signal<readonly Step[]>([]);
  /** Steps that are done; those after it can be redone. */
  private readonly done = signal(0);

  readonly undoName: ReadonlySignal<string | null> = computed(() => this.steps.value[this.done.value - 1]?.name ?? null);
  readonly redoName: ReadonlySignal<string | null> = computed(() => this.steps.value[this.done.value]?.name ?? null);
  readonly bytes: ReadonlySignal<number> = computed(() => this.steps.value.reduce((sum, step) => sum + step.bytes, 0));
  readonly length: ReadonlySignal<number> = computed(() => this.done.value);

  /** Adds a step that has been done already; what was undone before can't be redone any more. */
  push(step: Step): void {
    this.steps.value = [...this.steps.value.slice(0, this.done.value), step];
    this.done.value++;
  }

  undo(): boolean {
    const step = this.steps.value[this.done.value - 1];
    if (!step) return false;
    this.done.value--;
    step.undo();
    return true;
  }

  redo(): boolean {
    const step = this.steps.value[this.done.value];
    if (!step) return false;
    this.done.value++;
    step.redo();
    return true;
  }
}
