/** Photoshop's numbers: 16 bit run from 0 to 32768. */

/** The end of Photoshop's 16-bit range. */
export const DEEP = 32768;

export type Samples = Uint8Array | Uint16Array;

/** To 8 bit, rounded. */
export function shallow(samples: Samples): Uint8Array {
  if (samples instanceof Uint8Array) return samples;
  return Uint8Array.from(samples, (value) => Math.round((Math.min(value, DEEP) * 255) / DEEP));
}

/** From 8 bit; `shallow` gives back the same. */
export function deepened(samples: ArrayLike<number>): Uint16Array {
  return Uint16Array.from(samples, (value) => Math.round((value * DEEP) / 255));
}

/** The bytes as they travel: little-endian, as this machine's own are. */
export function bytesOf(samples: Samples): Uint8Array {
  return new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
}

/** The colours of RGBA without their alpha. */
export function withoutAlpha(rgba: Uint8ClampedArray): Uint8Array {
  const out = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    out[to] = rgba[from]!;
    out[to + 1] = rgba[from + 1]!;
    out[to + 2] = rgba[from + 2]!;
  }
  return out;
}
