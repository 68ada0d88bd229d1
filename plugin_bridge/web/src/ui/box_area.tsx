/** The board itself: boxes over the draft that is looked at, drawn and dragged by pointer or keys. */

import { useEffect, useRef } from "preact/hooks";
import type { Board, BoxEdit } from "../model/board";
import { between, boxAt, shifted, stretchedBy, withBox, type Box, type Place } from "../model/boxes";
import type { Point } from "../model/geometry";
import { settings } from "../model/settings";
import type { Color } from "../model/types";
import { Pixels } from "./pixels";

const EDGES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"] as const;
/** Shares of the board that a drag must cross to be one. */
const CLICK = 0.012;
const KEY_STEP = 0.02;
const FINE_STEP = 0.005;
/** Milliseconds without a key after which a walk of arrow keys is one step. */
const KEY_PAUSE = 500;

/** What the pointer holds. */
type Held =
  | { readonly what: "new"; readonly from: Point; place: Place | null; readonly edit: BoxEdit }
  | { readonly what: "move" | "stretch"; readonly from: Point; readonly box: Box; readonly edges: string; readonly edit: BoxEdit };

export function BoxArea({ board, colorOf }: { board: Board; colorOf: (label: string) => Color }) {
  const area = useRef<HTMLDivElement>(null);
  const held = useRef<Held | null>(null);
  const boxes = board.boxes.value;
  const { draft } = board;
  const shape = board.extent.value;
  const chosen = board.chosen.value;
  const drawing = settings.boxTool.value === "draw";
  useEffect(() => () => held.current?.edit.cancel(), [board]);

  const at = (event: PointerEvent): Point => {
    const box = area.current!.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  };
  const down = (event: PointerEvent) => {
    if (event.button !== 0 || held.current) return;
    const from = at(event);
    const edges = (event.target as HTMLElement).dataset["edges"] ?? "";
    const own = edges ? (boxes.find(({ id }) => id === chosen) ?? null) : boxAt(boxes, from.x, from.y);
    const edit = board.edit();
    if (own && (edges || !drawing)) {
      board.chosen.value = own.id;
      held.current = { what: edges ? "stretch" : "move", from, box: own, edges, edit };
    } else held.current = { what: "new", from, place: null, edit };
    if (event.isTrusted) area.current!.setPointerCapture(event.pointerId);
    // The box that is chosen takes the keys.
    (own ? area.current!.querySelector<HTMLElement>(`[data-box="${own.id}"]`) : area.current)?.focus({ preventScroll: true });
    event.preventDefault();
  };
  const move = (event: PointerEvent) => {
    const { current } = held;
    if (!current) return;
    const to = at(event);
    const [dx, dy] = [to.x - current.from.x, to.y - current.from.y];
    if (current.what === "new") {
      if (!drawing || Math.hypot(dx, dy) < CLICK) return;
      current.place = between(current.from.x, current.from.y, to.x, to.y);
      ghost(area.current!, current.place);
      return;
    }
    const next = current.what === "move" ? shifted(current.box, dx, dy) : stretchedBy(current.box, current.edges, dx, dy);
    current.edit.set(withBox(board.boxes.peek(), current.box.id, next));
  };
  const up = (cancelled: boolean) => {
    const { current } = held;
    held.current = null;
    ghost(area.current!, null);
    if (!current) return;
    if (cancelled) current.edit.cancel();
    else if (current.what !== "new") current.edit.commit(current.what === "move" ? "Move box" : "Resize box");
    else if (current.place) board.add(current.place);
    // A click chooses what lies there, or nothing.
    else board.chosen.value = boxAt(boxes, current.from.x, current.from.y)?.id ?? null;
  };

  return (
    <div class="board-room" style={{ "--shape": `${shape.width / shape.height}` }}>
      <div
        ref={area}
        class={`board ${drawing ? "drawing" : "moving"}`}
        role="group"
        tabIndex={-1}
        aria-label="Board of boxes"
        aria-describedby="board-help"
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={() => up(false)}
        onPointerCancel={() => up(true)}
      >
        {draft && settings.boxUnderlay.value && (
          <Pixels {...draft.picture.pixelExtent} pixels={draft.picture.pixels} />
        )}
        {boxes.map((box, index) => (
          <BoxView key={box.id} {...{ board, box, index, of: boxes.length }} chosen={box.id === chosen} color={colorOf(box.label)} />
        ))}
        <span class="ghost" hidden />
        {boxes.length === 0 && <p class="quiet hint">Draw a box: drag over the board, or press Enter.</p>}
      </div>
      <p id="board-help" class="unseen">
        Enter adds a box. On a box, arrow keys move it, with Shift they resize it, with Alt by small steps; Delete removes it,
        Page Up and Page Down bring it to the front and to the back.
      </p>
    </div>
  );
}

/** The box being drawn; it is none yet, so it isn't among the boxes. */
function ghost(area: HTMLElement, place: Place | null): void {
  const element = area.querySelector<HTMLElement>(".ghost")!;
  element.hidden = place === null;
  if (place) Object.assign(element.style, styleOf(place));
}

function styleOf({ x, y, width, height }: Place): Record<string, string> {
  return { left: `${x * 100}%`, top: `${y * 100}%`, width: `${width * 100}%`, height: `${height * 100}%` };
}

interface BoxViewProps {
  board: Board;
  box: Box;
  index: number;
  of: number;
  chosen: boolean;
  color: Color;
}

function BoxView({ board, box, index, of, chosen, color }: BoxViewProps) {
  const walking = useRef<{ edit: BoxEdit; timer: ReturnType<typeof setTimeout>; name: string } | null>(null);
  const settle = () => {
    if (!walking.current) return;
    clearTimeout(walking.current.timer);
    walking.current.edit.commit(walking.current.name);
    walking.current = null;
  };
  useEffect(() => settle, [board]);
  const onKeyDown = (event: KeyboardEvent) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!way || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const step = event.altKey ? FINE_STEP : KEY_STEP;
    const [dx, dy] = [way[0]! * step, way[1]! * step];
    const now = board.boxes.peek().find(({ id }) => id === box.id)!;
    const name = event.shiftKey ? "Resize box" : "Move box";
    if (walking.current && walking.current.name !== name) settle();
    const edit = walking.current?.edit ?? board.edit();
    if (walking.current) clearTimeout(walking.current.timer);
    edit.set(withBox(board.boxes.peek(), box.id, event.shiftKey ? stretchedBy(now, "se", dx, dy) : shifted(now, dx, dy)));
    walking.current = { edit, name, timer: setTimeout(settle, KEY_PAUSE) };
  };
  const percent = (share: number) => Math.round(share * 100);
  const size = `${percent(box.width)} by ${percent(box.height)} %, at ${percent(box.x)}, ${percent(box.y)} %`;
  return (
    <div
      class={`box ${chosen ? "chosen" : ""}`}
      role="button"
      tabIndex={0}
      data-box={box.id}
      aria-pressed={chosen}
      aria-label={`${box.label}, ${index + 1} of ${of}, ${size}`}
      style={{ ...styleOf(box), "--color": color.join(" ") }}
      onFocus={() => (board.chosen.value = box.id)}
      onBlur={settle}
      onKeyDown={onKeyDown}
    >
      <span class="tag" aria-hidden="true">
        {box.label}
      </span>
      {chosen && EDGES.map((edges) => <span key={edges} class={`edge ${edges}`} data-edges={edges} aria-hidden="true" />)}
    </div>
  );
}
