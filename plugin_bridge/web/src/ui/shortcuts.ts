/** Keys of the whole page: one table for what they do and for the help sheet. */

import { reordered, withBox, withoutBox } from "../model/boxes";
import { LARGEST_BRUSH, settings, type ToolId } from "../model/settings";
import type { Workspace } from "../tools/workspace";
import { openDialog } from "./dialogs";
import { exportAs, openPhoto } from "./files";
import { session } from "./session";

export interface Shortcut {
  /** As pressed: "Ctrl+Shift+Z". Ctrl stands for Command on a Mac. */
  readonly keys: string;
  readonly name: string;
  readonly group: "Tools" | "Brush" | "Edit" | "Selection" | "View" | "File" | "Boxes";
  readonly run: (bench: Workspace) => void;
  /** Works without a photo. */
  readonly always?: boolean;
}

export const TOOLS: readonly { readonly id: ToolId; readonly keys: string; readonly name: string; readonly hint: string }[] = [
  { id: "brush", keys: "B", name: "Brush", hint: "Paint the chosen label. Alt+click or right click picks a label." },
  { id: "eraser", keys: "E", name: "Eraser", hint: "Paint \u201cunknown\u201d: the picture decides what belongs there." },
  { id: "restore", keys: "R", name: "Restore original", hint: "Bring back what the photo had, stroke by stroke." },
  { id: "polygon", keys: "P", name: "Polygon", hint: "Click the corners; click the first one, double-click or press Enter to close. Backspace takes back the last." },
  { id: "lasso", keys: "L", name: "Lasso", hint: "Draw around an area." },
  { id: "bucket", keys: "G", name: "Bucket", hint: "Fill a region with the chosen label." },
  { id: "select", keys: "S", name: "Select region", hint: "Click a region. Shift adds, Alt takes away." },
  { id: "transform", keys: "V", name: "Move and scale", hint: "Drag a region or its handles. Shift: free shape, Alt: from the middle. Enter puts it down." },
  { id: "pick", keys: "I", name: "Pick label", hint: "Take the label under the pointer." },
  { id: "hand", keys: "H", name: "Hand", hint: "Drag to pan. Holding Space does the same with every tool." },
];

/** Next brush size: finer steps for small brushes. */
function sized(by: 1 | -1): void {
  const size = settings.brushSize.value;
  const step = size < 10 || (size === 10 && by < 0) ? 1 : size < 50 || (size === 50 && by < 0) ? 5 : size < 200 ? 10 : 25;
  settings.brushSize.value = Math.min(Math.max(size + by * step, 1), LARGEST_BRUSH);
}

function softened(by: number): void {
  settings.softness.value = Math.min(Math.max(Math.round((settings.softness.value + by) * 100) / 100, 0), 1);
}

function turnOverlay(): void {
  settings.overlay.value = settings.overlay.value === "off" ? "all" : "off";
}

