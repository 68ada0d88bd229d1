/** A project as one JSON text and the planes that it names; shared by project files and drafts. */

import type { Rect } from "../model/geometry";
import { isRegion } from "../model/mix";
import type { Color, Drawing, Label, Layer, LabelMap, Photo, Placement, Project, Reference } from "../model/types";
import { expect, ProjectError, type Shape } from "./project_check";

/** Raised with every change that older editors can't read. */
export const VERSION = 1;

/** Something too large for JSON. `bytes` are carried as they are, a `file` with its type. */
export type Part =
  | { readonly kind: "picture"; readonly width: number; readonly height: number; readonly pixels: Uint8ClampedArray }
  | { readonly kind: "plane"; readonly width: number; readonly height: number; readonly ids: Uint8Array }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "file"; readonly file: Blob };

/** Puts a part away and returns the name under which `Source` finds it. */
export type Sink = (name: string, part: Part) => string;

export interface Source {
  picture(name: string, width: number, height: number): Promise<Uint8ClampedArray>;
  plane(name: string, width: number, height: number): Promise<Uint8Array>;
  bytes(name: string): Promise<Uint8Array>;
  file(name: string, type: string): Promise<Blob>;
}

function photoJson(photo: Photo, prefix: string, put: Sink): Shape {
  const { name, width, height, pixels, profile, file } = photo;
  return {
    name,
    width,
    height,
    pixels: put(`${prefix}.png`, { kind: "picture", width, height, pixels }),
    profile: profile && put(`${prefix}.icc`, { kind: "bytes", bytes: profile }),
    file: file && put(`${prefix}.original`, { kind: "file", file }),
    type: file?.type ?? "",
  };
}

function planeOf(map: LabelMap, name: string, put: Sink): string {
  return put(name, { kind: "plane", ...map });
}

/** The JSON of a project; its parts go to `put`. */
export function projectJson(project: Project, put: Sink): Shape {
  const { photo, exclude } = project;
  return {
    format: "layoutbrush-project",
    version: VERSION,
    ...(project.outdated && { outdated: true }),
    photo: photoJson(photo, "photo", put),
    labels: project.labels.map(({ id, name, color }) => ({ id, name, color: [...color] })),
    original: planeOf(project.original, "original.png", put),
    edited: planeOf(project.edited, "edited.png", put),
    exclude: exclude && planeOf({ width: photo.width, height: photo.height, ids: exclude }, "exclude.png", put),
    layers: project.layers.map((layer, index) => {
      const { width, height } = layer.bounds;
      return {
        ...{ id: layer.id, name: layer.name, bounds: { ...layer.bounds } },
        ...{ visible: layer.visible, kept: layer.kept, seed: layer.seed },
        pixels: put(`layers/${index}.png`, { kind: "picture", width, height, pixels: layer.pixels }),
        mask: planeOf({ width, height, ids: layer.mask }, `layers/${index}_mask.png`, put),
      };
    }),
    references: project.references.map(({ id, photo, labels }, index) => ({
      id,
      photo: photoJson(photo, `references/${index}`, put),
      labels: planeOf(labels, `references/${index}_labels.png`, put),
    })),
    placements: project.placements.map((placement, index) => ({
      ...{ id: placement.id, referenceId: placement.referenceId, label: placement.label },
      ...{ source: { ...placement.source }, target: { ...placement.target } },
      mask: planeOf({ ...extentOf(placement.source), ids: placement.mask }, `placements/${index}.png`, put),
      ...(placement.mirrored && { mirrored: true }),
    })),
    drawings: project.drawings.map((drawing, index) => drawingJson(drawing, `drawings/${index}.png`, put)),
    seed: project.seed,
  };
}

function drawingJson({ id, target, referenceId, label }: Drawing, name: string, put: Sink): Shape {
  if (!isRegion(target)) return { id, referenceId, label, target: { ...target } };
  const mask = planeOf({ ...extentOf(target.bounds), ids: target.data }, name, put);
  return { id, referenceId, label, target: { bounds: { ...target.bounds }, mask } };
}

function extentOf({ width, height }: Rect) {
  return { width, height };
}

async function photoFrom(json: unknown, source: Source): Promise<Photo> {
  const from = expect.object(json);
  const [width, height] = [expect.side(from["width"]), expect.side(from["height"])];
  const [profile, file] = [expect.name(from["profile"]), expect.name(from["file"])];
  return {
    name: expect.text(from["name"]),
    width,
    height,
    pixels: await source.picture(expect.text(from["pixels"]), width, height),
    profile: profile === null ? null : await source.bytes(profile),
    file: file === null ? null : await source.file(file, expect.text(from["type"])),
  };
}

