/**
 * PNG files to exact numbers: every colour type and depth, interlaced or not, palette indices if asked for. Browsers decode
 * to premultiplied colours and lose what is under a low alpha; this doesn't.
 */

import { unzlibSync } from "fflate";

import { concat, fromLatin1, view } from "./bytes";
import { crc32 } from "./crc32";

/** The file isn't a sound PNG; the message is for people. */
export class PngError extends Error {
  override readonly name = "PngError";
}

export interface PngHeader {
  readonly width: number;
  readonly height: number;
  /** Bits a sample: 1, 2, 4, 8 or 16. */
  readonly depth: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA. */
  readonly colorType: number;
  readonly interlaced: boolean;
}

export interface Png extends PngHeader {
  readonly channels: number;
  /** As stored, unpacked: width x height x channels numbers of 0 to 2^depth - 1. */
  readonly samples: Uint8Array | Uint16Array;
  /** Red, green, blue after each other, for colour type 3. */
  readonly palette: Uint8Array | null;
  /** The tRNS chunk: alphas of the palette, or one clear colour. */
  readonly transparency: Uint8Array | null;
  readonly profile: Uint8Array | null;
  /** The eXIf chunk. */
  readonly exif: Uint8Array | null;
  /** True where a chunk gAMA or cHRM asks for colours that aren't sRGB. */
  readonly ownGamma: boolean;
}

const SIGNATURE = "\x89PNG\r\n\x1a\n";
const CHANNELS: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const DEPTHS: Record<number, readonly number[]> = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;
const SRGB_GAMMA = 45455;

export function isPng(bytes: Uint8Array): boolean {
  return fromLatin1(bytes.subarray(0, 8)) === SIGNATURE;
}

/** The header alone, so that sizes can be refused before anything is unpacked. */
export function pngHeader(bytes: Uint8Array): PngHeader {
  if (!isPng(bytes) || bytes.length < 33 || fromLatin1(bytes.subarray(12, 16)) !== "IHDR") {
    throw new PngError("The file is no PNG, or its beginning is damaged.");
  }
  const fields = view(bytes);
  const [width, height] = [fields.getUint32(16), fields.getUint32(20)];
  const [depth, colorType, , , interlace] = bytes.subarray(24, 29);
  if (!width || !height || width > 0x7fffffff || height > 0x7fffffff || interlace! > 1) {
    throw new PngError("The PNG's header is damaged.");
  }
  if (!DEPTHS[colorType!]?.includes(depth!)) throw new PngError("The PNG has a pixel format that doesn't exist.");
  return { width, height, depth: depth!, colorType: colorType!, interlaced: interlace === 1 };
}

function chunks(bytes: Uint8Array): { type: string; data: Uint8Array }[] {
  const found: { type: string; data: Uint8Array }[] = [];
  const fields = view(bytes);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = fields.getUint32(at);
    if (at + 12 + length > bytes.length) break;
    const type = fromLatin1(bytes.subarray(at + 4, at + 8));
    if (crc32(bytes.subarray(at + 4, at + 8 + length)) !== fields.getUint32(at + 8 + length)) {
      throw new PngError("The PNG is damaged: a checksum doesn't match.");
    }
    found.push({ type, data: bytes.subarray(at + 8, at + 8 + length) });
    if (type === "IEND") return found;
    at += 12 + length;
  }
  throw new PngError("The PNG is damaged: its end is missing.");
}

/** Undoes the filter of one row, in place. One loop for each kind: rows are many. */
function unfilter(kind: number, line: Uint8Array, above: Uint8Array | null, step: number): void {
  const { length } = line;
  if (kind === 1) for (let i = step; i < length; i++) line[i]! += line[i - step]!;
  else if (kind === 2) {
    if (above) for (let i = 0; i < length; i++) line[i]! += above[i]!;
  } else if (kind === 3) {
    for (let i = 0; i < length; i++) line[i]! += ((i >= step ? line[i - step]! : 0) + (above ? above[i]! : 0)) >> 1;
  } else if (kind === 4) unfilterPaeth(line, above, step);
  else if (kind !== 0) throw new PngError("The PNG is damaged: a row has an unknown filter.");
}

