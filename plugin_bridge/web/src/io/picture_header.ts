/** What a picture file says of itself before it is decoded: kind, size, profile, orientation. PNG has `png_read`. */

import { concat, fromLatin1, view } from "./bytes";
import { orientationOf, type Orientation } from "./exif";
import { isPng, pngHeader } from "./png_read";

export interface PictureHeader {
  readonly kind: "png" | "jpeg" | "webp" | "gif" | "other";
  /** As stored, before orientation; 0 where the header doesn't tell. */
  readonly width: number;
  readonly height: number;
  /** Bits a channel. */
  readonly depth: number;
  /** JPEG only: 1 grey, 3 colour, 4 CMYK. */
  readonly components: number;
  readonly orientation: Orientation;
  readonly profile: Uint8Array | null;
}

const ICC_MARK = "ICC_PROFILE\0";
const OTHER = { depth: 8, components: 3, orientation: 1, profile: null } as const;

/** Start-of-frame markers: all of C0 to CF but DHT, JPG and DAC. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

/** Profiles above 64 KiB come in numbered parts. */
function joined(parts: { index: number; count: number; data: Uint8Array }[]): Uint8Array | null {
  parts.sort((a, b) => a.index - b.index);
  const whole = parts.length > 0 && parts.every((part, i) => part.index === i + 1 && part.count === parts.length);
  return whole ? concat(parts.map((part) => part.data)) : null;
}

function jpegHeader(bytes: Uint8Array): PictureHeader {
  const fields = view(bytes);
  const parts: { index: number; count: number; data: Uint8Array }[] = [];
  let size = { width: 0, height: 0, depth: 8, components: 3 };
  let orientation: Orientation = 1;
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1]!;
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === 0xda || marker === 0xd9) break;
    const length = fields.getUint16(at + 2);
    const data = bytes.subarray(at + 4, at + 2 + length);
    if (isFrame(marker) && data.length >= 6) {
      const inside = view(data);
      size = { depth: data[0]!, height: inside.getUint16(1), width: inside.getUint16(3), components: data[5]! };
    } else if (marker === 0xe1 && fromLatin1(data.subarray(0, 6)) === "Exif\0\0") orientation = orientationOf(data);
    else if (marker === 0xe2 && fromLatin1(data.subarray(0, 12)) === ICC_MARK) {
      parts.push({ index: data[12]!, count: data[13]!, data: data.subarray(14) });
    }
    at += 2 + length;
  }
  return { kind: "jpeg", ...size, orientation, profile: joined(parts) };
}

function webpHeader(bytes: Uint8Array): PictureHeader {
  const fields = view(bytes);
  let [width, height] = [0, 0];
  let profile: Uint8Array | null = null;
  let orientation: Orientation = 1;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const type = fromLatin1(bytes.subarray(at, at + 4));
    const length = fields.getUint32(at + 4, true);
    const data = bytes.subarray(at + 8, at + 8 + length);
    if (type === "VP8X" && data.length >= 10) {
      width = 1 + (data[4]! | (data[5]! << 8) | (data[6]! << 16));
      height = 1 + (data[7]! | (data[8]! << 8) | (data[9]! << 16));
    } else if (type === "VP8 " && !width && data.length >= 10) {
      width = view(data).getUint16(6, true) & 0x3fff;
      height = view(data).getUint16(8, true) & 0x3fff;
    } else if (type === "VP8L" && !width && data.length >= 5) {
      const bits = view(data).getUint32(1, true);
      width = 1 + (bits & 0x3fff);
      height = 1 + ((bits >>> 14) & 0x3fff);
    } else if (type === "ICCP") profile = data.slice();
    else if (type === "EXIF") orientation = orientationOf(data);
    at += 8 + length + (length & 1);
  }
  return { ...OTHER, kind: "webp", width, height, profile, orientation };
}

/** Never throws for unknown kinds: they are "other". Throws PngError for a PNG whose header is damaged. */
export function pictureHeader(bytes: Uint8Array): PictureHeader {
  if (isPng(bytes)) {
    const { width, height, depth } = pngHeader(bytes);
    return { ...OTHER, kind: "png", width, height, depth };
  }
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return jpegHeader(bytes);
  const head = fromLatin1(bytes.subarray(0, 12));
  if (head.startsWith("RIFF") && head.endsWith("WEBP")) return webpHeader(bytes);
  const fields = view(bytes);
  if (head.startsWith("GIF8") && bytes.length >= 10) {
    return { ...OTHER, kind: "gif", width: fields.getUint16(6, true), height: fields.getUint16(8, true) };
  }
  return { ...OTHER, kind: "other", width: 0, height: 0 };
}
