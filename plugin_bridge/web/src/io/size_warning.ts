/** What to say before a very large photo is sent. */

import type { Extent } from "../model/geometry";
import type { ServerInfo } from "./backend";

/** From here on upload, segmentation and first render take a while that should be agreed to. */
export const LARGE_PIXELS = 16e6;

/** A sentence to ask before sending; null where the photo is of an ordinary size. */
export function sendingWarning({ width, height }: Extent): string | null {
  const pixels = width * height;
  if (pixels <= LARGE_PIXELS) return null;
  const megabytes = Math.round((pixels * 3) / 1e6);
  return `The photo is ${width} x ${height} pixels: up to ${megabytes} MB are sent, and every result takes longer. Send it?`;
}

/** Why the server can't take a photo, in a sentence; null where it can. */
export function sendingRefusal({ width, height }: Extent, info: ServerInfo): string | null {
  if (Math.max(width, height) > info.maxSide || width * height > info.maxLayerPixels) {
    const millions = Math.floor(info.maxLayerPixels / 1e6);
    return `The photo is ${width} x ${height} pixels; this server takes at most ${info.maxSide} a side and ${millions} million in all. Make it smaller first.`;
  }
  if (Math.min(width, height) < info.minSide) {
    return `The photo is ${width} x ${height} pixels; this server wants at least ${info.minSide} a side.`;
  }
  return null;
}
