/** What leaves the editor: the picture, the layers, the label map. All reject with a sentence for people. */

import type { Project } from "../model/types";
import { oraBytes } from "./export_ora";
import { psdBytes } from "./export_psd";
import { labelPalette } from "./label_colors";
import { composite } from "./layer_stack";
import { writePng } from "./png_write";
import { pngOfPicture } from "./project_png";

/** What the canvas shows, with the photo's profile. */
export async function exportPng(project: Project): Promise<Blob> {
  const { width, height, profile } = project.photo;
  const bytes = await pngOfPicture({ width, height, pixels: composite(project) }, profile);
  return new Blob([bytes], { type: "image/png" });
}

export async function exportPsd(project: Project): Promise<Blob> {
  return new Blob([psdBytes(project) as Uint8Array<ArrayBuffer>], { type: "image/vnd.adobe.photoshop" });
}

export async function exportOra(project: Project): Promise<Blob> {
  return new Blob([await oraBytes(project)], { type: "image/openraster" });
}

/** The edited map as a palette PNG: its indices are the label ids, as `layoutbrush edit` reads them. */
export async function exportLabelMap({ edited, labels }: Project): Promise<Blob> {
  const palette = labelPalette(labels);
  return new Blob([await writePng(edited.ids, edited.width, edited.height, 1, { palette })], { type: "image/png" });
}
