/** The bar at the top: file menu, undo, zoom, compare, render, theme, help. */

import { settings, type Theme } from "../model/settings";
import type { Workspace } from "../tools/workspace";
import { IconButton, Menu, Switch, type MenuEntry } from "./controls";
import { openDialog } from "./dialogs";
import { exportAs, openBoxes, openPhoto, saveBoxes } from "./files";
import { session } from "./session";

function fileMenu(bench: Workspace | null): MenuEntry[] {
  const none = bench === null;
  return [
    { name: "Open photo or project\u2026", keys: "Ctrl+O", run: () => void openPhoto() },
    { name: "Save project", keys: "Ctrl+S", disabled: none, run: () => void exportAs("project") },
    "line",
    { name: "Export picture (PNG)", keys: "Ctrl+E", disabled: none, run: () => void exportAs("png") },
    { name: "Export layers (PSD)", disabled: none, run: () => void exportAs("psd") },
    { name: "Export layers (OpenRaster)", disabled: none, run: () => void exportAs("ora") },
    { name: "Export label map (PNG)", disabled: none, run: () => void exportAs("labels") },
    "line",
    { name: "Place a region of a second photo\u2026", keys: "A", disabled: none, run: () => (openDialog.value = "reference") },
    ...draftEntries(),
    { name: "Find the labels again", disabled: none, run: () => void session.segmentAgain() },
    { name: "Restore the whole layout", disabled: none, run: () => bench?.restoreAll() },
    "line",
    { name: "Server token\u2026", run: () => (openDialog.value = "token") },
    { name: "Close", disabled: none, run: () => void closeDocument() },
  ];
}

/** What can be done with boxes, where the server makes drafts. */
function draftEntries(): MenuEntry[] {
  if (!session.server.info.value?.drafts) return [];
  const empty = session.board.boxes.value.length === 0;
  return [
    { name: "Boxes and drafts", keys: "D", disabled: session.boarding.value, run: () => session.turnBoard(true) },
    { name: "Open boxes\u2026", run: () => void openBoxes() },
    { name: "Save boxes", disabled: empty, run: () => saveBoxes() },
  ];
}

async function closeDocument(): Promise<void> {
  const bench = session.bench.value;
  const unsaved = bench && bench.document.history.length.value > 0;
  if (!unsaved || (await session.ask("Close the photo? What isn't saved as a project is lost.", "Close"))) {
    await session.close();
  }
}

const THEMES: Record<Theme, { icon: "auto" | "sun" | "moon"; name: string; next: Theme }> = {
  system: { icon: "auto", name: "Theme: as the system", next: "light" },
  light: { icon: "sun", name: "Theme: light", next: "dark" },
  dark: { icon: "moon", name: "Theme: dark", next: "system" },
};

export function TopBar({ bench }: { bench: Workspace | null }) {
  const theme = THEMES[settings.theme.value];
  return (
    <header class="topbar" role="banner">
      <Logo />
      <Menu name="File" entries={fileMenu(bench)} />
      {bench && <History bench={bench} />}
      <h1 class="title">{bench ? bench.document.photo.name : "Layoutbrush"}</h1>
      {bench && <RenderControls bench={bench} />}
      {bench && <Zoom bench={bench} />}
      <div class="group">
        {bench && (
          <IconButton
            icon="panel"
            name="Side panel"
            pressed={settings.panel.value}
            onClick={() => (settings.panel.value = !settings.panel.value)}
          />
        )}
        <IconButton icon={theme.icon} name={theme.name} onClick={() => (settings.theme.value = theme.next)} />
        <IconButton icon="help" name="Keys and help" keys="?" onClick={() => (openDialog.value = "help")} />
      </div>
    </header>
  );
}

function Logo() {
  return (
    <svg class="logo" width="22" height="22" viewBox="0 0 32 32" role="img" aria-label="Layoutbrush">
      <path class="land" d="M3 23c5.500-6.500 9-6.500 13-2s8 3 13-2v6a5 5 0 0 1-5 5H8a5 5 0 0 1-5-5z" />
      <path class="shaft" d="M27.500 3 15 16.500l3.500 3.500L29.500 5c1-1.500-.7-3.200-2-2z" />
      <circle class="tip" cx="15" cy="20" r="3.800" />
    </svg>
  );
}

function History({ bench }: { bench: Workspace }) {
  const { undoName, redoName } = bench.document.history;
  const busy = bench.transform.holding.value || bench.marks.path.value.length > 0;
  return (
    <div class="group" role="group" aria-label="History">
      <IconButton
        icon="undo"
        name={undoName.value ? `Undo: ${undoName.value}` : "Undo"}
        keys="Ctrl+Z"
        disabled={!undoName.value && !busy}
        onClick={() => bench.undo()}
      />
      <IconButton
        icon="redo"
        name={redoName.value ? `Redo: ${redoName.value}` : "Redo"}
        keys="Ctrl+Shift+Z"
        disabled={!redoName.value}
        onClick={() => bench.redo()}
      />
    </div>
  );
}

function RenderControls({ bench }: { bench: Workspace }) {
  const { live } = bench;
  const busy = live.activity.value !== null;
  return (
    <div class="group" role="group" aria-label="Rendering">
      <Switch
        label="Live"
        tip="Render after each change"
        on={settings.live.value}
        onChange={(on) => {
          settings.live.value = on;
          if (on && live.stale.value) live.sync();
        }}
      />
      {busy ? (
        <IconButton icon="stop" name="Cancel" keys="Escape" onClick={() => live.cancel()} />
      ) : (
        <IconButton
          icon="play"
          name="Render now"
          keys="Ctrl+Enter"
          disabled={!live.stale.value}
          onClick={() => void live.render()}
        />
      )}
      <IconButton
        icon="compare"
        name="Before / after"
        keys="C"
        pressed={bench.compare.value !== null}
        onClick={() => (bench.compare.value = bench.compare.value === null ? 0.5 : null)}
      />
    </div>
  );
}

function Zoom({ bench }: { bench: Workspace }) {
  const { view } = bench;
  const percent = view.percent.value;
  return (
    <div class="group" role="group" aria-label="Zoom">
      <IconButton icon="minus" name="Zoom out" keys="-" onClick={() => view.step(-1)} />
      <button
        type="button"
        class="button zoom"
        data-tip="100 %  1"
        data-side="below"
        aria-label={`Zoom ${Math.round(percent)} %, set to 100 %`}
        onClick={() => view.zoomTo(1)}
      >
        {percent < 10 ? percent.toFixed(1) : Math.round(percent)} %
      </button>
      <IconButton icon="plus" name="Zoom in" keys="+" onClick={() => view.step(1)} />
      <IconButton icon="fit" name="Fit the window" keys="0" onClick={() => view.fit()} />
    </div>
  );
}
