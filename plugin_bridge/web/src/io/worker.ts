/** One task, then the end: `off_thread` starts a worker for each, so that its memory goes with it. */

import { TASKS, type Tasks } from "./tasks";

export interface Order {
  readonly task: keyof Tasks;
  readonly argument: never;
}

export type Report =
  | { readonly ready: true }
  | { readonly value: unknown }
  | { readonly error: { readonly name: string; readonly message: string } };

/** The buffers inside a value: they move to the page instead of being copied. */
function buffers(value: unknown, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) found.add(value.buffer as ArrayBuffer);
  else if (Array.isArray(value)) for (const one of value) buffers(one, found);
  else if (value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) {
    for (const one of Object.values(value)) buffers(one, found);
  }
  return found;
}

addEventListener("message", ({ data: { task, argument } }: MessageEvent<Order>) => {
  const send = (report: Report, transfer: ArrayBuffer[] = []) => postMessage(report, { transfer });
  Promise.resolve()
    .then(() => (TASKS[task] as (argument: unknown) => unknown)(argument))
    .then(
      (value) => send({ value }, [...buffers(value)]),
      ({ name, message }: Error) => send({ error: { name, message } }),
    );
});

postMessage({ ready: true } satisfies Report);
