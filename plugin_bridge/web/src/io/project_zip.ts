/**
 * Project files: a zip of `project.json` and PNGs, so that any tool can look inside. Everything comes back to the last bit;
 * a checksum of each entry tells damage, and a file that is damaged opens not at all rather than half.
 */

import { strFromU8, strToU8, unzipSync, zipSync, type Zippable } from "fflate";

import type { Project } from "../model/types";
import { crc32 } from "./crc32";
import { MOST_PIXELS } from "./limits";
import { pngHeader } from "./png_read";
import { expect, ProjectError, type Shape } from "./project_check";
import { projectFrom, projectJson, type Part, type Source } from "./project_parts";
import { pictureOfPng, planeOfPng, pngOfMask, pngOfPicture } from "./project_png";

/** Of all entries together, unpacked; entries are stored unpacked, so that no honest file comes near. */
const MOST_BYTES = 2 ** 31;
const INDEX = "project.json";
const CHECK = "project.crc32";
const DAMAGED = "The project file is damaged: a part is missing or was changed.";

async function packed(part: Part): Promise<Uint8Array> {
  switch (part.kind) {
    case "picture":
      return pngOfPicture(part);
    case "plane":
      return pngOfMask(part);
    case "bytes":
      return part.bytes;
    case "file":
      return new Uint8Array(await part.file.arrayBuffer());
  }
}

export async function packProject(project: Project): Promise<Uint8Array<ArrayBuffer>> {
  const parts = new Map<string, Part>();
  const json = projectJson(project, (name, part) => {
    parts.set(name, part);
    return name;
  });
  const files: Zippable = {};
  const sums: Shape = {};
  for (const [name, part] of parts) {
    const bytes = await packed(part);
    files[name] = bytes;
    sums[name] = crc32(bytes);
  }
  const index = strToU8(JSON.stringify({ ...json, files: sums }, null, 1));
  // Entries that say what the file is come first.
  const entries: Zippable = { [INDEX]: index, [CHECK]: strToU8(String(crc32(index))), ...files };
  return zipSync(entries, { level: 0 }) as Uint8Array<ArrayBuffer>;
}

function unzipped(bytes: Uint8Array): Record<string, Uint8Array> {
  let total = 0;
  try {
    return unzipSync(bytes, {
      filter: ({ originalSize }) => {
        total += originalSize;
        if (total > MOST_BYTES) throw new ProjectError("The project file is too large to be opened here.");
        return true;
      },
    });
  } catch (error) {
    if (error instanceof ProjectError) throw error;
    throw new ProjectError("The file is no Layoutbrush project, or only a part of one.");
  }
}

function parsed(text: string): Shape {
  try {
    return expect.object(JSON.parse(text));
  } catch {
    throw new ProjectError();
  }
}

class ZipSource implements Source {
  constructor(
    private readonly entries: Record<string, Uint8Array>,
    private readonly sums: Shape,
  ) {}

  private entry(name: string): Uint8Array {
    const bytes = Object.hasOwn(this.entries, name) ? this.entries[name]! : null;
    if (!bytes || this.sums[name] !== crc32(bytes)) throw new ProjectError(DAMAGED);
    return bytes;
  }

  private png(name: string): Uint8Array {
    const bytes = this.entry(name);
    const { width, height } = pngHeader(bytes);
    if (width * height > MOST_PIXELS) throw new ProjectError("A picture of the project is too large to be opened here.");
    return bytes;
  }

  async picture(name: string, width: number, height: number) {
    return pictureOfPng(this.png(name), { width, height });
  }

  async plane(name: string, width: number, height: number) {
    return planeOfPng(this.png(name), { width, height });
  }

  async bytes(name: string) {
    return this.entry(name);
  }

  async file(name: string, type: string) {
    return new Blob([this.entry(name) as Uint8Array<ArrayBuffer>], { type });
  }
}

/** Rejects with ProjectError, a sentence for people, where the file isn't whole or isn't ours. */
export async function unpackProject(file: Uint8Array): Promise<Project> {
  const entries = unzipped(file);
  const [index, check] = [entries[INDEX], entries[CHECK]];
  if (!index || !check) throw new ProjectError("The file is no Layoutbrush project.");
  if (strFromU8(check) !== String(crc32(index))) throw new ProjectError(DAMAGED);
  const json = parsed(strFromU8(index));
  try {
    return await projectFrom(json, new ZipSource(entries, expect.object(json["files"])));
  } catch (error) {
    if (error instanceof ProjectError) throw error;
    // PngError and RangeError: a checksum can be right and its content wrong.
    throw new ProjectError(DAMAGED);
  }
}
