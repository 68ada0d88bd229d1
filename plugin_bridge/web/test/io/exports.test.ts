import { initializeCanvas, readPsd } from "ag-psd";
import { unzipSync, strFromU8 } from "fflate";
import { describe, expect, it } from "vitest";

import { sameBytes } from "../../src/io/bytes";
import { exportLabelMap, exportOra, exportPng, exportPsd } from "../../src/io/exports";
import { labelColors, labelPicture } from "../../src/io/label_colors";
import { composite, layerStack } from "../../src/io/layer_stack";
import { readPng, rgbaOf } from "../../src/io/png_read";
import { LABELS, profile, project } from "./sample_project";

// The reader makes its planes through a canvas; only their bytes are looked at here.
initializeCanvas(
  () =>
    ({
      width: 1,
      height: 1,
      getContext: () => ({
        createImageData: (width: number, height: number) => ({
          ...{ width, height, data: new Uint8ClampedArray(width * height * 4) },
        }),
      }),
    }) as unknown as HTMLCanvasElement,
);

async function bytes(blob: Blob): Promise<Uint8Array> {
  return new Uint8Array(await blob.arrayBuffer());
}

describe("label colours", () => {
  it("differ where the bundle's don't, and unknown is far from all", () => {
    const colors = labelColors(LABELS);
    expect(colors.get(3)).toEqual([0, 160, 0]);
    expect(colors.get(4)).toEqual([0, 160, 1]);
    expect(colors.get(255)).toEqual([255, 0, 255]);
  });
});

describe.each([true, false])("a project, opaque: %s", (opaque) => {
  const given = project(opaque);

  it("as PNG is what the canvas shows, with the profile", async () => {
    const png = readPng(await bytes(await exportPng(given)));
    expect(rgbaOf(png)).toEqual(composite(given));
    expect(png.profile).toEqual(profile());
    expect(png.channels).toBe(opaque ? 3 : 4);
  });

  it("as PSD holds every layer, mask and the profile", async () => {
    const file = await bytes(await exportPsd(given));
    const psd = readPsd(file, { useImageData: true });
    const stack = layerStack(given);
    expect(psd.children!.map(({ name, hidden }) => [name, !hidden])).toEqual(stack.map(({ name, visible }) => [name, visible]));
    for (const [index, { bounds, pixels, mask }] of stack.entries()) {
      const layer = psd.children![index]!;
      expect([layer.left, layer.top, layer.right, layer.bottom]).toEqual([
        ...[bounds.x, bounds.y, bounds.x + bounds.width, bounds.y + bounds.height],
      ]);
      expect(sameBytes(new Uint8Array(layer.imageData!.data.buffer), new Uint8Array(pixels))).toBe(true);
      expect(Boolean(layer.mask)).toBe(mask !== null);
      if (mask) expect(layer.mask!.imageData!.data.filter((_, i) => i % 4 === 0)).toEqual(new Uint8ClampedArray(mask));
    }
    const found = Buffer.from(file).indexOf(Buffer.from(profile()));
    expect(file.subarray(found - 12, found - 6)).toEqual(Uint8Array.of(56, 66, 73, 77, 4, 15));
  });

  it("as ORA holds every layer with its mask as alpha and as a layer", async () => {
    const file = await bytes(await exportOra(given));
    expect(strFromU8(file.subarray(30, 54))).toBe("mimetypeimage/openraster");
    const entries = unzipSync(file);
    const xml = strFromU8(entries["stack.xml"]!);
    expect(xml).toContain('name="a &amp; b &lt;é&gt;.png"');
    const layers = [...xml.matchAll(/name="([^"]*)" src="([^"]*)" x="(-?\d+)" y="(-?\d+)" .*?visibility="(\w+)"/g)];
    // The list runs from the top.
    expect(layers.at(-1)![2]).toBe("data/layer0.png");
    for (const [index, { bounds, pixels, mask, visible }] of layerStack(given).entries()) {
      const [, , , x, y, visibility] = layers.find((layer) => layer[2] === `data/layer${index}.png`)!;
      expect([Number(x), Number(y), visibility]).toEqual([bounds.x, bounds.y, visible ? "visible" : "hidden"]);
      const png = readPng(entries[`data/layer${index}.png`]!);
      expect(png.profile).toEqual(profile());
      const expected = pixels.map((value, i) => (mask && i % 4 === 3 ? mask[i >> 2]! : value));
      expect(rgbaOf(png)).toEqual(expected);
      if (mask) expect(readPng(entries[`data/mask${index}.png`]!).samples).toEqual(mask);
    }
    expect(rgbaOf(readPng(entries["mergedimage.png"]!))).toEqual(composite(given));
    expect(readPng(entries["Thumbnails/thumbnail.png"]!)).toMatchObject({ width: 37, height: 23 });
  });
});

it("a label map's indices are its ids", async () => {
  const given = project();
  const png = readPng(await bytes(await exportLabelMap(given)));
  expect(png.colorType).toBe(3);
  expect(png.samples).toEqual(given.edited.ids);
  expect(rgbaOf(png)).toEqual(labelPicture(given.edited, LABELS));
});
