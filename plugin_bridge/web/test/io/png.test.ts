import { zlibSync } from "fflate";
import { describe, expect, it } from "vitest";

import { concat, latin1, view } from "../../src/io/bytes";
import { crc32 } from "../../src/io/crc32";
import { PngError, pngHeader, readPng, rgbaOf } from "../../src/io/png_read";
import { writePng } from "../../src/io/png_write";
import { noise, profile, rgba } from "./sample_project";

function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = concat([new Uint8Array(4), latin1(type), data, new Uint8Array(4)]);
  view(out).setUint32(0, data.length);
  view(out).setUint32(out.length - 4, crc32(out.subarray(4, out.length - 4)));
  return out;
}

/** A PNG from rows that are filtered already. */
function png(width: number, height: number, depth: number, type: number, rows: number[][], extra: Uint8Array[] = [], interlace = 0) {
  const head = new Uint8Array(13);
  view(head).setUint32(0, width);
  view(head).setUint32(4, height);
  head.set([depth, type, 0, 0, interlace], 8);
  const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
  const body = zlibSync(Uint8Array.from(rows.flat()));
  const cut = body.length >> 1;
  const parts = [chunk("IDAT", body.subarray(0, cut)), chunk("IDAT", body.subarray(cut)), chunk("IEND", new Uint8Array(0))];
  return concat([signature, chunk("IHDR", head), ...extra, ...parts]);
}

describe("writing", () => {
  it.each([
    [1, 1, 1],
    [37, 23, 1],
    [37, 23, 3],
    [5, 64, 4],
    [1, 9, 4],
  ] as const)("%i x %i with %i channels comes back to the last bit", async (width, height, channels) => {
    const pixels = noise(width * height * channels);
    const found = readPng(await writePng(pixels, width, height, channels, { profile: profile() }));
    expect([found.width, found.height, found.channels, found.depth]).toEqual([width, height, channels, 8]);
    expect(found.samples).toEqual(pixels);
    expect(found.profile).toEqual(profile());
  });

  it("keeps colours under a clear alpha", async () => {
    const pixels = rgba(6, 4, 2, false);
    pixels[3] = 0;
    expect(rgbaOf(readPng(await writePng(pixels, 6, 4, 4)))).toEqual(pixels);
  });

  it("keeps palette indices, and clear entries", async () => {
    const palette = [[1, 2, 3] as const, null, [255, 0, 9] as const];
    const found = readPng(await writePng(Uint8Array.of(2, 0, 1, 2), 2, 2, 1, { palette }));
    expect(found.samples).toEqual(Uint8Array.of(2, 0, 1, 2));
    expect([...rgbaOf(found).subarray(0, 12)]).toEqual([255, 0, 9, 255, 1, 2, 3, 255, 0, 0, 0, 0]);
  });

  it("refuses sizes that don't agree", async () => {
    await expect(writePng(new Uint8Array(5), 2, 2, 1)).rejects.toThrow(RangeError);
    await expect(writePng(new Uint8Array(0), 0, 2, 1)).rejects.toThrow(RangeError);
  });
});

describe("reading", () => {
  it("undoes every filter", () => {
    const rows = [
      [0, 10, 20, 30],
      [1, 1, 1, 1],
      [2, 5, 5, 5],
      [3, 4, 4, 4],
      [4, 7, 7, 7],
    ];
    const expected = [10, 20, 30, 1, 2, 3, 6, 7, 8, 7, 11, 13, 14, 21, 28];
    expect([...readPng(png(3, 5, 8, 0, rows)).samples]).toEqual(expected);
  });

  it("unpacks 1, 2 and 4 bit and stretches them", () => {
    const found = readPng(png(3, 1, 2, 0, [[0, 0b00011011]]));
    expect([...found.samples]).toEqual([0, 1, 2]);
    expect([...rgbaOf(found)].filter((_, i) => i % 4 === 0)).toEqual([0, 85, 170]);
  });

  it("keeps the upper 8 of 16 bit, and the alpha", () => {
    const found = readPng(png(1, 1, 16, 6, [[0, 1, 255, 2, 0, 255, 255, 128, 7]]));
    expect(found.samples).toEqual(Uint16Array.of(511, 512, 65535, 32775));
    expect([...rgbaOf(found)]).toEqual([1, 2, 255, 128]);
  });

  it("reads interlaced files, one pixel a pass", () => {
    // 2 x 2: pass 1 has (0, 0), pass 6 has (1, 0), pass 7 has the second row.
    const found = readPng(png(2, 2, 8, 0, [[0, 1], [0, 2], [0, 3, 4]], [], 1));
    expect([...found.samples]).toEqual([1, 2, 3, 4]);
  });

  it("takes one colour as clear", () => {
    const found = readPng(png(2, 1, 8, 2, [[0, 1, 2, 3, 4, 5, 6]], [chunk("tRNS", Uint8Array.of(0, 4, 0, 5, 0, 6))]));
    expect([...rgbaOf(found)]).toEqual([1, 2, 3, 255, 4, 5, 6, 0]);
  });

  it("says where numbers aren't sRGB", () => {
    const gamma = (value: number) => {
      const data = new Uint8Array(4);
      view(data).setUint32(0, value);
      return readPng(png(1, 1, 8, 0, [[0, 0]], [chunk("gAMA", data)])).ownGamma;
    };
    expect(gamma(45455)).toBe(false);
    expect(gamma(100000)).toBe(true);
  });
});

describe("damage", () => {
  const good = png(2, 2, 8, 0, [[0, 1, 2], [0, 3, 4]]);

  it("is found at every cut", () => {
    for (let length = 0; length < good.length; length++) {
      expect(() => readPng(good.subarray(0, length)), `cut at ${length}`).toThrow(PngError);
    }
  });

  it("is found at every byte", () => {
    for (let at = 0; at < good.length; at++) {
      const bad = good.slice();
      bad[at]! ^= 0x55;
      expect(() => readPng(bad), `byte ${at}`).toThrow(PngError);
    }
  });

  it("of pixels that are too few, too many, or filtered wrongly is found", () => {
    expect(() => readPng(png(2, 2, 8, 0, [[0, 1, 2]]))).toThrow("another number of pixels");
    expect(() => readPng(png(2, 1, 8, 0, [[0, 1, 2], [0, 3, 4]]))).toThrow("another number of pixels");
    expect(() => readPng(png(2, 1, 8, 0, [[5, 1, 2]]))).toThrow("filter");
    expect(() => rgbaOf(readPng(png(1, 1, 8, 3, [[0, 4]], [chunk("PLTE", Uint8Array.of(1, 2, 3))])))).toThrow("palette");
    expect(() => readPng(png(1, 1, 8, 3, [[0, 4]]))).toThrow("palette");
  });

  it("of a header is told without unpacking", () => {
    expect(() => pngHeader(png(0, 1, 8, 0, []))).toThrow(PngError);
    expect(() => pngHeader(png(1, 1, 3, 0, []))).toThrow(PngError);
    expect(pngHeader(png(70000, 70000, 8, 0, []))).toMatchObject({ width: 70000, height: 70000 });
  });
});
