/** OpenRaster documents (https://www.openraster.org): a zip of PNGs with a list of layers. */

import { strToU8, zipSync, type Zippable } from "fflate";

import type { Project } from "../model/types";
import { composite, layerStack, type StackLayer } from "./layer_stack";
import { pngOfMask, pngOfPicture } from "./project_png";

const THUMBNAIL_SIDE = 256;

function escaped(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };
  // Control characters have no place in XML, not even escaped.
  return text.replace(/[\u0000-\u001f\u007f\ufffe\uffff]/g, " ").replace(/[&<>"']/g, (character) => entities[character]!);
}

/** OpenRaster has no masks: the layer's alpha is its mask, and the mask follows as a hidden grey layer of its own. */
function masked({ pixels, mask }: StackLayer): Uint8ClampedArray {
  if (!mask) return pixels;
  const out = new Uint8ClampedArray(pixels);
  for (let i = 0; i < mask.length; i++) out[i * 4 + 3] = mask[i]!;
  return out;
}

function thumbnail(pixels: Uint8ClampedArray, width: number, height: number) {
  const scale = Math.min(1, THUMBNAIL_SIDE / Math.max(width, height));
  const [across, down] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  const from = new Uint32Array(pixels.buffer, pixels.byteOffset, width * height);
  const out = new Uint32Array(across * down);
  for (let y = 0; y < down; y++) {
    const row = Math.floor(((y + 0.5) * height) / down) * width;
    for (let x = 0; x < across; x++) out[y * across + x] = from[row + Math.floor(((x + 0.5) * width) / across)]!;
  }
  return { pixels: new Uint8ClampedArray(out.buffer), width: across, height: down };
}

function entry(name: string, source: string, { x, y }: { x: number; y: number }, visible: boolean): string {
  const visibility = visible ? "visible" : "hidden";
  return `<layer name="${escaped(name)}" src="${source}" x="${x}" y="${y}" opacity="1.0" visibility="${visibility}" composite-op="svg:src-over"/>`;
}

export async function oraBytes(project: Project): Promise<Uint8Array<ArrayBuffer>> {
  const { width, height, profile } = project.photo;
  const files: Zippable = {};
  // Must come first and unpacked, so that the file's kind can be read at a fixed place.
  files["mimetype"] = strToU8("image/openraster");
  const entries: string[] = [];
  for (const [index, layer] of layerStack(project).entries()) {
    const source = `data/layer${index}.png`;
    files[source] = await pngOfPicture({ ...layer.bounds, pixels: masked(layer) }, profile);
    entries.push(entry(layer.name, source, layer.bounds, layer.visible));
    if (!layer.mask) continue;
    files[`data/mask${index}.png`] = await pngOfMask({ ...layer.bounds, ids: layer.mask });
    entries.push(entry(`${layer.name} mask`, `data/mask${index}.png`, layer.bounds, false));
  }
  const stack = entries.reverse().join("\n    ");
  files["stack.xml"] = strToU8(
    `<?xml version="1.0" encoding="UTF-8"?>\n<image version="0.0.3" w="${width}" h="${height}">\n  <stack>\n    ${stack}\n  </stack>\n</image>\n`,
  );
  const merged = composite(project);
  files["mergedimage.png"] = await pngOfPicture({ width, height, pixels: merged }, profile);
  files["Thumbnails/thumbnail.png"] = await pngOfPicture(thumbnail(merged, width, height), profile);
  return zipSync(files, { level: 0 }) as Uint8Array<ArrayBuffer>;
}
