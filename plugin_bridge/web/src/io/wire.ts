/** Pictures to messages and back; the only module that knows how pixels are laid out on the wire. */

import { create } from "@bufbuild/protobuf";

import { EMPTY, whole, type Extent, type Rect } from "../model/geometry";
import type { LabelMap, Photo, PlacedPixels } from "../model/types";
import { BackendError } from "./backend";
import {
  BoundsSchema,
  ChannelOrder,
  DataType,
  Encoding,
  LayerKind,
  LayerSchema,
  PixelFormatSchema,
  type Layer,
  type LayerChunk,
} from "./gen/layoutbrush/v1/layers_pb";
import { readPng, rgbaOf } from "./png_read";
import { writePng } from "./png_write";

/** Planes above this size are packed as PNG; below it isn't worth the time. */
const PACK_BYTES = 64 << 10;
const CHANNELS: Partial<Record<ChannelOrder, number>> = {
  [ChannelOrder.GRAY]: 1,
  [ChannelOrder.RGB]: 3,
  [ChannelOrder.RGBA]: 4,
};

export function boundsOf(rect: Rect) {
  return create(BoundsSchema, { x: rect.x, y: rect.y, width: rect.width, height: rect.height });
}

/** Pixels as a host has them; rows follow each other without a gap. */
export function rawLayer(kind: LayerKind, rect: Rect, data: Uint8Array, channelOrder: ChannelOrder, dataType: DataType): Layer {
  const format = create(PixelFormatSchema, { channelOrder, dataType });
  return create(LayerSchema, { kind, bounds: boundsOf(rect), encoding: Encoding.RAW, format, data });
}

async function layer(
  kind: LayerKind,
  rect: Rect,
  pixels: Uint8Array,
  channels: 1 | 3 | 4,
  packed: boolean,
): Promise<Layer> {
  if (packed) {
    const data = await writePng(pixels, rect.width, rect.height, channels);
    return create(LayerSchema, { kind, bounds: boundsOf(rect), encoding: Encoding.PNG, data });
  }
  const order = { 1: ChannelOrder.GRAY, 3: ChannelOrder.RGB, 4: ChannelOrder.RGBA }[channels];
  return rawLayer(kind, rect, pixels, order, DataType.UINT8);
}

/** One byte a pixel: a label map or a mask of `rect`. `data`: rect.width x rect.height bytes. */
export function planeLayer(kind: LayerKind, rect: Rect, data: Uint8Array): Promise<Layer> {
  return layer(kind, rect, data, 1, data.length > PACK_BYTES);
}

/** The photo's numbers, without the alpha where all of it is opaque. `packed`: as PNG. */
export function photoLayer(photo: Photo, packed: boolean, kind = LayerKind.PHOTO): Promise<Layer> {
  const { pixels } = photo;
  const rgba = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.length);
  for (let at = 3; at < rgba.length; at += 4) if (rgba[at] !== 255) return layer(kind, whole(photo), rgba, 4, packed);
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb[to] = rgba[from]!;
    rgb[to + 1] = rgba[from + 1]!;
    rgb[to + 2] = rgba[from + 2]!;
  }
  return layer(kind, whole(photo), rgb, 3, packed);
}

/** The bytes of a rectangle of a plane. */
export function cropped(plane: Uint8Array, extent: Extent, rect: Rect): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(rect.width * rect.height);
  for (let row = 0; row < rect.height; row++) {
    const from = (rect.y + row) * extent.width + rect.x;
    out.set(plane.subarray(from, from + rect.width), row * rect.width);
  }
  return out;
}

