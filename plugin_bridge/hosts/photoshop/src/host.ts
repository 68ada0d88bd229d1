/** Photoshop's documents, layers and pixels. Nothing here touches a layer that this plug-in didn't make. */

import { intersect, isEmpty, type Rect } from "../../../web/src/model/geometry";
import type { Color, RenderResult } from "../../../web/src/model/types";
import type { Photoshop, PhotoshopDocument, PhotoshopImageData, PhotoshopLayer } from "./photoshop";
import { deepened, shallow, withoutAlpha, type Samples } from "./pixels";
import { Problem } from "./problem";

export const LABELS = "Layoutbrush labels";
export const RESULT = "Layoutbrush result";
const PIXELS = "pixel";

/** Pixels of a layer within the canvas. `data`: chunky, 3 or 4 channels of 8 bit, or of 16 bit as Photoshop has them. */
export interface LayerPixels {
  readonly bounds: Rect;
  readonly channels: 3 | 4;
  readonly data: Samples;
  readonly profile: string;
}

/** A document as it was when work began; later steps refuse to land anywhere else. */
export interface Target {
  readonly id: number;
  readonly title: string;
  readonly width: number;
  readonly height: number;
  readonly depth: 8 | 16;
}

export class Host {
  constructor(private readonly photoshop: Photoshop) {}

  /** The active document. Throws Problem where there is none that can be edited. */
  target(): Target {
    const document = this.photoshop.app.activeDocument;
    if (!document) throw new Problem("No document is open.");
    const { id, title, width, height, mode, bitsPerChannel } = document;
    if (!/^RGB/i.test(mode)) {
      throw new Problem("The document is not RGB. Choose Image > Mode > RGB Color first, or work on a copy.");
    }
    const bits = Number(/\d+/.exec(bitsPerChannel)?.[0]);
    if (bits !== 8 && bits !== 16) {
      throw new Problem(`The document has ${bits} bits a channel; Layoutbrush works with 8 and 16 (Image > Mode).`);
    }
    return { id, title, width, height, depth: bits };
  }

  /** Layers that can be the photo, from the bottom. */
  photoLayers(target: Target): PhotoshopLayer[] {
    const all = (layers: readonly PhotoshopLayer[]): PhotoshopLayer[] =>
      layers.flatMap((layer) => (layer.layers ? all(layer.layers) : [layer]));
    return all(this.document(target).layers)
      .filter(({ kind, name }) => kind === PIXELS && !name.startsWith("Layoutbrush "))
      .reverse();
  }

  labelLayer(target: Target): PhotoshopLayer | null {
    return this.document(target).layers.find(({ name }) => name === LABELS) ?? null;
  }

  /** The pixels of a layer that lie on the canvas. */
  async read(target: Target, layer: PhotoshopLayer): Promise<LayerPixels> {
    const { left, top, right, bottom } = layer.bounds;
    const canvas = { x: 0, y: 0, width: target.width, height: target.height };
    const bounds = intersect({ x: left, y: top, width: right - left, height: bottom - top }, canvas);
    if (isEmpty(bounds)) throw new Problem(`The layer "${layer.name}" has no pixels on the canvas.`);
    const sourceBounds = { left: bounds.x, top: bounds.y, right: bounds.x + bounds.width, bottom: bounds.y + bounds.height };
    return this.modal(`Read ${layer.name}`, async () => {
      const { imaging } = this.photoshop;
      const found = await imaging.getPixels({
        ...{ documentID: target.id, layerID: layer.id, sourceBounds },
        ...{ colorSpace: "RGB", componentSize: target.depth, applyAlpha: false },
      });
      const { imageData } = found;
      try {
        const data = await imageData.getData({ chunky: true, fullRange: false });
        const { width, height, components, colorProfile } = imageData;
        if (data instanceof Float32Array || (components !== 3 && components !== 4)) {
          throw new Problem("Photoshop gave pixels in a form that was not asked for.");
        }
        const { left: x, top: y } = found.sourceBounds;
        return { bounds: { x, y, width, height }, channels: components, data, profile: colorProfile };
      } finally {
        imageData.dispose();
      }
    });
  }

  /** Makes the label layer anew, above all others and half clear. One step in the history. */
  async writeLabels(target: Target, bounds: Rect, rgba: Uint8ClampedArray, profile: string): Promise<void> {
    const document = this.document(target);
    await this.step(target, "Layoutbrush: labels", async () => {
      const layer = await document.createPixelLayer({ name: LABELS, opacity: 60 });
      const top = document.layers[0];
      if (top && top.id !== layer.id) layer.move(top, "placeBefore");
      await this.put(target, layer, bounds, rgba, 4, profile);
    });
  }

  /** A result as a layer of its own, with its mask, right above `photo`. One step in the history. */
  async writeResult(target: Target, photo: PhotoshopLayer, origin: Rect, result: RenderResult, profile: string): Promise<void> {
    const document = this.document(target);
    const { x, y, width, height } = result.bounds;
    const bounds = { x: origin.x + x, y: origin.y + y, width, height };
    const [active] = document.activeLayers;
    await this.step(target, "Layoutbrush: generate", async () => {
      const layer = await document.createPixelLayer({ name: this.resultName(document) });
      layer.move(photo, "placeBefore");
      await this.put(target, layer, bounds, withoutAlpha(result.pixels), 3, profile);
      await this.mask(target, layer, bounds, result.mask);
      // Back to where the painter was: the next stroke belongs on the label layer, not on the result.
      if (active) await this.select(active);
    });
  }

