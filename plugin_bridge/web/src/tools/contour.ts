/** Outlines of masks along pixel edges, for the selection's border. */

import type { Point } from "../model/geometry";
import type { Mask } from "../model/selection";

// Steps along pixel edges: right, down, left, up.
const STEPS = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
] as const;

/**
 * Closed outlines of a mask in photo coordinates, corners only; inside lies on the right hand (holes run the other way).
 * Diagonal neighbours are held apart.
 */
export function contours(mask: Mask): Point[][] {
  const { bounds, data } = mask;
  const { width, height } = bounds;
  const inside = (x: number, y: number) => x >= 0 && y >= 0 && x < width && y < height && data[y * width + x] !== 0;
  // One visit for each pixel whose upper edge is a border: every outline has at least one such edge, walked rightwards.
  const seen = new Uint8Array(width * height);
  const loops: Point[][] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!inside(x, y) || inside(x, y - 1) || seen[y * width + x]) continue;
      loops.push(walk(inside, seen, width, x, y, bounds));
    }
  }
  return loops;
}

function walk(
  inside: (x: number, y: number) => boolean,
  seen: Uint8Array,
  width: number,
  startX: number,
  startY: number,
  offset: Point,
): Point[] {
  const points: Point[] = [];
  let [x, y, way] = [startX, startY, 0];
  do {
    if (way === 0) seen[y * width + x] = 1;
    x += STEPS[way]![0];
    y += STEPS[way]![1];
    const turn = nextWay(inside, x, y, way);
    if (turn !== way) points.push({ x: x + offset.x, y: y + offset.y });
    way = turn;
  } while (x !== startX || y !== startY || way !== 0);
  return points;
}

/** The way on from grid corner (x, y): right where that keeps to the region, else straight on, else left. */
function nextWay(inside: (x: number, y: number) => boolean, x: number, y: number, way: number): number {
  // The pixels ahead on the left and on the right of the corner, for each way.
  const ahead = [
    [inside(x, y - 1), inside(x, y)],
    [inside(x, y), inside(x - 1, y)],
    [inside(x - 1, y), inside(x - 1, y - 1)],
    [inside(x - 1, y - 1), inside(x, y - 1)],
  ][way]!;
  if (!ahead[1]) return (way + 1) % 4;
  return ahead[0] ? (way + 3) % 4 : way;
}
