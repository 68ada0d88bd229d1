/** What leaves the editor: the picture, the layers, the label map. All reject with a sentence for people. */

import type { Project } from "../model/types";
import { offThread } from "./off_thread";

/** What the canvas shows, with the photo's profile. */
export async function exportPng(project: Project): Promise<Blob> {
  return new Blob([await offThread("png", project)], { type: "image/png" });
}

export async function exportPsd(project: Project): Promise<Blob> {
  return new Blob([await offThread("psd", project)], { type: "image/vnd.adobe.photoshop" });
}

export async function exportOra(project: Project): Promise<Blob> {
  return new Blob([await offThread("ora", project)], { type: "image/openraster" });
}

/** The edited map as a palette PNG: its indices are the label ids, as `layoutbrush edit` reads them. */
export async function exportLabelMap(project: Project): Promise<Blob> {
  return new Blob([await offThread("labels", project)], { type: "image/png" });
}