  /** What Photoshop's brushes paint with. */
  async setForeground([red, green, blue]: Color): Promise<void> {
    await this.modal("Choose label", async () => {
      const color = new this.photoshop.app.SolidColor();
      Object.assign(color.rgb, { red, green, blue });
      this.photoshop.app.foregroundColor = color;
    });
  }

  private document(target: Target): PhotoshopDocument {
    const found = this.photoshop.app.documents.find(({ id }) => id === target.id);
    if (!found) throw new Problem(`"${target.title}" was closed; there is nowhere to put the result.`);
    if (found.width !== target.width || found.height !== target.height) {
      throw new Problem(`"${target.title}" has another size now; start again.`);
    }
    return found;
  }

  private resultName(document: PhotoshopDocument): string {
    const names = new Set(document.layers.map(({ name }) => name));
    for (let number = 1; ; number++) if (!names.has(`${RESULT} ${number}`)) return `${RESULT} ${number}`;
  }

  private modal<T>(commandName: string, work: () => Promise<T>): Promise<T> {
    return this.photoshop.core.executeAsModal(work, { commandName });
  }

  /** One state in the document's history, or none at all. */
  private async step(target: Target, name: string, work: () => Promise<void>): Promise<void> {
    await this.photoshop.core.executeAsModal(
      async ({ hostControl }) => {
        const suspension = await hostControl.suspendHistory({ documentID: target.id, name });
        let done = false;
        try {
          await work();
          done = true;
        } finally {
          await hostControl.resumeHistory(suspension, done);
        }
      },
      { commandName: name },
    );
  }

  private async put(
    target: Target,
    layer: PhotoshopLayer,
    bounds: Rect,
    samples: ArrayLike<number>,
    components: 3 | 4,
    profile: string,
  ): Promise<void> {
    const { imaging } = this.photoshop;
    const imageData = await this.imageData(target, samples, bounds, {
      ...{ components, colorSpace: "RGB" },
      ...(profile ? { colorProfile: profile } : {}),
    });
    try {
      await imaging.putPixels({
        ...{ documentID: target.id, layerID: layer.id, imageData, replace: true, commandName: layer.name },
        targetBounds: { left: bounds.x, top: bounds.y },
      });
    } finally {
      imageData.dispose();
    }
  }

  private async select({ id }: PhotoshopLayer): Promise<void> {
    const command = { _obj: "select", _target: [{ _ref: "layer", _id: id }], makeVisible: false };
    await this.photoshop.action.batchPlay([command], {});
  }

  private async mask(target: Target, layer: PhotoshopLayer, bounds: Rect, mask: Uint8Array): Promise<void> {
    const { imaging, action } = this.photoshop;
    await this.select(layer);
    // A mask that hides everything first: what lies outside the given pixels then stays hidden.
    const hideAll = {
      _obj: "make",
      new: { _class: "channel" },
      at: { _ref: "channel", _enum: "channel", _value: "mask" },
      using: { _enum: "userMaskEnabled", _value: "hideAll" },
    };
    await action.batchPlay([hideAll], {});
    const imageData = await this.imageData(target, mask, bounds, { components: 1, colorSpace: "Grayscale" });
    try {
      await imaging.putLayerMask({
        ...{ documentID: target.id, layerID: layer.id, kind: "user", imageData, replace: true, commandName: layer.name },
        targetBounds: { left: bounds.x, top: bounds.y },
      });
    } finally {
      imageData.dispose();
    }
  }

  /** In the document's own depth. */
  private imageData(
    { depth }: Target,
    samples: ArrayLike<number>,
    { width, height }: Rect,
    form: { components: 1 | 3 | 4; colorSpace: "RGB" | "Grayscale"; colorProfile?: string },
  ): Promise<PhotoshopImageData> {
    const options = { ...form, width, height, chunky: true, fullRange: false };
    const buffer = depth === 16 ? deepened(samples) : Uint8Array.from(samples);
    return this.photoshop.imaging.createImageDataFromBuffer(buffer, options);
  }
}

/** The whole canvas' worth of a layer as 8-bit RGBA, clear where the layer has nothing. */
export function onto({ bounds, channels, data }: LayerPixels, frame: Rect): Uint8Array {
  const from = shallow(data);
  const out = new Uint8Array(frame.width * frame.height * 4);
  const part = intersect(bounds, frame);
  for (let y = part.y; y < part.y + part.height; y++) {
    let at = ((y - bounds.y) * bounds.width + part.x - bounds.x) * channels;
    let to = ((y - frame.y) * frame.width + part.x - frame.x) * 4;
    for (let i = 0; i < part.width; i++, at += channels, to += 4) {
      out[to] = from[at]!;
      out[to + 1] = from[at + 1]!;
      out[to + 2] = from[at + 2]!;
      out[to + 3] = channels === 4 ? from[at + 3]! : 255;
    }
  }
  return out;
}
