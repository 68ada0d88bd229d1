/** What a render draws from, as messages. */

import { create } from "@bufbuild/protobuf";

import type { Source } from "../model/mix";
import type { Mask } from "../model/selection";
import { UNKNOWN } from "../model/types";
import { LayerKind, type Layer } from "./gen/layoutbrush/v1/layers_pb";
import { SourceSchema, type Source as Message } from "./gen/layoutbrush/v1/render_pb";
import { boundsOf, planeLayer } from "./wire";

function maskLayer({ bounds, data }: Mask): Promise<Layer> {
  return planeLayer(LayerKind.MASK, bounds, data.map((value) => (value ? 255 : 0)));
}

async function message({ target, reference, label, part, place }: Source): Promise<Message> {
  return create(SourceSchema, {
    target:
      typeof target === "number"
        ? { case: "labelId", value: target }
        : { case: "region", value: await maskLayer(target) },
    referenceId: reference?.id ?? "",
    // Unknown is no label to look for: the server then takes the one that is to be filled.
    ...(label === null || label === UNKNOWN ? {} : { sourceLabelId: label }),
    ...(part ? { sourceRegion: await maskLayer(part) } : {}),
    ...(place ? { place: boundsOf(place) } : {}),
  });
}

export function sourceMessages(sources: readonly Source[]): Promise<Message[]> {
  return Promise.all(sources.map(message));
}
