/** Photos of the server's folder: ranked by likeness, and fetched. */

import { whole, type Extent } from "../model/geometry";
import { mapAt, pixelsAt } from "../model/resample";
import type { LabelMap, Photo } from "../model/types";
import type { Findings, Query, RunOptions } from "./backend";
import type { Calls } from "./calls";
import { Encoding, LayerKind, type Layer } from "./gen/layoutbrush/v1/layers_pb";
import { Assembler, broken, photoLayer, pictureOf, planeLayer, planeOf } from "./wire";

/** Likeness is judged on small pictures; larger ones only take longer to send. */
const QUERY_SIDE = 512;
const THUMBNAIL_SIDE = 192;
/** A reference larger than this is fetched reduced: it is drawn from, not shown. */
const FETCHED_SIDE = 4096;

/** The size that `extent` is reduced to. */
function smaller({ width, height }: Extent): Extent {
  const scale = Math.min(1, QUERY_SIDE / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

function reduced(picture: NonNullable<Query["picture"]>): Photo {
  const to = smaller(picture);
  const pixels = pixelsAt({ bounds: whole(picture), pixels: picture.pixels, pixelExtent: picture }, to);
  return { ...to, name: "", pixels, profile: null, file: null };
}

/** Rejects with BackendError. */
export async function findReferences(calls: Calls, query: Query, count: number, packed: boolean, options: RunOptions = {}): Promise<Findings> {
  const labels = query.labels && mapAt(query.labels, smaller(query.labels));
  const message = {
    count,
    thumbnailSide: THUMBNAIL_SIDE,
    encoding: packed ? Encoding.PNG : Encoding.RAW,
    ...(labels ? { labelMap: await planeLayer(LayerKind.EDITED_LABEL_MAP, whole(labels), labels.ids) } : {}),
    ...(query.picture ? { picture: await photoLayer(reduced(query.picture), packed) } : {}),
  };
  const call = options.signal ? { signal: options.signal } : {};
  const { references, pending } = await calls.call((service) => service.findReferences(message, call), options.signal);
  const photos = references.map(({ name, score, extent, thumbnail }) => ({
    ...{ name, score, width: extent?.width ?? 0, height: extent?.height ?? 0 },
    thumbnail: thumbnail ? pictureOf(thumbnail, thumbnail.data) : null,
  }));
  return { photos, pending };
}

/** Rejects with BackendError. */
export async function fetchReference(calls: Calls, name: string, packed: boolean, options: RunOptions = {}): Promise<{ photo: Photo; labels: LabelMap | null }> {
  const request = { name, encoding: packed ? Encoding.PNG : Encoding.RAW, maxSide: FETCHED_SIDE };
  const tell = options.onEvent;
  return calls.call(async (service) => {
    const assembler = new Assembler();
    let photo: Photo | null = null;
    let labels: LabelMap | null = null;
    const arrived = (layer: Layer) =>
      assembler.announce(layer, (data) => {
        const { pixels, pixelExtent } = pictureOf(layer, data);
        photo = { ...pixelExtent, name, pixels, profile: null, file: null };
      });
    for await (const { event } of service.fetchReference(request, options.signal ? { signal: options.signal } : {})) {
      options.signal?.throwIfAborted();
      if (event.case === "queued") tell?.({ type: "queued", position: event.value.position });
      else if (event.case === "progress") tell?.({ type: "progress", stage: event.value.stage, done: event.value.done });
      else if (event.case === "chunk") assembler.feed(event.value);
      else if (event.case === "photo") arrived(event.value);
      else if (event.case === "labelMap") {
        const { value } = event;
        assembler.announce(value, (data) => (labels = planeOf(value, data)));
      }
    }
    if (!photo || !assembler.complete) throw broken();
    return { photo, labels };
  }, options.signal);
}
