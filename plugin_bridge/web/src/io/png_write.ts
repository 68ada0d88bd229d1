/** PNG files that hold exactly the given bytes: 8 bit, grey, palette, RGB or straight RGBA, with an ICC profile. */

import { zlibSync } from "fflate";

import type { Color } from "../model/types";
import { concat, latin1, view } from "./bytes";
import { crc32 } from "./crc32";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const COLOR_TYPES = { 1: 0, 3: 2, 4: 6 } as const;
const PALETTE_TYPE = 3;

export interface PngOptions {
  /** Carried as it is. */
  readonly profile?: Uint8Array | null;
  /** Colours by index, for one channel; the pixels are then indices. Entries that are null are clear. */
  readonly palette?: readonly (Color | null)[];
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length + 12);
  const fields = view(out);
  fields.setUint32(0, data.length);
  out.set(latin1(type), 4);
  out.set(data, 8);
  fields.setUint32(data.length + 8, crc32(out.subarray(4, data.length + 8)));
  return out;
}

/** Rows with their filter byte: the difference to the row above (2) for flat planes, Paeth (4) for pictures. */
function filtered(pixels: Uint8Array | Uint8ClampedArray, stride: number, height: number, channels: number): Uint8Array {
  const out = new Uint8Array((stride + 1) * height);
  for (let row = 0, at = 0, to = 0; row < height; row++) {
    out[to++] = channels === 1 ? 2 : 4;
    const [rim, end] = [at + (channels === 1 ? stride : channels), at + stride];
    for (; at < rim; at++) out[to++] = pixels[at]! - (row ? pixels[at - stride]! : 0);
    if (!row) for (; at < end; at++) out[to++] = pixels[at]! - pixels[at - channels]!;
    for (; at < end; at++) {
      const left = pixels[at - channels]!;
      const up = pixels[at - stride]!;
      const corner = pixels[at - stride - channels]!;
      let a = up - corner;
      let b = left - corner;
      let c = a + b;
      if (a < 0) a = -a;
      if (b < 0) b = -b;
      if (c < 0) c = -c;
      out[to++] = pixels[at]! - (a <= b && a <= c ? left : b <= c ? up : corner);
    }
  }
  return out;
}

async function deflated(bytes: Uint8Array): Promise<Uint8Array> {
  if (typeof CompressionStream === "undefined") return zlibSync(bytes, { level: 4 });
  // Off the page's thread.
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function header(width: number, height: number, colorType: number): Uint8Array {
  const out = new Uint8Array(13);
  view(out).setUint32(0, width);
  view(out).setUint32(4, height);
  out.set([8, colorType, 0, 0, 0], 8);
  return out;
}

function paletteChunks(palette: readonly (Color | null)[]): Uint8Array[] {
  const colors = Uint8Array.from(palette.flatMap((color) => color ?? [0, 0, 0]));
  const alpha = Uint8Array.from(palette, (color) => (color ? 255 : 0));
  return [chunk("PLTE", colors), ...(alpha.includes(0) ? [chunk("tRNS", alpha)] : [])];
}

/** `pixels`: width x height x channels bytes. Throws RangeError where the sizes don't agree. */
export async function writePng(
  pixels: Uint8Array | Uint8ClampedArray,
  width: number,
  height: number,
  channels: 1 | 3 | 4,
  options: PngOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  if (width < 1 || height < 1 || pixels.length !== width * height * channels) {
    throw new RangeError(`A picture of ${width} x ${height} x ${channels} has no ${pixels.length} bytes.`);
  }
  const { palette, profile } = options;
  const parts = [SIGNATURE, chunk("IHDR", header(width, height, palette ? PALETTE_TYPE : COLOR_TYPES[channels]))];
  if (profile) parts.push(chunk("iCCP", concat([latin1("icc\0\0"), zlibSync(profile)])));
  if (palette) parts.push(...paletteChunks(palette));
  parts.push(chunk("IDAT", await deflated(filtered(pixels, width * channels, height, channels))));
  parts.push(chunk("IEND", new Uint8Array(0)));
  return concat(parts);
}
