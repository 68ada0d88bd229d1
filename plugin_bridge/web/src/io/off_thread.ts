/** Runs a task in a worker, so that the page stays quick; where there are none, here. */

import type { Tasks } from "./tasks";
import type { Report } from "./worker";

type Outcome<K extends keyof Tasks> = Awaited<ReturnType<Tasks[K]>>;

function inWorker(worker: Worker, order: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.addEventListener("message", ({ data }: MessageEvent<Report>) => {
      if ("value" in data) resolve(data.value);
      else reject(Object.assign(new Error(data.error.message), { name: data.error.name }));
    });
    const lost = () => reject(new Error("The browser had no memory left for this picture."));
    worker.addEventListener("messageerror", lost);
    worker.addEventListener("error", lost);
    worker.postMessage(order);
  });
}

/** Rejects with what the task throws: name and message, no longer its class. */
export async function offThread<K extends keyof Tasks>(task: K, argument: Parameters<Tasks[K]>[0]): Promise<Outcome<K>> {
  if (typeof Worker === "undefined") {
    const { TASKS } = await import("./tasks");
    return (TASKS[task] as (argument: unknown) => Outcome<K>)(argument);
  }
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  try {
    return (await inWorker(worker, { task, argument })) as Outcome<K>;
  } finally {
    worker.terminate();
  }
}
