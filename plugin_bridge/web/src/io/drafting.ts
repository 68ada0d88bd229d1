/** Pictures from boxes: the request as a message, and the drafts as they come. */

import type { Draft, DraftBox, DraftRequest, RunOptions } from "./backend";
import type { Calls } from "./calls";
import type { Draft as Message } from "./gen/layoutbrush/v1/drafts_pb";
import { Encoding } from "./gen/layoutbrush/v1/layers_pb";
import { Assembler, broken, pictureOf, planeOf } from "./wire";

/** Hands a draft out when its picture and its label map are whole. */
function receive(message: Message, assembler: Assembler, done: (draft: Draft) => void): void {
  const { index, picture, labelMap } = message;
  if (!picture) throw broken();
  let drawn: Draft["picture"] | null = null;
  let labels: Draft["labels"] = null;
  let missing = labelMap ? 2 : 1;
  const part = () => {
    if (--missing === 0) done({ index, picture: drawn!, labels });
  };
  assembler.announce(picture, (data) => {
    drawn = pictureOf(picture, data);
    part();
  });
  if (labelMap) {
    assembler.announce(labelMap, (data) => {
      labels = planeOf(labelMap, data);
      part();
    });
  }
}

function boxMessages(boxes: readonly DraftBox[]) {
  return boxes.map(({ label, x, y, width, height, look }) => ({ label, x, y, width, height, look }));
}

/** Rejects with BackendError. `packed`: drafts travel as PNG. */
export async function generateDrafts(
  calls: Calls,
  request: DraftRequest,
  packed: boolean,
  onDraft: (draft: Draft) => void,
  options: RunOptions = {},
): Promise<void> {
  const message = {
    extent: { ...request.extent },
    boxes: boxMessages(request.boxes),
    before: (request.before ?? []).map((boxes) => ({ boxes: boxMessages(boxes) })),
    count: request.count,
    seed: request.seed,
    encoding: packed ? Encoding.PNG : Encoding.RAW,
  };
  const tell = options.onEvent;
  await calls.call(async (service) => {
    const assembler = new Assembler();
    for await (const { event } of service.generateDrafts(message, options.signal ? { signal: options.signal } : {})) {
      options.signal?.throwIfAborted();
      if (event.case === "queued") tell?.({ type: "queued", position: event.value.position });
      else if (event.case === "progress") tell?.({ type: "progress", stage: event.value.stage, done: event.value.done });
      else if (event.case === "chunk") assembler.feed(event.value);
      else if (event.case === "draft") receive(event.value, assembler, onDraft);
    }
    if (!assembler.complete) throw broken();
  }, options.signal);
}
