/** Project files as the editor opens and saves them; `project_zip` has their form. */

import type { Project } from "../model/types";
import { offThread } from "./off_thread";

/** Ending of the files. */
export const PROJECT_ENDING = ".layoutbrush";

/** Writes all of a project, or rejects; a Blob is whole before anybody sees it. */
export async function writeProject(project: Project): Promise<Blob> {
  return new Blob([await offThread("packProject", project)], { type: "application/zip" });
}

/** Rejects with a sentence for people where the file isn't whole or isn't ours. */
export async function readProject(file: Blob): Promise<Project> {
  return offThread("unpackProject", new Uint8Array(await file.arrayBuffer()));
}
