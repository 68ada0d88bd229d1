/** The labels of the bundle that ships, for photos opened while no server answers. */

import type { Label } from "./types";

export const FALLBACK_LABELS: readonly Label[] = [
  { id: 0, name: "sky", color: [126, 190, 238] },
  { id: 1, name: "tree", color: [46, 110, 48] },
  { id: 2, name: "road", color: [120, 116, 124] },
  { id: 3, name: "grass", color: [132, 190, 84] },
  { id: 4, name: "water", color: [52, 110, 190] },
  { id: 5, name: "building", color: [186, 120, 92] },
  { id: 6, name: "mountain", color: [140, 112, 160] },
  { id: 7, name: "object", color: [222, 160, 52] },
  { id: 8, name: "car", color: [200, 48, 60] },
  { id: 9, name: "pedestrian", color: [232, 110, 170] },
  { id: 10, name: "bicyclist", color: [110, 48, 140] },
  { id: 11, name: "pole", color: [240, 226, 120] },
  { id: 12, name: "pavement", color: [190, 180, 170] },
  { id: 13, name: "sign", color: [250, 130, 20] },
  { id: 14, name: "fence", color: [92, 72, 50] },
];
