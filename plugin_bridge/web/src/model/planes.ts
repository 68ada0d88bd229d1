/** Questions about whole planes, answered four bytes at a time: a 12-megapixel photo asks them at every stroke. */

/** The words that lie whole in a plane, and the bytes before and after them. */
function words(plane: Uint8Array): { words: Uint32Array; from: number; to: number } {
  const from = Math.min((4 - (plane.byteOffset & 3)) & 3, plane.length);
  const count = (plane.length - from) >> 2;
  const all = count ? new Uint32Array(plane.buffer, plane.byteOffset + from, count) : new Uint32Array(0);
  return { words: all, from, to: from + 4 * count };
}

/** Whether any byte is not 0. */
export function anySet(plane: Uint8Array): boolean {
  const { words: all, from, to } = words(plane);
  for (let i = 0; i < from; i++) if (plane[i] !== 0) return true;
  for (let i = 0; i < all.length; i++) if (all[i] !== 0) return true;
  for (let i = to; i < plane.length; i++) if (plane[i] !== 0) return true;
  return false;
}

/** Whether two planes of the same length hold the same bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  const [p, q] = [words(a), words(b)];
  const quick = p.from === q.from ? p.words.length : 0;
  for (let i = 0; i < quick; i++) if (p.words[i] !== q.words[i]) return false;
  const rest = quick ? p.from : 0;
  for (let i = 0; i < rest; i++) if (a[i] !== b[i]) return false;
  for (let i = quick ? p.to : 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
