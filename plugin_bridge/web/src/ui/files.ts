/** Files in and out: picker, drop, paste, download. */

import { exportLabelMap, exportOra, exportPng, exportPsd } from "../io/exports";
import { PROJECT_ENDING, writeProject } from "../io/project_file";
import type { Project } from "../model/types";
import { session } from "./session";

const PICTURES = "image/png,image/jpeg,image/webp,.png,.jpg,.jpeg,.webp";

function pick(accept: string): Promise<File | null> {
  return new Promise((resolve) => {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = accept;
    input.addEventListener("change", () => resolve(input.files?.[0] ?? null), { once: true });
    input.addEventListener("cancel", () => resolve(null), { once: true });
    input.click();
  });
}

export async function openPhoto(): Promise<void> {
  const file = await pick(`${PICTURES},${PROJECT_ENDING}`);
  if (file) await session.open(file, file.name);
}

export function pickPicture(): Promise<File | null> {
  return pick(PICTURES);
}

/** The first picture or project among what is dropped or pasted. */
export function fileOf(data: DataTransfer | null): File | null {
  const files = [...(data?.files ?? [])];
  return files.find((file) => file.type.startsWith("image/") || file.name.endsWith(PROJECT_ENDING)) ?? files[0] ?? null;
}

function download(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser reads the blob after the click has been dealt with.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Boxes as `layoutbrush draft` reads them. */
export function saveBoxes(): void {
  const json = JSON.stringify(session.board.file(), null, 2);
  download(new Blob([json], { type: "application/json" }), "boxes.json");
  session.toast("Saved boxes.json");
}

export async function openBoxes(): Promise<void> {
  const file = await pick("application/json,.json");
  if (!file) return;
  try {
    session.board.read(JSON.parse(await file.text()) as unknown);
    session.turnBoard(true);
  } catch (error) {
    session.fail(error instanceof SyntaxError ? new Error(`${file.name} is no JSON file.`) : error);
  }
}

const EXPORTS = {
  png: { make: exportPng, ending: ".png", what: "picture" },
  psd: { make: exportPsd, ending: ".psd", what: "layered file" },
  ora: { make: exportOra, ending: ".ora", what: "layered file" },
  labels: { make: exportLabelMap, ending: "-labels.png", what: "label map" },
  project: { make: writeProject, ending: PROJECT_ENDING, what: "project" },
} satisfies Record<string, { make: (project: Project) => Promise<Blob>; ending: string; what: string }>;

export async function exportAs(kind: keyof typeof EXPORTS): Promise<void> {
  session.bench.value?.tool.finish?.();
  const project = session.project();
  if (!project) return;
  const { make, ending, what } = EXPORTS[kind];
  const stem = project.photo.name.replace(/\.[^.]+$/, "") || "picture";
  // A photo's own name is never offered again: nobody should overwrite the original.
  const name = `${stem}${kind === "png" || kind === "psd" || kind === "ora" ? "-edited" : ""}${ending}`;
  session.opening.value = { stage: `Writing the ${what}`, done: null };
  try {
    // Lets the page show that it is at work before the bytes are packed.
    await new Promise((resolve) => setTimeout(resolve, 20));
    download(await make(project), name);
    session.toast(`Saved ${name}`);
  } catch (error) {
    session.fail(error);
  } finally {
    session.opening.value = null;
  }
}
