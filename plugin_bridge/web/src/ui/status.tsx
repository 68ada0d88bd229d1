/** The bar at the bottom, the banner of a lost server, and short notes. */

import { UNKNOWN } from "../model/types";
import type { Link } from "../model/server";
import type { Workspace } from "../tools/workspace";
import { Bar, IconButton } from "./controls";
import { openDialog } from "./dialogs";
import { session } from "./session";

const LINKS: Record<Link, string> = {
  connecting: "Connecting",
  online: "Connected",
  lost: "Server lost",
  denied: "Token needed",
};

/** Stage names of the server, for people. */
const STAGES: Record<string, string> = {
  upload: "Sending the photo",
  segment: "Finding labels",
  encode: "Looking at the photo",
  warp: "Finding textures",
  refine: "Refining",
  composite: "Putting together",
  waiting: "Waiting for the server",
};

export function StatusBar({ bench }: { bench: Workspace | null }) {
  const { server } = session;
  const info = server.info.value;
  return (
    <footer class="status" role="contentinfo">
      <button
        type="button"
        class={`link ${server.link.value}`}
        data-tip={server.link.value === "online" ? `Layoutbrush ${info?.version}, ${info?.bundle}` : server.reason.value}
        data-side="above"
        onClick={() => (server.link.value === "denied" ? (openDialog.value = "token") : void server.connect())}
      >
        <span class="dot" aria-hidden="true" />
        {LINKS[server.link.value]}
      </button>
      {bench && <Progress bench={bench} />}
      <span class="spacer" />
      {bench && <Under bench={bench} />}
      {bench && (
        <span class="quiet size">
          {bench.document.extent.width} × {bench.document.extent.height}
        </span>
      )}
      {bench && (
        <span class="quiet draft" data-tip="Kept in this browser; a reload loses nothing" data-side="above">
          {session.saved.value ? `Kept ${session.saved.value.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}` : ""}
        </span>
      )}
    </footer>
  );
}

function Progress({ bench }: { bench: Workspace }) {
  const activity = bench.live.activity.value;
  const stale = bench.live.stale.value;
  const stage = activity ? (STAGES[activity.stage] ?? activity.stage) : stale ? "Not rendered yet" : "";
  return (
    <span class="activity">
      <Bar label="Render" done={activity?.done ?? null} idle={!activity} />
      <span>{stage}</span>
    </span>
  );
}

function Under({ bench }: { bench: Workspace }) {
  const at = bench.marks.pointer.value ?? bench.marks.cursor.value;
  const { width, height } = bench.document.extent;
  if (!at || at.x < 0 || at.y < 0 || at.x >= width || at.y >= height) return <span class="under" />;
  const [x, y] = [Math.floor(at.x), Math.floor(at.y)];
  const id = bench.document.edited[y * width + x]!;
  const was = bench.document.original.ids[y * width + x]!;
  const name = (label: number) => (label === UNKNOWN ? "unknown" : (bench.document.label(label)?.name ?? `${label}`));
  return (
    <span class="under">
      {id === was ? name(id) : `${name(was)} \u2192 ${name(id)}`}
      <span class="quiet">
        {x}, {y}
      </span>
    </span>
  );
}

export function Banner() {
  const { server } = session;
  const link = server.link.value;
  if (link === "online" || link === "connecting") return null;
  return (
    <div class="banner" role="status">
      <span class="dot" aria-hidden="true" />
      <span>
        {link === "denied"
          ? "The server wants a token."
          : "The server doesn\u2019t answer. Your work is safe; it goes on when the server is back."}
      </span>
      {link === "denied" ? (
        <button type="button" class="button with-text" onClick={() => (openDialog.value = "token")}>
          Enter token
        </button>
      ) : (
        <button type="button" class="button with-text" onClick={() => void server.connect()}>
          Try now
        </button>
      )}
    </div>
  );
}

export function Toasts() {
  return (
    <div class="toasts" role="log" aria-live="polite">
      {session.toasts.value.map(({ id, text, kind }) => (
        <div key={id} class={`toast ${kind}`} role={kind === "error" ? "alert" : undefined}>
          <span>{text}</span>
          <IconButton icon="close" name="Dismiss" tip="left" onClick={() => session.dismiss(id)} />
        </div>
      ))}
    </div>
  );
}

/** What is said to screen readers: tools' words, and progress in steps of a quarter. */
export function Spoken({ bench }: { bench: Workspace | null }) {
  const activity = bench?.live.activity.value ?? session.opening.value;
  const quarter = activity?.done == null ? "" : ` ${Math.floor(activity.done * 4) * 25} %`;
  return (
    <>
      <p class="unseen" aria-live="polite">
        {session.said.value}
      </p>
      <p class="unseen" role="status">
        {activity ? `${STAGES[activity.stage] ?? activity.stage}${quarter}` : ""}
      </p>
    </>
  );
}
