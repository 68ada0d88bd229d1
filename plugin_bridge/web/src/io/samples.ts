/** Photos to start with, as far as the server has some. */

import type { Photo } from "../model/types";
import { readPhoto } from "./photo_file";

export interface Sample {
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** Address of a picture to show. */
  readonly thumbnail: string;
  load(): Promise<Photo>;
}

interface Listed {
  readonly name: string;
  readonly title: string;
  readonly url: string;
}

function isListed(value: unknown): value is Listed {
  const { name, title, url } = (value ?? {}) as Record<string, unknown>;
  return typeof name === "string" && typeof title === "string" && typeof url === "string";
}

async function photoAt(address: string, name: string): Promise<Photo> {
  const answer = await fetch(address).catch(() => null);
  if (!answer?.ok) throw new Error(`The sample photo ${name} can't be fetched from the server.`);
  return readPhoto(await answer.blob(), name);
}

/** Never rejects: without samples the list is empty. */
export async function listSamples(address = "samples/index.json"): Promise<Sample[]> {
  try {
    const answer = await fetch(address);
    if (!answer.ok) return [];
    const { samples } = (await answer.json()) as { samples?: unknown };
    if (!Array.isArray(samples)) return [];
    return samples.filter(isListed).map(({ name, title, url }) => ({
      id: name,
      name: title,
      thumbnail: url,
      load: () => photoAt(url, name),
    }));
  } catch {
    return [];
  }
}
