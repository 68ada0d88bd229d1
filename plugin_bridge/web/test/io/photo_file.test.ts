import { afterEach, describe, expect, it, vi } from "vitest";

import { concat, latin1, view } from "../../src/io/bytes";
import { crc32 } from "../../src/io/crc32";
import { orientationOf, upright, type Orientation } from "../../src/io/exif";
import { profileSpace } from "../../src/io/icc";
import { readPhoto } from "../../src/io/photo_file";
import { pictureHeader } from "../../src/io/picture_header";
import { writePng } from "../../src/io/png_write";
import { noise, profile, rgba } from "./sample_project";

function exif(orientation: number, little: boolean): Uint8Array {
  const out = new Uint8Array(26);
  const fields = view(out);
  out.set(latin1(little ? "II" : "MM"));
  fields.setUint16(2, 42, little);
  fields.setUint32(4, 8, little);
  fields.setUint16(8, 1, little);
  fields.setUint16(10, 0x0112, little);
  fields.setUint16(12, 3, little);
  fields.setUint32(14, 1, little);
  fields.setUint16(18, orientation, little);
  return out;
}

function segment(marker: number, data: Uint8Array): Uint8Array {
  const head = Uint8Array.of(0xff, marker, 0, 0);
  view(head).setUint16(2, data.length + 2);
  return concat([head, data]);
}

/** A JPEG's beginning; no browser is needed to read it. */
function jpeg(): Uint8Array {
  const whole = profile();
  const mark = latin1("ICC_PROFILE\0");
  return concat([
    Uint8Array.of(0xff, 0xd8),
    segment(0xe1, concat([latin1("Exif\0\0"), exif(6, false)])),
    segment(0xe2, concat([mark, Uint8Array.of(2, 2), whole.subarray(50)])),
    segment(0xe2, concat([mark, Uint8Array.of(1, 2), whole.subarray(0, 50)])),
    segment(0xc2, Uint8Array.of(8, 0, 33, 0, 77, 3, 1, 0x11, 0)),
    Uint8Array.of(0xff, 0xda),
  ]);
}

function withChunk(png: Uint8Array, type: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = concat([new Uint8Array(4), latin1(type), data, new Uint8Array(4)]);
  view(out).setUint32(0, data.length);
  view(out).setUint32(out.length - 4, crc32(out.subarray(4, out.length - 4)));
  return concat([png.subarray(0, 33), out, png.subarray(33)]);
}

describe("headers", () => {
  it("of JPEG: size, orientation, a profile in parts", () => {
    const expected = { kind: "jpeg", width: 77, height: 33, depth: 8, components: 3, orientation: 6, profile: profile() };
    expect(pictureHeader(jpeg())).toEqual(expected);
  });

  it("of other files: what is known", () => {
    expect(pictureHeader(latin1("GIF89a\x05\0\x07\0")).kind).toBe("gif");
    expect(pictureHeader(latin1("hello"))).toMatchObject({ kind: "other", width: 0 });
    expect(pictureHeader(new Uint8Array(0)).kind).toBe("other");
    const size = Uint8Array.of(0, 0, 0, 0, 99, 0, 0, 9, 1, 0);
    const webp = concat([latin1("RIFF\0\0\0\0WEBPVP8X"), Uint8Array.of(10, 0, 0, 0), size]);
    expect(pictureHeader(webp)).toMatchObject({ kind: "webp", width: 100, height: 266 });
  });

  it("survive being cut anywhere", () => {
    const whole = jpeg();
    for (let length = 0; length < whole.length; length++) expect(() => pictureHeader(whole.subarray(0, length))).not.toThrow();
  });

  it("tell a profile's space", () => {
    expect(profileSpace(profile())).toBe("RGB ");
    expect(profileSpace(profile("GRAY"))).toBe("GRAY");
    expect(profileSpace(noise(131))).toBeNull();
    expect(profileSpace(profile().subarray(0, 100))).toBeNull();
  });
});

