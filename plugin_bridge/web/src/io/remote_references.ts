/** The second photos that a document on the server holds: each uploaded once, and again when the server has forgotten it. */

import type { LabelMap, Photo, Reference } from "../model/types";
import { whole } from "../model/geometry";
import { LayerKind, type Layer } from "./gen/layoutbrush/v1/layers_pb";
import { photoLayer, planeLayer } from "./wire";

/** What the server holds, or is being sent. */
interface Held {
  readonly photo: Photo;
  readonly labels: LabelMap | null;
  readonly done: Promise<void>;
}

async function referenceLayer(id: string, making: Promise<Layer>): Promise<Layer> {
  const layer = await making;
  layer.referenceId = id;
  return layer;
}

export class RemoteReferences {
  private readonly held = new Map<string, Held>();

  constructor(
    private readonly packed: boolean,
    private readonly upload: (documentId: string, layer: Layer) => Promise<void>,
  ) {}

  /** The server is no longer believed to hold anything. */
  forget(): void {
    this.held.clear();
  }

  /** Uploads a photo alone: its label map is found by the server. */
  photo(documentId: string, id: string, photo: Photo): Promise<void> {
    return this.hold(documentId, id, photo, null);
  }

  /** Says that the server holds this label map of the photo by itself. */
  found(id: string, labels: LabelMap): void {
    const held = this.held.get(id);
    if (held) this.held.set(id, { ...held, labels });
  }

  /**
   * Uploads what of a reference isn't there yet. It isn't given up with the render that began it: the next one needs it as
   * well.
   */
  all(documentId: string, { id, photo, labels }: Reference): Promise<void> {
    return this.hold(documentId, id, photo, labels);
  }

  private hold(documentId: string, id: string, photo: Photo, labels: LabelMap | null): Promise<void> {
    const held = this.held.get(id);
    if (held?.photo === photo && (!labels || held.labels === labels)) return held.done;
    const done = this.send(documentId, id, held?.photo === photo ? held : null, photo, labels);
    const now = { photo, labels, done };
    this.held.set(id, now);
    done.catch(() => {
      if (this.held.get(id) === now) this.held.delete(id);
    });
    return done;
  }

  private async send(documentId: string, id: string, before: Held | null, photo: Photo, labels: LabelMap | null): Promise<void> {
    if (before) await before.done;
    else await this.upload(documentId, await referenceLayer(id, photoLayer(photo, this.packed, LayerKind.REFERENCE_PHOTO)));
    if (!labels) return;
    const making = planeLayer(LayerKind.REFERENCE_LABEL_MAP, whole(labels), labels.ids);
    await this.upload(documentId, await referenceLayer(id, making));
  }
}
