/** The tools at the left, and what the chosen one can be set to. */

import type { ComponentChildren } from "preact";
import { LARGEST_BRUSH, settings, type ToolId } from "../model/settings";
import { UNKNOWN } from "../model/types";
import type { Workspace } from "../tools/workspace";
import { Choice, IconButton, Slider, Switch } from "./controls";
import { openDialog } from "./dialogs";
import { Swatch } from "./palette";
import { session } from "./session";
import { TOOLS } from "./shortcuts";

/** Where a line separates the groups of tools. */
const ENDS: readonly ToolId[] = ["restore", "bucket", "transform"];

export function Toolbar() {
  return (
    <div class="toolbar" role="toolbar" aria-label="Tools" aria-orientation="vertical" onKeyDown={walk}>
      {TOOLS.map(({ id, keys, name }) => (
        <>
          <IconButton
            key={id}
            icon={id}
            name={name}
            keys={keys}
            tip="right"
            pressed={settings.tool.value === id}
            onClick={() => (settings.tool.value = id)}
          />
          {ENDS.includes(id) && <hr aria-hidden="true" />}
        </>
      ))}
      <hr aria-hidden="true" />
      <IconButton
        icon="addPhoto"
        name="Place a region of a second photo"
        keys="A"
        tip="right"
        onClick={() => (openDialog.value = "reference")}
      />
      {session.server.info.value?.drafts && (
        <IconButton icon="boxes" name="Boxes and drafts" keys="D" tip="right" onClick={() => session.turnBoard(true)} />
      )}
    </div>
  );
}

/** Arrow keys go from button to button. */
function walk(event: KeyboardEvent): void {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by) return;
  const buttons = [...(event.currentTarget as HTMLElement).querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
  buttons[(at + by + buttons.length) % buttons.length]?.focus();
  event.preventDefault();
}

export function Options({ bench }: { bench: Workspace }) {
  const tool = settings.tool.value;
  const about = TOOLS.find(({ id }) => id === tool)!;
  return (
    <div class="options" role="group" aria-label={`${about.name} options`}>
      <strong>{about.name}</strong>
      {OPTIONS[tool](bench)}
      <span class="hint">{about.hint}</span>
    </div>
  );
}

function Chip({ bench }: { bench: Workspace }) {
  const id = bench.label.value;
  const label = bench.document.label(id);
  return (
    <span class="chip" aria-label={`Painting ${label?.name ?? "unknown"}`}>
      <Swatch color={label?.color ?? null} />
      {id === UNKNOWN ? "unknown" : (label?.name ?? id)}
    </span>
  );
}

function brushOptions() {
  return (
    <>
      <Slider
        label="Size"
        unit="px"
        min={1}
        max={LARGEST_BRUSH}
        curve={2.6}
        value={settings.brushSize.value}
        onInput={(value) => (settings.brushSize.value = value)}
      />
      <Slider
        label="Softness"
        unit="%"
        min={0}
        max={100}
        value={settings.softness.value * 100}
        onInput={(value) => (settings.softness.value = value / 100)}
      />
      <Switch
        label="Pen pressure"
        tip="A pen's pressure sets the size"
        on={settings.pressure.value}
        onChange={(on) => (settings.pressure.value = on)}
      />
    </>
  );
}

function shapeOptions(bench: Workspace) {
  return (
    <>
      <Choice
        label="What the shape does"
        value={settings.shapeUse.value}
        options={[["paint", "Paint"], ["select", "Select"]]}
        onChange={(value) => (settings.shapeUse.value = value)}
      />
      {settings.shapeUse.value === "paint" && <Chip bench={bench} />}
    </>
  );
}

function contiguousOption() {
  return (
    <Switch
      label="Connected only"
      tip="Off: all regions of the label"
      on={settings.contiguous.value}
      onChange={(on) => (settings.contiguous.value = on)}
    />
  );
}

function transformOptions(bench: Workspace) {
  const { transform } = bench;
  const holding = transform.holding.value;
  return (
    <>
      {contiguousOption()}
      <Switch
        label="Leave a copy"
        on={settings.leaveCopy.value}
        onChange={(on) => {
          settings.leaveCopy.value = on;
          transform.show();
        }}
      />
      <div class="group" role="group" aria-label="What is held">
        <IconButton icon="minus" name="Smaller" disabled={!holding} onClick={() => transform.scale(1 / 1.1)} />
        <IconButton icon="plus" name="Larger" disabled={!holding} onClick={() => transform.scale(1.1)} />
        <IconButton icon="flip" name="Mirror" disabled={!holding} onClick={() => transform.flip()} />
        <IconButton icon="check" name="Put down" keys="Enter" disabled={!holding} onClick={() => transform.finish()} />
        <IconButton icon="close" name="Cancel" keys="Escape" disabled={!holding} onClick={() => transform.cancel()} />
      </div>
    </>
  );
}

const OPTIONS: Record<ToolId, (bench: Workspace) => ComponentChildren> = {
  brush: (bench) => (
    <>
      <Chip bench={bench} />
      {brushOptions()}
    </>
  ),
  eraser: brushOptions,
  restore: brushOptions,
  polygon: shapeOptions,
  lasso: shapeOptions,
  bucket: (bench) => (
    <>
      <Chip bench={bench} />
      {contiguousOption()}
    </>
  ),
  select: contiguousOption,
  pick: (bench) => <Chip bench={bench} />,
  transform: transformOptions,
  hand: () => null,
};
