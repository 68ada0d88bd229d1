/** Where Photoshop enters. */

import { ownSignals } from "./polyfills";
import { Panel } from "./panel";
import type { Photoshop, Uxp } from "./photoshop";

declare function require(name: "photoshop"): Photoshop;
declare function require(name: "uxp"): Uxp;

const photoshop = require("photoshop");
const { entrypoints } = require("uxp");

/** Whether a body can be read while it comes; where it can't, renders are polled for from the start. */
const streams = typeof ReadableStream !== "undefined" && typeof Response !== "undefined" && "body" in Response.prototype;

/** Photoshop's fetch, without signals that it doesn't know. */
const call: typeof globalThis.fetch = (address, init) => {
  const { signal, ...rest } = init ?? {};
  return fetch(address, ownSignals || !signal ? rest : { ...rest, signal });
};

entrypoints.setup({
  panels: {
    layoutbrush: {
      show(root) {
        if (!root.firstChild) new Panel(root, photoshop, localStorage, { fetch: call, poll: !streams });
      },
    },
  },
});
