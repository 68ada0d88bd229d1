/**
 * Runs a task in a worker, so that the page stays quick. Where there are none, or where the worker's script can't be fetched
 * because the server is gone, it runs here: work can be saved whatever happens to the server.
 */

import { TASKS, type Tasks } from "./tasks";
import type { Report } from "./worker";

type Outcome<K extends keyof Tasks> = Awaited<ReturnType<Tasks[K]>>;

/** The worker never came up. */
class NoWorker extends Error {}

function inWorker(worker: Worker, order: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let up = false;
    worker.addEventListener("message", ({ data }: MessageEvent<Report>) => {
      if ("ready" in data) {
        up = true;
        worker.postMessage(order);
      } else if ("value" in data) resolve(data.value);
      else reject(Object.assign(new Error(data.error.message), { name: data.error.name }));
    });
    const lost = () => reject(up ? new Error("The browser had no memory left for this picture.") : new NoWorker());
    worker.addEventListener("messageerror", lost);
    worker.addEventListener("error", lost);
  });
}

function here<K extends keyof Tasks>(task: K, argument: Parameters<Tasks[K]>[0]): Outcome<K> | Promise<Outcome<K>> {
  return (TASKS[task] as (argument: unknown) => Outcome<K>)(argument);
}

/** Rejects with what the task throws: name and message, no longer its class. */
export async function offThread<K extends keyof Tasks>(task: K, argument: Parameters<Tasks[K]>[0]): Promise<Outcome<K>> {
  if (typeof Worker === "undefined") return here(task, argument);
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  try {
    return (await inWorker(worker, { task, argument })) as Outcome<K>;
  } catch (error) {
    if (error instanceof NoWorker) return await here(task, argument);
    throw error;
  } finally {
    worker.terminate();
  }
}
