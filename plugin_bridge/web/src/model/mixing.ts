/** Second photos of a document: taken in, drawn from, and let go again. */

import { batch, signal, type Signal } from "@preact/signals";
import type { RunEvent } from "../io/backend";
import { readPhoto } from "../io/photo_file";
import { sendingRefusal, sendingWarning } from "../io/size_warning";
import type { Document } from "./document";
import { Errand, heard, type Activity, type Task } from "./errand";
import { newId } from "./layers";
import type { Live } from "./live";
import { drawn, labelsIn, uses, withoutDrawing, withoutPlacement, withoutReference } from "./mix";
import type { Server } from "./server";
import type { Drawing, LabelMap, Photo, Reference } from "./types";

/** What the page does for it: words, and a question. */
export interface Manners {
  readonly say: (message: string) => void;
  readonly note: (message: string) => void;
  readonly fail: (error: unknown) => void;
  readonly ask: (text: string, yes: string) => Promise<boolean>;
}

export class Mixing {
  /** The second photo that is looked at. */
  readonly chosen: Signal<string | null> = signal(null);
  private readonly errand: Errand;

  constructor(
    private readonly document: Document,
    private readonly live: Live,
    private readonly server: Server,
    private readonly manners: Manners,
  ) {
    this.errand = new Errand(server, manners.fail);
    this.chosen.value = document.references.peek().at(-1)?.id ?? null;
  }

  /** A photo on its way in; null: none. */
  get taking(): Signal<Activity | null> {
    return this.errand.activity;
  }

  /** The reference that is looked at, or null where there is none. */
  get current(): Reference | null {
    const { value: all } = this.document.references;
    return all.find(({ id }) => id === this.chosen.value) ?? all.at(-1) ?? null;
  }

  /** Takes a picture file in. Resolves to null where that failed or was given up; the user has been told why. */
  addFile(file: Blob, name: string): Promise<Reference | null> {
    return this.take("Reading the photo", () => readPhoto(file, name), null);
  }

  /** Takes a photo in; its label map is asked for where none is given. */
  add(photo: Photo, labels: LabelMap | null = null): Promise<Reference | null> {
    return this.take("Finding what the photo holds", async () => photo, labels);
  }

  cancel(): void {
    this.errand.cancel();
  }

  private take(stage: string, load: () => Promise<Photo>, known: LabelMap | null): Promise<Reference | null> {
    return this.errand.run(stage, async (task) => {
      const photo = await load();
      if (!(await this.mayBeSent(photo))) return null;
      const id = newId("ref");
      task.show({ stage: "Finding what the photo holds", done: null });
      const labels = known ?? (await this.labelled(id, photo, task));
      task.signal.throwIfAborted();
      const reference = { id, photo, labels };
      batch(() => {
        const { mix } = this.document;
        this.document.changeMix("Add second photo", { ...mix, references: [...mix.references, reference] });
        this.chosen.value = id;
      });
      this.manners.say(`${photo.name} can be drawn from`);
      return reference;
    });
  }

  private async mayBeSent(photo: Photo): Promise<boolean> {
    const info = this.server.info.peek();
    const refusal = info && sendingRefusal(photo, info);
    if (refusal) throw new Error(refusal);
    const warning = sendingWarning(photo);
    return !warning || (await this.manners.ask(warning, "Send"));
  }

  private labelled(id: string, photo: Photo, { signal, show }: Task): Promise<LabelMap> {
    const named = (stage: string) => (stage === "upload" ? "Sending the photo" : "Finding what the photo holds");
    const onEvent = (event: RunEvent) => show(heard(event, named));
    // Servers that can't draw from it find its labels all the same: they are what is put into the layout then.
    if (!this.server.info.peek()?.references) return this.server.backend.segment(photo, { signal, onEvent }, false);
    return this.live.segmentReference(id, photo, { signal, onEvent });
  }

  /** Lets a label or a region draw from a label of a photo; empty: from the photo that is edited; null: the label itself. */
  draw(target: Drawing["target"], referenceId: string, label: number | null = null): void {
    const { mix } = this.document;
    this.document.changeMix("Draw from", drawn(mix, target, referenceId, label));
    this.manners.say(`Drawn from ${this.nameOf(referenceId)}`);
  }

  /**
   * The same, where the photo is chosen first: a label that it lacks is drawn from the commonest one that it has, and the
   * user is told so.
   */
  drawLike(target: Drawing["target"], referenceId: string, wanted: number | null): void {
    const reference = this.document.references.peek().find(({ id }) => id === referenceId);
    const there = reference ? labelsIn(reference.labels) : [];
    const lacks = reference && wanted !== null && there.length > 0 && !there.includes(wanted);
    this.draw(target, referenceId, lacks ? there[0]! : null);
    if (!lacks) return;
    const name = (id: number) => this.document.label(id)?.name ?? "unknown";
    this.manners.note(`${reference.photo.name} has no ${name(wanted)}: its ${name(there[0]!)} is drawn from. You can choose another label.`);
  }

  /** Ends a drawing: its pixels are drawn from the photo itself again. */
  drop(id: string): void {
    this.document.changeMix("Draw from this photo", withoutDrawing(this.document.mix, id));
  }

  /** The labels of the placement stay; they are filled from the photo itself. */
  dropPlacement(id: string): void {
    this.document.changeMix("Draw from this photo", withoutPlacement(this.document.mix, id));
  }

  /** Removes a second photo and all that drew from it; one step, which can be undone. */
  remove(id: string): void {
    const { mix } = this.document;
    const name = this.nameOf(id);
    const used = uses(mix, id);
    this.document.changeMix("Remove second photo", withoutReference(mix, id));
    this.manners.say(used ? `${name} removed; what drew from it draws from this photo` : `${name} removed`);
  }

  /** For people. */
  nameOf(referenceId: string): string {
    return this.document.references.peek().find(({ id }) => id === referenceId)?.photo.name ?? "this photo";
  }

  close(): void {
    this.cancel();
  }
}