export const SHORTCUTS: readonly Shortcut[] = [
  ...TOOLS.map(({ id, keys, name }): Shortcut => ({ keys, name, group: "Tools", run: () => (settings.tool.value = id) })),
  { keys: "[", name: "Smaller brush", group: "Brush", run: () => sized(-1) },
  { keys: "]", name: "Larger brush", group: "Brush", run: () => sized(1) },
  { keys: "Shift+[", name: "Harder edge", group: "Brush", run: () => softened(-0.1) },
  { keys: "Shift+]", name: "Softer edge", group: "Brush", run: () => softened(0.1) },
  { keys: "Ctrl+Z", name: "Undo", group: "Edit", run: (bench) => bench.undo() },
  { keys: "Ctrl+Shift+Z", name: "Redo", group: "Edit", run: (bench) => bench.redo() },
  { keys: "Ctrl+Y", name: "Redo", group: "Edit", run: (bench) => bench.redo() },
  { keys: "Enter", name: "Put down, close the shape", group: "Edit", run: (bench) => bench.tool.finish?.() },
  { keys: "Escape", name: "Cancel: the shape, else the render, else the selection", group: "Edit", run: (bench) => bench.cancel() },
  { keys: "Backspace", name: "Last corner back, or remove the selected region", group: "Edit", run: (b) => void (b.tool.undo?.() || b.remove()) },
  { keys: "Delete", name: "Remove the selected region", group: "Selection", run: (bench) => bench.remove() },
  { keys: "Ctrl+A", name: "Select all", group: "Selection", run: (bench) => bench.selectAll() },
  { keys: "Ctrl+D", name: "Select nothing", group: "Selection", run: (bench) => bench.document.selection.clear() },
  { keys: "F", name: "Relabel the selection", group: "Selection", run: (bench) => bench.relabel() },
  { keys: "M", name: "Merge the selected regions", group: "Selection", run: (bench) => bench.merge() },
  { keys: ".", name: "Grow the selected region", group: "Selection", run: (bench) => bench.grow() },
  { keys: ",", name: "Shrink the selected region", group: "Selection", run: (bench) => bench.shrink() },
  { keys: "Shift+R", name: "Restore the original in the selection", group: "Selection", run: (bench) => bench.restore() },
  { keys: "A", name: "Place a region of a second photo", group: "Selection", run: () => (openDialog.value = "reference") },
  { keys: "O", name: "Labels on and off", group: "View", run: turnOverlay },
  { keys: "C", name: "Before / after", group: "View", run: (b) => (b.compare.value = b.compare.value === null ? 0.5 : null) },
  { keys: "0", name: "Fit the window", group: "View", run: (bench) => bench.view.fit() },
  { keys: "1", name: "100 %", group: "View", run: (bench) => bench.view.zoomTo(1) },
  { keys: "2", name: "200 %", group: "View", run: (bench) => bench.view.zoomTo(2) },
  { keys: "+", name: "Zoom in", group: "View", run: (bench) => bench.view.step(1) },
  { keys: "-", name: "Zoom out", group: "View", run: (bench) => bench.view.step(-1) },
  { keys: "N", name: "Another variant", group: "View", run: (bench) => bench.live.variant() },
  { keys: "Ctrl+Enter", name: "Render now", group: "View", run: (bench) => void bench.live.render() },
  { keys: "Ctrl+O", name: "Open a photo or project", group: "File", run: () => void openPhoto(), always: true },
  { keys: "Ctrl+S", name: "Save the project", group: "File", run: () => void exportAs("project") },
  { keys: "Ctrl+E", name: "Export PNG", group: "File", run: () => void exportAs("png") },
  { keys: "D", name: "Boxes and drafts", group: "File", run: turnToBoard, always: true },
  { keys: "?", name: "This sheet", group: "File", run: () => (openDialog.value = "help"), always: true },
];

function withChosen(what: (id: string) => void): () => void {
  return () => {
    const id = session.board.chosen.peek();
    if (id !== null) what(id);
  };
}

function relabelBox(id: string): void {
  const { board } = session;
  if (board.label !== null) board.change("Relabel box", withBox(board.boxes.peek(), id, { label: board.label }));
}

function deleteBox(id: string): void {
  session.board.change("Delete box", withoutBox(session.board.boxes.peek(), id));
}

function reorder(id: string, by: number): void {
  const { board } = session;
  board.change("Reorder boxes", reordered(board.boxes.peek(), id, by));
}

/** In the middle of the board, for those who draw by keys. */
export function addBox(): void {
  const box = session.board.add({ x: 0.35, y: 0.35, width: 0.3, height: 0.3 });
  if (box) requestAnimationFrame(() => document.querySelector<HTMLElement>(`[data-box="${box.id}"]`)?.focus());
}

