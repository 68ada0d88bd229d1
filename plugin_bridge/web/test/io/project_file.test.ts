import "fake-indexeddb/auto";

import { strFromU8, strToU8, unzipSync, zipSync } from "fflate";
import { beforeEach, describe, expect, it } from "vitest";

import { dropDraft, loadDraft, saveDraft } from "../../src/io/autosave";
import { crc32 } from "../../src/io/crc32";
import { ProjectError } from "../../src/io/project_check";
import { readProject, writeProject } from "../../src/io/project_file";
import type { Project } from "../../src/model/types";
import { project } from "./sample_project";

/** Everything but Blobs, which compare by identity only. */
function comparable(given: Project) {
  const bare = (photo: Project["photo"]) => ({ ...photo, file: photo.file && [photo.file.size, photo.file.type] });
  return {
    ...given,
    photo: bare(given.photo),
    references: given.references.map((reference) => ({ ...reference, photo: bare(reference.photo) })),
  };
}

async function entries(given = project()): Promise<Record<string, Uint8Array>> {
  return unzipSync(new Uint8Array(await (await writeProject(given)).arrayBuffer()));
}

/** A file whose index says something else, with checksums that are right. */
async function changed(change: (json: Record<string, never>) => void): Promise<Blob> {
  const files = await entries();
  const json = JSON.parse(strFromU8(files["project.json"]!)) as Record<string, never>;
  change(json);
  files["project.json"] = strToU8(JSON.stringify(json));
  files["project.crc32"] = strToU8(String(crc32(files["project.json"])));
  return new Blob([zipSync(files, { level: 0 }) as Uint8Array<ArrayBuffer>]);
}

describe("project files", () => {
  it.each([true, false])("come back to the last bit, opaque: %s", async (opaque) => {
    const given = project(opaque);
    const found = await readProject(await writeProject(given));
    expect(comparable(found)).toEqual(comparable(given));
    const second = found.references[0]!.photo.file!;
    expect(await second.arrayBuffer()).toEqual(await given.references[0]!.photo.file!.arrayBuffer());
  });

  it("hold what any tool can look at", async () => {
    const files = await entries();
    expect(Object.keys(files)).toEqual(expect.arrayContaining(["project.json", "photo.png", "original.png", "edited.png"]));
    expect(JSON.parse(strFromU8(files["project.json"]!))).toMatchObject({ format: "layoutbrush-project", version: 1 });
  });

  it("that are cut open not at all", async () => {
    const whole = await (await writeProject(project())).arrayBuffer();
    for (const share of [0, 0.1, 0.5, 0.9, 0.999]) {
      const cut = new Blob([whole.slice(0, Math.floor(whole.byteLength * share))]);
      await expect(readProject(cut)).rejects.toThrow(ProjectError);
    }
  });

  it("with a changed byte open not at all, or as they were", async () => {
    const given = project();
    const whole = new Uint8Array(await (await writeProject(given)).arrayBuffer());
    for (let at = 0; at < whole.length; at += 211) {
      const bad = whole.slice();
      bad[at]! ^= 0x10;
      // Some bytes of a zip say nothing, such as dates.
      const found = await readProject(new Blob([bad])).catch((error: unknown) => error);
      if (found instanceof Error) expect(found, `byte ${at}`).toBeInstanceOf(ProjectError);
      else expect(comparable(found as Project), `byte ${at}`).toEqual(comparable(given));
    }
  }, 30_000);

  it("of other kinds are refused in a sentence", async () => {
    await expect(readProject(new Blob(["hello"]))).rejects.toThrow("no Layoutbrush project");
    const zip = zipSync({ "a.txt": strToU8("hello") }) as Uint8Array<ArrayBuffer>;
    await expect(readProject(new Blob([zip]))).rejects.toThrow("The file is no Layoutbrush project.");
  });

  it.each<[string, (json: Record<string, never>) => void, string]>([
    ["a newer version", (json) => Object.assign(json, { version: 2 }), "newer version"],
    ["another format", (json) => Object.assign(json, { format: "x" }), "no Layoutbrush project"],
    ["a size that the pixels don't have", (json) => Object.assign(json["photo"], { width: 38 }), "damaged"],
    ["a size of nothing", (json) => Object.assign(json["photo"], { width: 0 }), "can't be"],
    ["a part that isn't there", (json) => Object.assign(json, { original: "nothing.png" }), "missing"],
    ["a part of another kind", (json) => Object.assign(json, { original: "photo.png" }), "damaged"],
    ["a name from outside", (json) => Object.assign(json, { original: "__proto__" }), "missing"],
    ["a label that can't be", (json) => Object.assign(json, { labels: [{ id: 255, name: "x", color: [0, 0, 0] }] }), "can't be"],
    ["a placement without its reference", (json) => Object.assign(json, { references: [] }), "can't be"],
    ["layers that are no list", (json) => Object.assign(json, { layers: {} }), "can't be"],
    ["a seed of half a number", (json) => Object.assign(json, { seed: 0.5 }), "can't be"],
  ])("with %s are refused", async (_, change, sentence) => {
    const file = await changed(change);
    await expect(readProject(file)).rejects.toThrow(ProjectError);
    await expect(readProject(file)).rejects.toThrow(sentence);
  });
});

describe("drafts", () => {
  beforeEach(dropDraft);

  it("are none at first, and none after they were dropped", async () => {
    expect(await loadDraft()).toBeNull();
    await saveDraft(project());
    await dropDraft();
    expect(await loadDraft()).toBeNull();
  });

  it("come back to the last bit", async () => {
    const given = project();
    await saveDraft(given);
    expect(comparable((await loadDraft())!)).toEqual(comparable(given));
  });

  it("are the newest one, whole", async () => {
    const given = project();
    const saves = [1, 2, 3].map((seed) => {
      const ids = given.edited.ids.map((id) => (id === 3 ? 0 : id));
      return saveDraft({ ...given, seed, edited: { ...given.edited, ids }, layers: given.layers.slice(0, 3 - seed) });
    });
    await Promise.all(saves);
    const found = (await loadDraft())!;
    expect([found.seed, found.layers.length]).toEqual([3, 0]);
    expect(found.edited.ids.includes(3)).toBe(false);
  });

  it("that can't be stored say so in a sentence, and the old one stays", async () => {
    await saveDraft(project());
    const real = IDBObjectStore.prototype.put;
    IDBObjectStore.prototype.put = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
    try {
      await expect(saveDraft({ ...project(), seed: 99 })).rejects.toThrow("no room left");
    } finally {
      IDBObjectStore.prototype.put = real;
    }
    expect((await loadDraft())!.seed).toBe(12);
  });
});
