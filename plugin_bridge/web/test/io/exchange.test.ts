/**
 * Files handed to and taken from other programs; `tests/hosts/web/test_files.py` runs this with a folder to work in and
 * looks at what it wrote with psd-tools, Pillow and Krita.
 */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

import { exportLabelMap, exportOra, exportPng, exportPsd } from "../../src/io/exports";
import { composite, layerStack } from "../../src/io/layer_stack";
import { readPhoto } from "../../src/io/photo_file";
import { project } from "./sample_project";

const FOLDER = process.env["LAYOUTBRUSH_EXCHANGE"];

describe.skipIf(!FOLDER)("exchange (LAYOUTBRUSH_EXCHANGE names a folder)", () => {
  const folder = FOLDER ?? "";

  it("reads what other programs wrote", async () => {
    const names = readdirSync(join(folder, "read")).filter((name) => name.endsWith(".png"));
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      const photo = await readPhoto(new Blob([readFileSync(join(folder, "read", name))]), name);
      const expected = readFileSync(join(folder, "read", name.replace(".png", ".rgba")));
      expect(Buffer.from(photo.pixels.buffer).equals(expected), name).toBe(true);
    }
  });

  it.each(["opaque", "clear"])("writes for other programs: %s", async (kind) => {
    const bare = project(kind === "opaque");
    const given = { ...bare, photo: { ...bare.photo, profile: new Uint8Array(readFileSync(join(folder, "read", "profile.icc"))) } };
    const out = join(folder, kind);
    mkdirSync(out);
    const write = async (name: string, blob: Blob) => writeFileSync(join(out, name), Buffer.from(await blob.arrayBuffer()));
    await write("project.psd", await exportPsd(given));
    await write("project.ora", await exportOra(given));
    await write("project.png", await exportPng(given));
    await write("labels.png", await exportLabelMap(given));
    writeFileSync(join(out, "labels.ids"), given.edited.ids);
    writeFileSync(join(out, "composite.rgba"), composite(given));
    writeFileSync(join(out, "profile.icc"), given.photo.profile!);
    const stack = layerStack(given).map(({ pixels, mask, ...rest }, index) => {
      writeFileSync(join(out, `${index}.rgba`), pixels);
      if (mask) writeFileSync(join(out, `${index}.mask`), mask);
      return { ...rest, masked: mask !== null };
    });
    writeFileSync(join(out, "stack.json"), JSON.stringify(stack));
  });
});