/** Keys of the board; there they take the place of all others but those that work always. */
export const BOARD_SHORTCUTS: readonly Shortcut[] = [
  { keys: "X", name: "Drag to draw boxes", group: "Boxes", run: () => (settings.boxTool.value = "draw") },
  { keys: "V", name: "Drag to move boxes", group: "Boxes", run: () => (settings.boxTool.value = "move") },
  { keys: "Enter", name: "Add a box", group: "Boxes", run: addBox },
  { keys: "Delete", name: "Delete the box", group: "Boxes", run: withChosen(deleteBox) },
  { keys: "PageUp", name: "Bring the box forward", group: "Boxes", run: withChosen((id) => reorder(id, 1)) },
  { keys: "PageDown", name: "Send the box backward", group: "Boxes", run: withChosen((id) => reorder(id, -1)) },
  { keys: "F", name: "Relabel the box as the next one", group: "Boxes", run: withChosen(relabelBox) },
  { keys: "L", name: "Another look for the box", group: "Boxes", run: withChosen((id) => session.board.relook(id)) },
  { keys: "Ctrl+Enter", name: "Draft", group: "Boxes", run: () => void session.board.generate() },
  { keys: "N", name: "Vary: other drafts of the same boxes", group: "Boxes", run: () => session.board.vary() },
  { keys: "Ctrl+Z", name: "Undo", group: "Boxes", run: () => void session.board.history.undo() },
  { keys: "Ctrl+Shift+Z", name: "Redo", group: "Boxes", run: () => void session.board.history.redo() },
  { keys: "Escape", name: "Cancel the drafts, else choose no box", group: "Boxes", run: () => (session.board.activity.peek() ? session.board.cancel() : void (session.board.chosen.value = null)) },
  { keys: "D", name: "Back to the photo", group: "Boxes", run: () => session.turnBoard(false) },
];

function turnToBoard(): void {
  if (session.server.info.peek()?.drafts) session.turnBoard(true);
}

function pressed(event: KeyboardEvent): string {
  const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
  // Characters that need Shift on some keyboards stand for themselves.
  const shift = event.shiftKey && /^([A-Z]|\[|\]|\{|\}|Enter)$/.test(key);
  // On many keyboards [ and ] need AltGr, which comes as Ctrl+Alt.
  const control = (event.ctrlKey || event.metaKey) && !event.getModifierState("AltGraph");
  const plain = ({ "{": "[", "}": "]", "=": "+" } as Record<string, string>)[key] ?? key;
  return `${control ? "Ctrl+" : ""}${shift ? "Shift+" : ""}${plain}`;
}

function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLSelectElement) return true;
  return target.isContentEditable || (target instanceof HTMLInputElement && target.type === "text");
}

/** Whether Enter presses what has the focus. */
function pressable(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('button, a, [role="button"], [role="application"]') !== null;
}

/** A button pressed by the pointer gives the keys back to the page: the next Enter puts down, it doesn't press once more. */
function giveBack(event: MouseEvent): void {
  const { activeElement } = document;
  if (event.detail === 0 || !(activeElement instanceof HTMLElement)) return;
  if (activeElement.matches(".button") && !activeElement.closest("dialog")) activeElement.blur();
}

/** Listens until the returned function is called. */
export function listenToKeys(): () => void {
  const onKey = (event: KeyboardEvent) => {
    if (event.defaultPrevented || typing(event.target) || openDialog.value || document.querySelector("dialog[open]")) return;
    if (event.altKey && !event.getModifierState("AltGraph")) return;
    const keys = pressed(event);
    if (keys === "Enter" && pressable(event.target)) return;
    const boarding = session.boarding.peek();
    const known = boarding ? [...BOARD_SHORTCUTS, ...SHORTCUTS.filter(({ always }) => always)] : SHORTCUTS;
    const shortcut = known.find((entry) => entry.keys === keys);
    const bench = session.bench.value;
    if (!shortcut || !(bench || boarding || shortcut.always)) return;
    event.preventDefault();
    shortcut.run(bench!);
  };
  const abort = new AbortController();
  window.addEventListener("keydown", onKey, { signal: abort.signal });
  window.addEventListener("click", giveBack, { signal: abort.signal });
  return () => abort.abort();
}