describe("orientation", () => {
  it("is read in both byte orders, and anything else is upright", () => {
    for (let value = 1; value <= 8; value++) {
      expect(orientationOf(exif(value, true))).toBe(value);
      expect(orientationOf(concat([latin1("Exif\0\0"), exif(value, false)]))).toBe(value);
    }
    expect(orientationOf(exif(9, true))).toBe(1);
    expect(orientationOf(noise(40))).toBe(1);
    expect(orientationOf(exif(6, true).subarray(0, 16))).toBe(1);
    expect(orientationOf(null)).toBe(1);
  });

  // 3 x 2 pixels, numbered by rows; what is seen as TIFF 6.0 says.
  it.each<[Orientation, string[]]>([
    [1, ["012", "345"]],
    [2, ["210", "543"]],
    [3, ["543", "210"]],
    [4, ["345", "012"]],
    [5, ["03", "14", "25"]],
    [6, ["30", "41", "52"]],
    [7, ["52", "41", "30"]],
    [8, ["25", "14", "03"]],
  ])("%i", (orientation, rows) => {
    const pixels = new Uint8ClampedArray(24);
    for (let i = 0; i < 6; i++) pixels[i * 4] = i;
    const turned = upright(pixels, 3, 2, orientation);
    const seen = Array.from({ length: turned.height }, (_, y) =>
      Array.from({ length: turned.width }, (_, x) => turned.pixels[(y * turned.width + x) * 4]).join(""),
    );
    expect(seen).toEqual(rows);
  });
});

describe("PNG photos", () => {
  it("come with exact pixels, profile and file", async () => {
    const pixels = rgba(7, 5, 3, false);
    const file = new Blob([await writePng(pixels, 7, 5, 4, { profile: profile() })]);
    const photo = await readPhoto(file, "a.png");
    expect(photo).toMatchObject({ name: "a.png", width: 7, height: 5, profile: profile(), notes: [] });
    expect(photo.pixels).toEqual(pixels);
    expect(photo.file).toBe(file);
  });

  it("are turned as EXIF says", async () => {
    const pixels = rgba(4, 3, 3, true);
    const png = withChunk(await writePng(pixels, 4, 3, 4), "eXIf", exif(6, true));
    const photo = await readPhoto(new Blob([png]), "a.png");
    expect([photo.width, photo.height]).toEqual([3, 4]);
    expect(photo.pixels).toEqual(upright(pixels, 4, 3, 6).pixels);
  });

  it("say what was left out", async () => {
    const grey = await readPhoto(new Blob([await writePng(noise(4), 2, 2, 1, { profile: profile("GRAY") })]), "g.png");
    expect(grey.profile).toBeNull();
    expect(grey.notes).toEqual([expect.stringContaining("GRAY")]);
  });

  it("that are too large, empty or damaged are refused in a sentence", async () => {
    const head = await writePng(new Uint8Array(1), 1, 1, 1);
    view(head).setUint32(16, 40000);
    view(head).setUint32(20, 40000);
    await expect(readPhoto(new Blob([head]), "x.png")).rejects.toThrow("1600 million pixels");
    await expect(readPhoto(new Blob([]), "x.png")).rejects.toThrow("x.png is empty.");
    const cut = (await writePng(noise(400), 20, 20, 1)).subarray(0, 60);
    await expect(readPhoto(new Blob([cut]), "x.png")).rejects.toThrow("damaged");
  });
});

describe("what the browser decodes", () => {
  afterEach(() => vi.unstubAllGlobals());

  function browser(noisy: boolean, refuses = false) {
    vi.stubGlobal("createImageBitmap", async () => {
      if (refuses) throw new DOMException("no", "InvalidStateError");
      return { width: 77, height: 33, close: () => undefined };
    });
    vi.stubGlobal("ImageData", class { data = new Uint8ClampedArray(16 * 16 * 4); });
    vi.stubGlobal("OffscreenCanvas", class {
      private data = new Uint8ClampedArray(77 * 33 * 4).fill(255);
      getContext = () => this;
      drawImage = () => undefined;
      putImageData = (image: { data: Uint8ClampedArray }) => (this.data = image.data.slice());
      getImageData = () => ({ data: noisy ? this.data.map((value) => value ^ 1) : this.data });
    });
  }

  it("keeps a JPEG's profile", async () => {
    browser(false);
    const photo = await readPhoto(new Blob([jpeg() as Uint8Array<ArrayBuffer>]), "a.jpg");
    expect(photo).toMatchObject({ width: 77, height: 33, profile: profile(), notes: [] });
  });

  it("is refused where the browser alters pixels", async () => {
    browser(true);
    await expect(readPhoto(new Blob([jpeg() as Uint8Array<ArrayBuffer>]), "a.jpg")).rejects.toThrow("fingerprint");
  });

  it("is refused in a sentence where it is no picture", async () => {
    browser(false, true);
    await expect(readPhoto(new Blob(["hello"]), "a.txt")).rejects.toThrow("can't be read as a picture");
  });
});