function unfilterPaeth(line: Uint8Array, above: Uint8Array | null, step: number): void {
  if (!above) {
    unfilter(1, line, null, step);
    return;
  }
  for (let i = 0; i < step; i++) line[i]! += above[i]!;
  for (let i = step; i < line.length; i++) {
    const left = line[i - step]!;
    const up = above[i]!;
    const corner = above[i - step]!;
    let a = up - corner;
    let b = left - corner;
    let c = a + b;
    if (a < 0) a = -a;
    if (b < 0) b = -b;
    if (c < 0) c = -c;
    line[i]! += a <= b && a <= c ? left : b <= c ? up : corner;
  }
}

/** Numbers of one row of packed samples. */
function unpack(line: Uint8Array, count: number, depth: number, sample: (index: number, value: number) => void): void {
  if (depth === 8) for (let i = 0; i < count; i++) sample(i, line[i]!);
  else if (depth === 16) for (let i = 0; i < count; i++) sample(i, (line[2 * i]! << 8) | line[2 * i + 1]!);
  else {
    const [perByte, most] = [8 / depth, (1 << depth) - 1];
    for (let i = 0; i < count; i++) {
      sample(i, (line[Math.floor(i / perByte)]! >> (8 - depth * ((i % perByte) + 1))) & most);
    }
  }
}

function rowBytes(width: number, channels: number, depth: number): number {
  return Math.ceil((width * channels * depth) / 8);
}

interface Pass {
  readonly x: number;
  readonly y: number;
  readonly stepX: number;
  readonly stepY: number;
  readonly width: number;
  readonly height: number;
}

function passes(header: PngHeader): Pass[] {
  const steps = header.interlaced ? PASSES : [[0, 0, 1, 1] as const];
  return steps
    .map(([x, y, stepX, stepY]) => ({
      x,
      y,
      stepX,
      stepY,
      width: Math.ceil((header.width - x) / stepX),
      height: Math.ceil((header.height - y) / stepY),
    }))
    .filter((pass) => pass.width > 0 && pass.height > 0);
}

function inflated(packed: Uint8Array, size: number): Uint8Array {
  let bytes: Uint8Array;
  try {
    // One byte more than there may be: a file that unpacks to more than its header says is refused, not followed.
    bytes = unzlibSync(packed, { out: new Uint8Array(size + 1) });
  } catch {
    throw new PngError("The PNG is damaged: its pixels can't be unpacked.");
  }
  if (bytes.length !== size) throw new PngError("The PNG is damaged: it holds another number of pixels than it says.");
  return bytes;
}

function samplesOf(header: PngHeader, packed: Uint8Array, channels: number): Uint8Array | Uint16Array {
  const { width, height, depth } = header;
  const all = passes(header);
  const size = all.reduce((sum, pass) => sum + (rowBytes(pass.width, channels, depth) + 1) * pass.height, 0);
  const bytes = inflated(packed, size);
  const samples = depth === 16 ? new Uint16Array(width * height * channels) : new Uint8Array(width * height * channels);
  const step = Math.max(1, (channels * depth) >> 3);
  let at = 0;
  for (const pass of all) {
    const stride = rowBytes(pass.width, channels, depth);
    let above: Uint8Array | null = null;
    for (let row = 0; row < pass.height; row++, at += stride + 1) {
      const line = bytes.subarray(at + 1, at + 1 + stride);
      unfilter(bytes[at]!, line, above, step);
      above = line;
      const start = (pass.y + row * pass.stepY) * width + pass.x;
      if (depth === 8 && pass.stepX === 1) samples.set(line, start * channels);
      else {
        unpack(line, pass.width * channels, depth, (index, value) => {
          const column = Math.floor(index / channels);
          samples[(start + column * pass.stepX) * channels + (index % channels)] = value;
        });
      }
    }
  }
  return samples;
}

