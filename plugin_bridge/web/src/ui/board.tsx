/** The page of boxes: the board with its tools, the boxes beside it, drafts and found photos below. */

import { COUNTS, LARGEST_SEED } from "../model/board";
import { settings } from "../model/settings";
import type { Color } from "../model/types";
import { BoxArea } from "./box_area";
import { BoxPanel } from "./box_panel";
import { Choice, IconButton, NumberField, Switch } from "./controls";
import { DraftStrip } from "./drafts";
import { FoundStrip } from "./found";
import { session } from "./session";
import { addBox } from "./shortcuts";
import { Banner } from "./status";

/** Colours for labels that the bundle doesn't know: the same name is always the same colour. */
function hued(name: string): Color {
  let sum = 7;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)!) % 997;
  const part = (turn: number) => Math.round(128 + 90 * Math.cos(((sum % 360) / 180 + turn / 1.5) * Math.PI));
  return [part(0), part(1), part(2)];
}

export function BoardPage() {
  const { board, server } = session;
  const info = server.info.value;
  const labels = info?.draftLabels ?? [];
  const colors = new Map(session.labels().map(({ name, color }) => [name, color]));
  const colorOf = (label: string) => colors.get(label) ?? hued(label);
  return (
    <>
      <BoardOptions />
      <main class="middle" aria-label="Board">
        <BoxArea board={board} colorOf={colorOf} />
        <Banner />
      </main>
      <BoxPanel {...{ board, labels, colorOf }} label={board.label ?? ""} onLabel={(name) => (settings.boxLabel.value = name)} />
      <div class="strips">
        <DraftStrip board={board} />
        <FoundStrip />
      </div>
    </>
  );
}

function BoardOptions() {
  const { board, bench, server } = session;
  const online = server.link.value === "online";
  const busy = board.activity.value !== null;
  const { undoName, redoName } = board.history;
  return (
    <div class="options" role="group" aria-label="Boxes">
      <IconButton icon="back" name={bench.value ? `Back to ${bench.value.document.photo.name}` : "Back"} onClick={() => session.turnBoard(false)}>
        Back
      </IconButton>
      <Choice
        label="What dragging does"
        value={settings.boxTool.value}
        options={[["draw", "Draw"], ["move", "Move"]]}
        onChange={(value) => (settings.boxTool.value = value)}
      />
      <IconButton icon="plus" name="Add a box" keys="Enter" disabled={board.label === null} onClick={addBox} />
      <div class="group" role="group" aria-label="History">
        <IconButton icon="undo" name={undoName.value ? `Undo: ${undoName.value}` : "Undo"} keys="Ctrl+Z" disabled={!undoName.value} onClick={() => void board.history.undo()} />
        <IconButton icon="redo" name={redoName.value ? `Redo: ${redoName.value}` : "Redo"} keys="Ctrl+Shift+Z" disabled={!redoName.value} onClick={() => void board.history.redo()} />
      </div>
      <Switch label="Show draft" tip="The draft that is looked at lies under the boxes" on={settings.boxUnderlay.value} onChange={(on) => (settings.boxUnderlay.value = on)} />
      <span class="spacer" />
      <Switch label="Live" tip="Draft again after each change" on={settings.live.value} onChange={(on) => (settings.live.value = on)} />
      <Choice
        label="How many drafts"
        value={board.count.value}
        options={COUNTS.map((count) => [count, count] as const)}
        onChange={(count) => (board.count.value = count)}
      />
      <label class="seed">
        <span>Seed</span>
        <NumberField
          label="Seed"
          value={board.seed.value}
          unit=""
          onChange={(seed) => (board.seed.value = Math.min(Math.max(Math.round(seed), 0), LARGEST_SEED))}
        />
      </label>
      <IconButton icon="dice" name="Vary: other drafts of the same boxes" keys="N" disabled={!online || !board.boxes.value.length} onClick={() => board.vary()} />
      {busy ? (
        <IconButton icon="stop" name="Cancel" keys="Escape" onClick={() => board.cancel()}>
          Cancel
        </IconButton>
      ) : (
        <IconButton icon="play" name="Draft" keys="Ctrl+Enter" disabled={!online || !board.boxes.value.length} onClick={() => void board.generate()}>
          Draft
        </IconButton>
      )}
    </div>
  );
}
