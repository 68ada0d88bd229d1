/**
 * A draft of the project in the browser's own store, so that a closed tab or a crash costs nothing. Each save is one
 * transaction: the draft is the old one or the new one, never half. Planes that did not change are not written again.
 */

import type { Project } from "../model/types";
import { ProjectError } from "./project_check";
import { projectFrom, projectJson, type Part, type Source } from "./project_parts";

const DATABASE = "layoutbrush";
const STORE = "draft";
const INDEX = "project.json";
const NO_ROOM = "The browser has no room left for a draft of this project. Save it as a file.";

/** Under which key an array was stored, as long as it lives. */
const stored = new WeakMap<object, string>();
let saving: Promise<unknown> = Promise.resolve();
let number = 0;

function done(request: IDBRequest | IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    if ("oncomplete" in request) {
      request.oncomplete = () => resolve();
      request.onabort = () => reject(request.error ?? new DOMException("", "AbortError"));
    } else request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error);
  });
}

async function database(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  await done(request);
  return request.result;
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It has ended already.
  }
}

async function inStore<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => Promise<T>): Promise<T> {
  const opened = await database();
  try {
    const transaction = opened.transaction(STORE, mode);
    const finished = done(transaction);
    try {
      const value = await work(transaction.objectStore(STORE));
      await finished;
      return value;
    } catch (error) {
      // All or nothing: what was done before the error is undone.
      if (mode === "readwrite") abort(transaction);
      await finished.catch(() => undefined);
      throw error;
    }
  } finally {
    opened.close();
  }
}

function get(store: IDBObjectStore, key: string): Promise<unknown> {
  const request = store.get(key);
  return done(request).then(() => request.result as unknown);
}

function content(part: Part): Uint8ClampedArray | Uint8Array | Blob {
  switch (part.kind) {
    case "picture":
      return part.pixels;
    case "plane":
      return part.ids;
    case "bytes":
      return part.bytes;
    case "file":
      return part.file;
  }
}

async function save(project: Project): Promise<void> {
  const parts = new Map<string, ReturnType<typeof content>>();
  const json = projectJson(project, (_, part) => {
    const value = content(part);
    const key = stored.get(value) ?? `${Date.now().toString(36)}-${++number}`;
    stored.set(value, key);
    parts.set(key, value);
    return key;
  });
  try {
    await inStore("readwrite", async (store) => {
      const keys = store.getAllKeys();
      await done(keys);
      const there = new Set(keys.result);
      for (const key of there) if (key !== INDEX && !parts.has(String(key))) store.delete(key);
      for (const [key, value] of parts) if (!there.has(key)) store.put(value, key);
      store.put(json, INDEX);
    });
  } catch (error) {
    throw error instanceof DOMException && error.name !== "QuotaExceededError"
      ? new Error("The browser keeps no drafts here (private window?). Save the project as a file.")
      : new Error(NO_ROOM);
  }
}

/** Saves one after the other. Rejects with one sentence for people where the browser can't keep the draft. */
export function saveDraft(project: Project): Promise<void> {
  const mine = saving.then(() => save(project));
  saving = mine.catch(() => undefined);
  return mine;
}

class StoreSource implements Source {
  constructor(private readonly parts: ReadonlyMap<string, unknown>) {}

  private array<T extends Uint8Array | Uint8ClampedArray>(name: string, length: number, type: new () => T): T {
    const value = this.parts.get(name);
    if (!(value instanceof type) || (length >= 0 && value.length !== length)) throw new ProjectError();
    stored.set(value, name);
    return value;
  }

  async picture(name: string, width: number, height: number) {
    return this.array(name, width * height * 4, Uint8ClampedArray);
  }

  async plane(name: string, width: number, height: number) {
    return this.array(name, width * height, Uint8Array);
  }

  async bytes(name: string) {
    return this.array(name, -1, Uint8Array);
  }

  async file(name: string) {
    const value = this.parts.get(name);
    if (!(value instanceof Blob)) throw new ProjectError();
    stored.set(value, name);
    return value;
  }
}

/** Null where there is none, or none that can be read. Never rejects. */
export async function loadDraft(): Promise<Project | null> {
  try {
    const found = await inStore("readonly", async (store) => {
      const json = await get(store, INDEX);
      const parts = new Map<string, unknown>();
      const keys = store.getAllKeys();
      await done(keys);
      for (const key of keys.result) parts.set(String(key), await get(store, String(key)));
      return { json, parts };
    });
    return found.json ? await projectFrom(found.json, new StoreSource(found.parts)) : null;
  } catch {
    return null;
  }
}

/** Never rejects. */
export async function dropDraft(): Promise<void> {
  await saving;
  try {
    await inStore("readwrite", async (store) => void store.clear());
  } catch {
    // There is nothing to drop where nothing can be kept.
  }
}
