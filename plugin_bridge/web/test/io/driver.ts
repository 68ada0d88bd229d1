/**
 * One edit as the page makes it, for `layoutbrush conformance --plugin "node driver.js {url}"`: asks the server what it is,
 * refuses what it can't take, opens, renders, closes. `tests/hosts/web/test_promises.py` builds and runs it.
 */

import { BackendError } from "../../src/io/backend";
import { connectBackend } from "../../src/io/connect_backend";
import { sendingRefusal } from "../../src/io/size_warning";
import type { Photo } from "../../src/model/types";

const [, , address = "", way = ""] = process.argv;
const script = process.env["LAYOUTBRUSH_SCRIPT"] ?? "";
// Above 4 MiB in all, so that it goes up in parts.
const [width, height] = [1411, 1103];

async function edit(): Promise<void> {
  // Whether streams come through is asked elsewhere: here a machine that is busy must not turn one into polls.
  const backend = connectBackend({ address, poll: way === "poll", streamPatience: 60_000 });
  const info = await backend.check();
  const refusal = sendingRefusal({ width, height }, info);
  if (refusal) throw new Error(refusal);
  const pixels = new Uint8ClampedArray(width * height * 4).map((_, i) => (i % 4 === 3 ? 255 : (i * 31) & 255));
  const photo: Photo = { name: "photo", width, height, pixels, profile: null, file: null };
  const [before, after] = info.labels;
  const ids = new Uint8Array(width * height).fill(before!.id);
  const document = await backend.open(photo, { width, height, ids });
  const edited = ids.slice();
  for (let y = 500; y < 600; y++) edited.fill(after!.id, y * width + 700, y * width + 803);
  const cancel = new AbortController();
  // Once the server is at work.
  const onEvent = () => script === "cancel" && cancel.abort(new Error("Cancelled."));
  try {
    const request = { edited: { width, height, ids: edited }, changed: null, exclude: null, seed: 5, previews: ["warped"] as const };
    const result = await document.render(request, { signal: cancel.signal, onEvent });
    if (result.pixels.length !== result.mask.length * 4) throw new Error("The result has another size than its mask.");
  } finally {
    await document.close();
  }
}

edit().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof BackendError ? `${error.code}: ${error.message}` : error);
    process.exit(1);
  },
);
