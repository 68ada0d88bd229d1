/** Label ids as colours, the same in every host: layered files that leave here can be painted on in Krita or Photoshop. */

import { UNKNOWN, type Color, type Label, type LabelMap } from "../model/types";

const UNKNOWN_COLORS: readonly Color[] = [
  [255, 0, 255],
  [0, 255, 255],
  [255, 255, 255],
  [0, 0, 0],
  [0, 255, 0],
];

function distance(a: Color, b: Color): number {
  return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2;
}

/** Of two labels of one colour, the second one's is moved a little; unknown gets a colour far from all others. */
export function labelColors(labels: readonly Label[]): Map<number, Color> {
  const taken = new Set<number>();
  const colors = new Map<number, Color>();
  for (const { id, color } of labels) {
    let number = (color[0] << 16) | (color[1] << 8) | color[2];
    while (taken.has(number)) number = (number + 1) % (1 << 24);
    taken.add(number);
    colors.set(id, [number >> 16, (number >> 8) & 255, number & 255]);
  }
  const nearest = (color: Color) => Math.min(...[...colors.values()].map((other) => distance(color, other)));
  const unknown = UNKNOWN_COLORS.reduce((best, color) => (nearest(color) > nearest(best) ? color : best));
  return colors.set(UNKNOWN, unknown);
}

/** A label map as opaque RGBA. Ids that no label has are shown as unknown. */
export function labelPicture(map: LabelMap, labels: readonly Label[]): Uint8ClampedArray<ArrayBuffer> {
  const colors = labelColors(labels);
  const table = new Uint32Array(256);
  const bytes = new Uint8Array(table.buffer);
  for (let id = 0; id < 256; id++) bytes.set([...(colors.get(id) ?? colors.get(UNKNOWN)!), 255], id * 4);
  const out = new Uint32Array(map.ids.length);
  for (let i = 0; i < out.length; i++) out[i] = table[map.ids[i]!]!;
  return new Uint8ClampedArray(out.buffer);
}

/** Colours by id, for a palette PNG. */
export function labelPalette(labels: readonly Label[]): Color[] {
  const colors = labelColors(labels);
  return Array.from({ length: 256 }, (_, id) => colors.get(id) ?? colors.get(UNKNOWN)!);
}
