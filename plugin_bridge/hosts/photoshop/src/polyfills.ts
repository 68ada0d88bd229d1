/** What Photoshop's engine may lack. Imported first; what is there already is left alone. */

import { utf8 } from "../../../web/src/io/fetch_transport";

type Globals = Record<string, unknown>;
const globals = globalThis as unknown as Globals;

function encoded(text: string): Uint8Array {
  const out: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0)!;
    // A lone surrogate has no UTF-8.
    const code = point >= 0xd800 && point <= 0xdfff ? 0xfffd : point;
    if (code < 0x80) out.push(code);
    else if (code < 0x800) out.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) out.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else out.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return Uint8Array.from(out);
}

/** Events enough for signals. */
class Listeners {
  private readonly listeners = new Set<() => void>();

  addEventListener(_: string, listener: () => void): void {
    this.listeners.add(listener);
  }

  removeEventListener(_: string, listener: () => void): void {
    this.listeners.delete(listener);
  }

  protected tell(): void {
    for (const listener of [...this.listeners]) listener();
  }
}

class Signal extends Listeners {
  aborted = false;
  reason: unknown = undefined;

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  end(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason ?? Object.assign(new Error("The call was given up."), { name: "AbortError" });
    this.tell();
  }
}

class Controller {
  readonly signal = new Signal();

  abort(reason?: unknown): void {
    this.signal.end(reason);
  }
}

/** As much of Headers as errors and answers ask for. */
class SmallHeaders {
  private readonly values = new Map<string, string>();

  append(name: string, value: string): void {
    const before = this.values.get(name.toLowerCase());
    this.values.set(name.toLowerCase(), before === undefined ? value : `${before}, ${value}`);
  }

  set(name: string, value: string): void {
    this.values.set(name.toLowerCase(), value);
  }

  get(name: string): string | null {
    return this.values.get(name.toLowerCase()) ?? null;
  }

  has(name: string): boolean {
    return this.values.has(name.toLowerCase());
  }

  delete(name: string): void {
    this.values.delete(name.toLowerCase());
  }

  forEach(call: (value: string, name: string) => void): void {
    this.values.forEach(call);
  }
}

if (!globals["Headers"]) globals["Headers"] = SmallHeaders;
if (!globals["TextEncoder"]) globals["TextEncoder"] = class { encode = encoded; };
if (!globals["TextDecoder"]) {
  globals["TextDecoder"] = class {
    decode(bytes?: Uint8Array | ArrayBuffer): string {
      return bytes ? utf8(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)) : "";
    }
  };
}
/** Signals made here mean nothing to the host's own fetch. */
export const ownSignals = !globals["AbortController"];
if (ownSignals) Object.assign(globals, { AbortController: Controller, AbortSignal: Signal });
