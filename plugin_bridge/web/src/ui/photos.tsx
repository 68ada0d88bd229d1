/** Second photos: taken in, looked at, and what of the layout is drawn from them. */

import { drawingOf, drawingOfRegion, isRegion, labelsIn, uses } from "../model/mix";
import { UNKNOWN, type Color, type Drawing, type Placement, type Reference } from "../model/types";
import { editedMap } from "../tools/edits";
import { commonestLabel } from "../tools/flood";
import type { Workspace } from "../tools/workspace";
import { Bar, IconButton, Select } from "./controls";
import { openDialog } from "./dialogs";
import { pickPicture } from "./files";
import { Swatch } from "./palette";
import { Thumb } from "./pixels";
import { session } from "./session";
import { alongRow } from "./walking";

/** CSS pixels of a photo on the shelf. */
const SIDE = 52;

export async function addSecondPhoto(bench: Workspace): Promise<void> {
  const file = await pickPicture();
  if (file) await bench.mixing.addFile(file, file.name);
}

export function findLikeLayout(bench: Workspace): void {
  const { edited, extent } = bench.document;
  void session.finder.find({ labels: { ...extent, ids: edited.slice() }, picture: null }, "this layout");
}

export function PhotosPanel({ bench }: { bench: Workspace }) {
  const { mixing, document } = bench;
  const info = session.server.info.value;
  const references = document.references.value;
  const current = mixing.current;
  const taking = mixing.taking.value;
  return (
    <section class="panel-part photos" aria-label="Second photos">
      <header>
        <h2>Second photos</h2>
        <span class="row">
          {info?.finding && <IconButton icon="find" name="Find photos like this layout" tip="left" onClick={() => findLikeLayout(bench)} />}
          <IconButton icon="addPhoto" name="Add a second photo" tip="left" onClick={() => void addSecondPhoto(bench)} />
        </span>
      </header>
      {taking && (
        <div class="row taking" role="status">
          <Bar label={taking.stage} done={taking.done} />
          <span class="quiet">{taking.stage}</span>
          <span class="spacer" />
          <IconButton icon="close" name="Cancel adding the photo" tip="left" onClick={() => mixing.cancel()} />
        </div>
      )}
      {current && (
        <>
          <Shelf bench={bench} references={references} current={current} />
          {info?.references && <Drawings bench={bench} references={references} />}
          <Uses bench={bench} />
        </>
      )}
    </section>
  );
}

function Shelf({ bench, references, current }: { bench: Workspace; references: readonly Reference[]; current: Reference }) {
  const { mixing } = bench;
  return (
    <div class="shelf">
      <ul role="radiogroup" aria-label="Second photo" onKeyDown={alongRow}>
        {references.map((reference) => (
          <Thumb
            key={reference.id}
            name={reference.photo.name}
            picture={{ ...reference.photo, side: SIDE }}
            chosen={reference === current}
            onChoose={() => (mixing.chosen.value = reference.id)}
          />
        ))}
      </ul>
      <div class="row">
        <span class="name">{current.photo.name}</span>
        <IconButton icon="place" name="Place a region of it" keys="A" tip="left" onClick={() => (openDialog.value = "reference")} />
        <IconButton icon="trash" name={`Remove ${current.photo.name}`} tip="left" onClick={() => mixing.remove(current.id)} />
      </div>
    </div>
  );
}

interface RowProps {
  bench: Workspace;
  references: readonly Reference[];
  name: string;
  color: Color | null;
  target: Drawing["target"];
  drawing: Drawing | null;
  /** The label that is filled; null: several, or unknown. */
  wanted: number | null;
}

/** Where the chosen label, and the selected region, are drawn from. */
function Drawings({ bench, references }: { bench: Workspace; references: readonly Reference[] }) {
  const { mix, selection } = bench.document;
  const id = bench.label.value;
  const label = bench.document.label(id);
  const mask = selection.mask.value;
  const selected = mask.bounds.width > 0;
  void bench.document.mapState.value;
  return (
    <div class="drawings" role="group" aria-label="Draw from">
      {id !== UNKNOWN && (
        <Row
          {...{ bench, references, name: label?.name ?? `${id}`, color: label?.color ?? null }}
          target={{ label: id }}
          drawing={drawingOf(mix, id)}
          wanted={id}
        />
      )}
      {selected && (
        <Row
          {...{ bench, references, name: "Selection", color: null }}
          target={mask}
          drawing={drawingOfRegion(mix, mask)}
          wanted={commonestLabel(editedMap(bench.document), mask)}
        />
      )}
    </div>
  );
}

function Row({ bench, references, name, color, target, drawing, wanted }: RowProps) {
  const from = references.find(({ id }) => id === drawing?.referenceId) ?? null;
  const labels = from ? labelsIn(from.labels) : [];
  const lacking = from !== null && wanted !== null && !labels.includes(wanted);
  return (
    <div class="drawing">
      <span class="what">
        {color && <Swatch color={color} />}
        <span class="name">{name}</span>
      </span>
      <Select
        label={`Draw ${name} from`}
        value={from?.id ?? ""}
        options={[["", "this photo"], ...references.map(({ id, photo }) => [id, photo.name] as const)]}
        onChange={(id) => bench.mixing.drawLike(target, id, wanted)}
      />
      {from && <span class="as">its</span>}
      {from && (
        <Select
          label={`Label of ${from.photo.name} to draw ${name} from`}
          value={drawing?.label == null ? "" : `${drawing.label}`}
          options={[
            ...(lacking ? [] : [["", "same label"] as const]),
            ...labels.map((id) => [`${id}`, bench.document.label(id)?.name ?? `${id}`] as const),
          ]}
          onChange={(id) => bench.mixing.draw(target, from.id, id === "" ? null : Number(id))}
        />
      )}
    </div>
  );
}

/** Everything that is drawn from elsewhere, each with a way to end it. */
function Uses({ bench }: { bench: Workspace }) {
  const { document, mixing } = bench;
  const { mix } = document;
  const used = mix.references.some(({ id }) => uses(mix, id) > 0);
  if (!used) return <p class="quiet empty">Choose what a label or the selection is drawn from, or place a region of the photo.</p>;
  const name = (id: number) => document.label(id)?.name ?? "unknown";
  const said = ({ target, referenceId, label }: Drawing) => {
    const what = isRegion(target) ? `Region ${target.bounds.width} × ${target.bounds.height}` : name(target.label);
    return `${what} \u2190 ${mixing.nameOf(referenceId)}${label === null ? "" : `, ${name(label)}`}`;
  };
  const placed = ({ label, referenceId }: Placement) => `${name(label)} placed from ${mixing.nameOf(referenceId)}`;
  return (
    <ul class="uses" aria-label="Drawn from elsewhere">
      {mix.drawings.map((one) => (
        <Use key={one.id} text={said(one)} onEnd={() => mixing.drop(one.id)} />
      ))}
      {mix.placements.map((one) => (
        <Use key={one.id} text={placed(one)} onEnd={() => mixing.dropPlacement(one.id)} />
      ))}
    </ul>
  );
}

function Use({ text, onEnd }: { text: string; onEnd: () => void }) {
  return (
    <li>
      <span class="name">{text}</span>
      <IconButton icon="close" name={`Draw from this photo instead: ${text}`} tip="left" onClick={onEnd} />
    </li>
  );
}