function profileOf(data: Uint8Array): Uint8Array | null {
  const end = data.indexOf(0);
  if (end < 0 || data[end + 1] !== 0) return null;
  try {
    return unzlibSync(data.subarray(end + 2));
  } catch {
    return null;
  }
}

/** Throws PngError. Check `pngHeader` first where memory matters. */
export function readPng(bytes: Uint8Array): Png {
  const header = pngHeader(bytes);
  const all = chunks(bytes);
  const first = (type: string) => all.find((chunk) => chunk.type === type)?.data ?? null;
  const channels = CHANNELS[header.colorType]!;
  const palette = first("PLTE");
  if (header.colorType === 3 && (!palette || palette.length % 3 || palette.length > 768)) {
    throw new PngError("The PNG is damaged: its palette is missing.");
  }
  const packed = concat(all.filter((chunk) => chunk.type === "IDAT").map((chunk) => chunk.data));
  const profile = first("iCCP");
  const gamma = first("gAMA");
  const own = gamma?.length === 4 && Math.abs(view(gamma).getUint32(0) - SRGB_GAMMA) > 500;
  return {
    ...header,
    channels,
    samples: samplesOf(header, packed, channels),
    palette: header.colorType === 3 ? palette : null,
    transparency: first("tRNS"),
    profile: profile ? profileOf(profile) : null,
    exif: first("eXIf"),
    ownGamma: own && !profile && !first("sRGB"),
  };
}

/** The pixels of an 8-bit RGB or RGBA file without a clear colour: most photos. */
function plainRgba(samples: Uint8Array | Uint16Array, channels: number, out: Uint8ClampedArray): void {
  for (let from = 0, to = 0; to < out.length; from += channels, to += 4) {
    out[to] = samples[from]!;
    out[to + 1] = samples[from + 1]!;
    out[to + 2] = samples[from + 2]!;
    out[to + 3] = channels === 4 ? samples[from + 3]! : 255;
  }
}

/** Straight RGBA of 8 bit: 16 bit keep their upper 8, 1, 2 and 4 bit are stretched to the whole range. */
export function rgbaOf(png: Png): Uint8ClampedArray<ArrayBuffer> {
  const { width, height, depth, channels, samples, palette, transparency, colorType } = png;
  const out = new Uint8ClampedArray(width * height * 4);
  if (depth === 8 && channels >= 3 && !transparency) {
    plainRgba(samples, channels, out);
    return out;
  }
  const eight = (value: number) => (depth === 16 ? value >> 8 : depth === 8 ? value : (value * 255) / ((1 << depth) - 1));
  const clear = transparency && !palette && transparency.length >= channels * 2 ? view(transparency) : null;
  for (let from = 0, to = 0; to < out.length; from += channels, to += 4) {
    const value = samples[from]!;
    out[to + 3] = 255;
    if (palette) {
      if (value * 3 >= palette.length) throw new PngError("The PNG is damaged: a pixel's colour isn't in its palette.");
      out.set(palette.subarray(value * 3, value * 3 + 3), to);
      out[to + 3] = transparency?.[value] ?? 255;
      continue;
    }
    const colored = colorType === 2 || colorType === 6;
    for (let channel = 0; channel < 3; channel++) out[to + channel] = eight(samples[colored ? from + channel : from]!);
    if (colorType === 4 || colorType === 6) out[to + 3] = eight(samples[from + channels - 1]!);
    else if (clear) {
      let same = true;
      for (let channel = 0; channel < channels; channel++) same &&= samples[from + channel] === clear.getUint16(2 * channel);
      if (same) out[to + 3] = 0;
    }
  }
  return out;
}
