/** Smooth noise fixed to the photo's pixels: the same place always gives the same value. */

function hash(x: number, y: number): number {
  let h = Math.imul(x, 0x27d4eb2d) ^ Math.imul(y, 0x165667b1);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return ((h ^ (h >>> 15)) >>> 0) / 4294967296;
}

function smooth(t: number): number {
  return t * t * (3 - 2 * t);
}

function lattice(x: number, y: number): number {
  const [x0, y0] = [Math.floor(x), Math.floor(y)];
  const [u, v] = [smooth(x - x0), smooth(y - y0)];
  const top = hash(x0, y0) * (1 - u) + hash(x0 + 1, y0) * u;
  const bottom = hash(x0, y0 + 1) * (1 - u) + hash(x0 + 1, y0 + 1) * u;
  return top * (1 - v) + bottom * v;
}

/** Value noise of two octaves, 0 to 1, whose lumps are about `cell` pixels wide. */
export function edgeNoise(x: number, y: number, cell: number): number {
  return lattice(x / cell, y / cell) * 0.65 + lattice((x * 2.3) / cell + 17, (y * 2.3) / cell + 41) * 0.35;
}
