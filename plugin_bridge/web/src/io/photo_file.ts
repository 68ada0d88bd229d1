/** Picture files to photos: exact numbers, upright, with the profile they came with. */

import type { Photo } from "../model/types";
import { profileSpace } from "./icc";
import { MOST_PIXELS } from "./limits";
import { offThread } from "./off_thread";
import { pictureHeader, type PictureHeader } from "./picture_header";
import type { Decoded } from "./png_photo";

/** What the browser decodes: numbers as stored (no profile conversion), turned upright. */
async function decodedByBrowser(file: Blob, header: PictureHeader): Promise<Decoded> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, {
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
      imageOrientation: "from-image",
    });
  } catch {
    throw new Error("The file can't be read as a picture. PNG, JPEG and WebP work.");
  }
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("The browser has no memory left for a picture of this size.");
  await refuseAlteredPixels();
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const notes: string[] = [];
  if (header.kind !== "jpeg" && data.some((value, index) => index % 4 === 3 && value !== 255)) {
    notes.push("Colours under half-transparent pixels may be off by a few steps; a PNG keeps them exactly.");
  }
  if (header.components === 4) notes.push("The photo is CMYK; the browser turned it into RGB.");
  const pixels = data as Uint8ClampedArray<ArrayBuffer>;
  return { pixels, width, height, profile: header.profile, notes };
}

/** Some browsers add noise to what a page reads from a canvas. A photo read that way would be a damaged one. */
async function refuseAlteredPixels(): Promise<void> {
  const side = 16;
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  const known = new ImageData(side, side);
  for (let i = 0; i < known.data.length; i++) known.data[i] = i % 4 === 3 ? 255 : (i * 37) % 256;
  context.putImageData(known, 0, 0);
  const read = context.getImageData(0, 0, side, side).data;
  if (read.some((value, index) => value !== known.data[index])) {
    throw new Error(
      "This browser alters pixels that a page reads (fingerprint protection). Allow canvas data for this page, or open a PNG.",
    );
  }
}

function keptProfile(profile: Uint8Array | null, notes: string[]): Uint8Array | null {
  if (!profile) return null;
  const space = profileSpace(profile);
  if (space === "RGB ") return profile;
  if (space === null) notes.push("The photo's colour profile is damaged and was left out.");
  else notes.push(`The photo's colour profile is for ${space.trim()} numbers and was left out; the picture is RGB.`);
  return null;
}

/**
 * Reads a picture file. Throws Error with a sentence for people.
 *
 * PNG is decoded here, to the last bit and with any alpha; JPEG and others by the browser, without conversion.
 */
export async function readPhoto(file: Blob, name: string): Promise<Photo> {
  if (file.size === 0) throw new Error(`${name || "The file"} is empty.`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  const header = pictureHeader(bytes);
  if (header.width * header.height > MOST_PIXELS) {
    const millions = Math.round((header.width * header.height) / 1e6);
    throw new Error(`The photo has ${millions} million pixels; at most ${MOST_PIXELS / 1e6} million can be opened here.`);
  }
  const decoded = await (header.kind === "png" ? offThread("decodePng", bytes) : decodedByBrowser(file, header));
  const notes = [...decoded.notes];
  const profile = keptProfile(decoded.profile, notes);
  const { pixels, width, height } = decoded;
  return { name, pixels, width, height, profile, file, notes };
}
