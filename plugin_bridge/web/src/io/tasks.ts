/** Work on whole pictures that would hold the page up: it runs in a worker where there are workers. */

import type { Project } from "../model/types";
import { oraBytes } from "./export_ora";
import { psdBytes } from "./export_psd";
import { labelPalette } from "./label_colors";
import { composite } from "./layer_stack";
import { decodePng } from "./png_photo";
import { writePng } from "./png_write";
import { packProject, unpackProject } from "./project_zip";
import { pngOfPicture } from "./project_png";

/** What goes in and comes out can be cloned, and holds nothing that lives elsewhere. */
export const TASKS = {
  decodePng,
  packProject,
  unpackProject,
  psd: psdBytes,
  ora: oraBytes,
  png(project: Project) {
    const { width, height, profile } = project.photo;
    return pngOfPicture({ width, height, pixels: composite(project) }, profile);
  },
  labels({ edited, labels }: Project) {
    return writePng(edited.ids, edited.width, edited.height, 1, { palette: labelPalette(labels) });
  },
};

export type Tasks = typeof TASKS;