/** The smallest rectangle around all bytes within `part` that differ; empty where none does. */
export function difference(a: Uint8Array, b: Uint8Array, extent: Extent, part = whole(extent)): Rect {
  let [left, right, top, bottom] = [extent.width, -1, -1, -1];
  for (let y = part.y; y < part.y + part.height; y++) {
    const start = y * extent.width;
    const end = start + part.x + part.width;
    let first = start + part.x;
    while (first < end && a[first] === b[first]) first++;
    if (first === end) continue;
    let last = end - 1;
    while (a[last] === b[last]) last--;
    if (top < 0) top = y;
    bottom = y;
    left = Math.min(left, first - start);
    right = Math.max(right, last - start);
  }
  return bottom < 0 ? EMPTY : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

function unsupported(): BackendError {
  return new BackendError("failed", "The server sent pixels in a form that was not asked for.", 0, "INTERNAL");
}

interface Samples extends Extent {
  readonly channels: number;
  readonly data: Uint8Array;
}

function samples(message: Layer, data: Uint8Array): Samples {
  const extent = message.pixels ?? message.bounds;
  if (!extent) throw unsupported();
  const { width, height } = extent;
  if (message.encoding === Encoding.PNG) {
    const png = readPng(data);
    if (png.width !== width || png.height !== height) throw unsupported();
    if (png.channels === 1 && png.depth === 8) return { width, height, channels: 1, data: png.samples as Uint8Array };
    return { width, height, channels: 4, data: new Uint8Array(rgbaOf(png).buffer) };
  }
  const channels = CHANNELS[message.format?.channelOrder ?? ChannelOrder.UNSPECIFIED];
  if (!channels || message.format?.dataType !== DataType.UINT8) throw unsupported();
  if (message.format.rowStride > width * channels || data.length !== width * height * channels) throw unsupported();
  return { width, height, channels, data };
}

/** A plane of one byte a pixel that came down. */
export function planeOf(message: Layer, data: Uint8Array): LabelMap {
  const { width, height, channels, data: ids } = samples(message, data);
  if (channels !== 1) throw unsupported();
  return { width, height, ids };
}

/** A picture that came down, as opaque or straight RGBA. */
export function pictureOf(message: Layer, data: Uint8Array): PlacedPixels {
  const { width, height, channels, data: from } = samples(message, data);
  const { x, y, width: across, height: down } = message.bounds ?? { x: 0, y: 0, width, height };
  const pixels = new Uint8ClampedArray(width * height * 4);
  if (channels === 4) pixels.set(from);
  else {
    for (let i = 0, to = 0; to < pixels.length; i += channels, to += 4) {
      pixels[to] = from[i]!;
      pixels[to + 1] = from[channels === 3 ? i + 1 : i]!;
      pixels[to + 2] = from[channels === 3 ? i + 2 : i]!;
      pixels[to + 3] = 255;
    }
  }
  return { bounds: { x, y, width: across, height: down }, pixels, pixelExtent: { width, height } };
}

/** Puts layers together again whose bytes come in chunks, and hands each out when it is whole. */
export class Assembler {
  private readonly waiting = new Map<number, { data: Uint8Array; filled: number; done: (data: Uint8Array) => void }>();

  /** Calls `done` with all bytes, at once or after the last chunk. */
  announce(message: Layer, done: (data: Uint8Array) => void): void {
    if (!message.transferId) return done(message.data);
    const data = new Uint8Array(Number(message.dataSize));
    data.set(message.data);
    this.waiting.set(message.transferId, { data, filled: message.data.length, done });
  }

  /** Throws BackendError where chunks don't fit. */
  feed(chunk: LayerChunk): void {
    const transfer = this.waiting.get(chunk.transferId);
    if (!transfer) return;
    const after = transfer.filled + chunk.data.length;
    if (Number(chunk.offset) !== transfer.filled || after > transfer.data.length) throw broken();
    transfer.data.set(chunk.data, transfer.filled);
    transfer.filled = after;
    if (!chunk.last) return;
    if (after !== transfer.data.length) throw broken();
    this.waiting.delete(chunk.transferId);
    transfer.done(transfer.data);
  }

  get complete(): boolean {
    return this.waiting.size === 0;
  }
}

export function broken(): BackendError {
  return new BackendError("failed", "The server's answer ended too early, or its parts don't fit together.", 0, "DATA_LOSS");
}
