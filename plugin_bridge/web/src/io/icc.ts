/** ICC profiles are carried, never applied; this tells which ones fit a picture of RGB numbers. */

import { fromLatin1, view } from "./bytes";

const HEADER = 128;

/** "RGB ", "GRAY", "CMYK" ...; null where the bytes are no profile. */
export function profileSpace(profile: Uint8Array): string | null {
  if (profile.length < HEADER || fromLatin1(profile.subarray(36, 40)) !== "acsp") return null;
  if (view(profile).getUint32(0) > profile.length) return null;
  return fromLatin1(profile.subarray(16, 20));
}
