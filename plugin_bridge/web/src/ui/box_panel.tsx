/** Beside the board: what boxes may be, and the list of boxes from the front to the back. */

import type { Board } from "../model/board";
import { reordered, withBox, withoutBox, type Box } from "../model/boxes";
import type { Color } from "../model/types";
import { IconButton, Select } from "./controls";
import { Swatch } from "./palette";
import { alongColumns } from "./walking";

interface PanelProps {
  board: Board;
  labels: readonly string[];
  /** The label of the next box. */
  label: string;
  onLabel: (label: string) => void;
  colorOf: (label: string) => Color;
}

export function BoxPanel({ board, labels, label, onLabel, colorOf }: PanelProps) {
  const boxes = board.boxes.value;
  return (
    <aside class="panel" aria-label="Panel">
      <section class="panel-part" aria-label="Labels">
        <header>
          <h2>Next box</h2>
          <span class="quiet">{label}</span>
        </header>
        <ul class="palette" role="radiogroup" aria-label="Label of the next box" onKeyDown={alongColumns}>
          {labels.map((name) => (
            <li key={name} role="none">
              <button
                type="button"
                role="radio"
                class="label"
                aria-checked={name === label}
                tabIndex={name === label ? 0 : -1}
                onClick={() => onLabel(name)}
              >
                <Swatch color={colorOf(name)} />
                <span class="name">{name}</span>
              </button>
            </li>
          ))}
        </ul>
      </section>
      <section class="panel-part layers" aria-label="Boxes">
        <header>
          <h2>Boxes</h2>
          <span class="quiet">{boxes.length ? "front to back" : ""}</span>
        </header>
        <ul>
          {[...boxes].reverse().map((box, i) => (
            <Row key={box.id} {...{ board, box, labels, colorOf }} front={i === 0} back={i === boxes.length - 1} />
          ))}
        </ul>
        {boxes.length === 0 && <p class="quiet empty">Each box you draw says: this thing, here, about so large.</p>}
      </section>
    </aside>
  );
}

interface RowProps {
  board: Board;
  box: Box;
  labels: readonly string[];
  colorOf: (label: string) => Color;
  front: boolean;
  back: boolean;
}

function Row({ board, box, labels, colorOf, front, back }: RowProps) {
  const { id, label } = box;
  const change = (name: string, next: typeof board.boxes.value) => board.change(name, next);
  const boxes = () => board.boxes.peek();
  const known = labels.includes(label) ? labels : [label, ...labels];
  return (
    <li class={`layer ${board.chosen.value === id ? "picked" : ""}`} onPointerDown={() => (board.chosen.value = id)}>
      <Swatch color={colorOf(label)} />
      <span class="about">
        <Select
          label={`Label of box ${label}`}
          value={label}
          options={known.map((name) => [name, name] as const)}
          onChange={(next) => change("Relabel box", withBox(boxes(), id, { label: next }))}
        />
      </span>
      <span class="order">
        <IconButton icon="up" name={`Bring ${label} forward`} tip="left" disabled={front} onClick={() => change("Reorder boxes", reordered(boxes(), id, 1))} />
        <IconButton icon="down" name={`Send ${label} backward`} tip="left" disabled={back} onClick={() => change("Reorder boxes", reordered(boxes(), id, -1))} />
      </span>
      <IconButton icon="dice" name={`Another look for ${label}`} tip="left" onClick={() => board.relook(id)} />
      <IconButton icon="trash" name={`Delete ${label}`} tip="left" onClick={() => change("Delete box", withoutBox(boxes(), id))} />
    </li>
  );
}
