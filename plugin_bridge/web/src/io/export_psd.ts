/** Photoshop documents: layers with their masks, and the photo's ICC profile. */

import { writePsdUint8Array, type Layer as PsdLayer, type Psd } from "ag-psd";

import type { Project } from "../model/types";
import { concat, latin1, view } from "./bytes";
import { composite, layerStack, type StackLayer } from "./layer_stack";

/** The format ends here; larger pictures would need PSB. */
const LARGEST_SIDE = 30_000;
const ICC_RESOURCE = 1039;
const HEADER = 26;

/** A mask as the writer wants it: grey RGBA. */
function maskPixels(mask: Uint8Array): Uint8ClampedArray {
  const out = new Uint8ClampedArray(mask.length * 4);
  for (let i = 0; i < mask.length; i++) {
    out.fill(mask[i]!, i * 4, i * 4 + 3);
    out[i * 4 + 3] = 255;
  }
  return out;
}

function psdLayer({ name, bounds, pixels, mask, visible }: StackLayer): PsdLayer {
  const { x, y, width, height } = bounds;
  const place = { left: x, top: y, right: x + width, bottom: y + height };
  return {
    name,
    ...place,
    hidden: !visible,
    imageData: { width, height, data: pixels },
    // Outside its rectangle a mask is what `defaultColor` says: nothing of the layer shows there.
    ...(mask ? { mask: { ...place, defaultColor: 0, imageData: { width, height, data: maskPixels(mask) } } } : {}),
  };
}

/** Adds the image resource that holds the profile; the writer has no place for it. */
function withProfile(psd: Uint8Array, profile: Uint8Array): Uint8Array<ArrayBuffer> {
  const fields = view(psd);
  const resources = HEADER + 4 + fields.getUint32(HEADER);
  const length = fields.getUint32(resources);
  const block = new Uint8Array(12 + profile.length + (profile.length & 1));
  block.set(latin1("8BIM"));
  view(block).setUint16(4, ICC_RESOURCE);
  view(block).setUint32(8, profile.length);
  block.set(profile, 12);
  const out = concat([psd.subarray(0, resources + 4), block, psd.subarray(resources + 4)]);
  view(out).setUint32(resources, length + block.length);
  return out;
}

/** Throws Error with a sentence for people where the format can't hold the project. */
export function psdBytes(project: Project): Uint8Array<ArrayBuffer> {
  const { width, height, profile } = project.photo;
  if (Math.max(width, height) > LARGEST_SIDE) {
    throw new Error(`A PSD holds at most ${LARGEST_SIDE} pixels a side; export an ORA instead.`);
  }
  const psd: Psd = {
    width,
    height,
    children: layerStack(project).map(psdLayer),
    imageData: { width, height, data: composite(project) },
  };
  const bytes = writePsdUint8Array(psd, { noBackground: true }) as Uint8Array<ArrayBuffer>;
  return profile ? withProfile(bytes, profile) : bytes;
}