function labelFrom(json: unknown): Label {
  const from = expect.object(json);
  const color = expect.list(from["color"]).map((value) => expect.whole(value, 0, 255));
  if (color.length !== 3) throw new ProjectError();
  return { id: expect.whole(from["id"], 0, 254), name: expect.text(from["name"]), color: color as unknown as Color };
}

async function layerFrom(json: unknown, source: Source): Promise<Layer> {
  const from = expect.object(json);
  const bounds = expect.rect(from["bounds"]);
  return {
    id: expect.text(from["id"]),
    name: expect.text(from["name"]),
    bounds,
    pixels: await source.picture(expect.text(from["pixels"]), bounds.width, bounds.height),
    mask: await source.plane(expect.text(from["mask"]), bounds.width, bounds.height),
    visible: expect.truth(from["visible"]),
    kept: expect.truth(from["kept"]),
    seed: expect.whole(from["seed"], 0, 2147483647),
    ...(from["outdated"] === true && { outdated: true }),
  };
}

async function referenceFrom(json: unknown, source: Source): Promise<Reference> {
  const from = expect.object(json);
  const photo = await photoFrom(from["photo"], source);
  const { width, height } = photo;
  return {
    id: expect.text(from["id"]),
    photo,
    labels: { width, height, ids: await source.plane(expect.text(from["labels"]), width, height) },
  };
}

async function placementFrom(json: unknown, references: readonly Reference[], source: Source): Promise<Placement> {
  const from = expect.object(json);
  const referenceId = expect.text(from["referenceId"]);
  if (!references.some(({ id }) => id === referenceId)) throw new ProjectError();
  const rect = expect.rect(from["source"]);
  return {
    id: expect.text(from["id"]),
    referenceId,
    source: rect,
    mask: await source.plane(expect.text(from["mask"]), rect.width, rect.height),
    label: expect.whole(from["label"], 0, 255),
    target: expect.rect(from["target"]),
    ...(from["mirrored"] === true && { mirrored: true }),
  };
}

async function drawingFrom(json: unknown, references: readonly Reference[], source: Source): Promise<Drawing> {
  const from = expect.object(json);
  const referenceId = expect.text(from["referenceId"]);
  if (referenceId && !references.some(({ id }) => id === referenceId)) throw new ProjectError();
  const target = expect.object(from["target"]);
  const label = from["label"] === null ? null : expect.whole(from["label"], 0, 254);
  const known = { id: expect.text(from["id"]), referenceId, label };
  if ("label" in target) return { ...known, target: { label: expect.whole(target["label"], 0, 255) } };
  const bounds = expect.rect(target["bounds"]);
  const data = await source.plane(expect.text(target["mask"]), bounds.width, bounds.height);
  return { ...known, target: { bounds, data } };
}

/** Throws ProjectError where the JSON isn't what `projectJson` makes. */
export async function projectFrom(json: unknown, source: Source): Promise<Project> {
  const from = expect.object(json);
  if (from["format"] !== "layoutbrush-project") throw new ProjectError("The file is no Layoutbrush project.");
  if (expect.whole(from["version"], 1, 1e9) > VERSION) {
    throw new ProjectError("The project was saved by a newer version of Layoutbrush. Update the server, then reload the page.");
  }
  const photo = await photoFrom(from["photo"], source);
  const { width, height } = photo;
  const map = async (name: unknown) => ({ width, height, ids: await source.plane(expect.text(name), width, height) });
  const exclude = expect.name(from["exclude"]);
  const references: Reference[] = [];
  for (const reference of expect.list(from["references"])) references.push(await referenceFrom(reference, source));
  const layers: Layer[] = [];
  for (const layer of expect.list(from["layers"])) layers.push(await layerFrom(layer, source));
  const placements: Placement[] = [];
  for (const one of expect.list(from["placements"])) placements.push(await placementFrom(one, references, source));
  const drawings: Drawing[] = [];
  // Projects of older editors have none.
  for (const one of expect.list(from["drawings"] ?? [])) drawings.push(await drawingFrom(one, references, source));
  return {
    photo,
    labels: expect.list(from["labels"]).map(labelFrom),
    original: await map(from["original"]),
    edited: await map(from["edited"]),
    exclude: exclude === null ? null : (await map(exclude)).ids,
    layers,
    references,
    placements,
    drawings,
    seed: expect.whole(from["seed"], 0, 2147483647),
    ...(from["outdated"] === true && { outdated: true }),
  };
}
