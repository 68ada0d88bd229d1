/** Labels to paint with, and how they lie over the photo. */

import { computed, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { drawingOf } from "../model/mix";
import { settings } from "../model/settings";
import { UNKNOWN, type Color, type Label } from "../model/types";
import { labelRegion } from "../tools/flood";
import { editedMap } from "../tools/edits";
import type { Workspace } from "../tools/workspace";
import { Choice, Slider } from "./controls";
import { Icon } from "./icons";
import { alongColumns } from "./walking";

export function Swatch({ color }: { color: Color | null }) {
  const style = color ? { backgroundColor: `rgb(${color.join(" ")})` } : {};
  return <span class={color ? "swatch" : "swatch unknown"} style={style} aria-hidden="true" />;
}

/** How much of the picture each label covers, counted a moment after the last change. */
function useShares(bench: Workspace) {
  const shares = useMemo(() => signal<Float64Array>(new Float64Array(256)), [bench]);
  const { value: state } = bench.document.mapState;
  useEffect(() => {
    const timer = setTimeout(() => {
      const counts = new Float64Array(256);
      const { edited } = bench.document;
      // Every seventh pixel is enough for a percentage.
      const stride = edited.length > 1e6 ? 7 : 1;
      for (let i = 0; i < edited.length; i += stride) counts[edited[i]!]!++;
      shares.value = counts.map((count) => (count * stride) / edited.length);
    }, 150);
    return () => clearTimeout(timer);
  }, [bench, state]);
  return shares;
}

const UNKNOWN_LABEL = { id: UNKNOWN, name: "unknown", color: null };

export function Palette({ bench }: { bench: Workspace }) {
  const shares = useShares(bench);
  const entries = useMemo(() => computed(() => [...bench.document.labels, UNKNOWN_LABEL]), [bench]).value;
  return (
    <section class="panel-part" aria-label="Labels">
      <header>
        <h2>Labels</h2>
        <Choice
          label="Labels over the photo"
          value={settings.overlay.value}
          options={[["all", "All"], ["changed", "Changed"], ["off", "Off"]]}
          onChange={(value) => (settings.overlay.value = value)}
        />
      </header>
      <div class="row">
        <Slider
          label="Opacity"
          unit="%"
          min={0}
          max={100}
          value={settings.opacity.value * 100}
          onInput={(value) => (settings.opacity.value = value / 100)}
        />
      </div>
      <ul class="palette" role="radiogroup" aria-label="Label to paint with" onKeyDown={alongColumns}>
        {entries.map((label) => (
          <Entry key={label.id} bench={bench} label={label} share={shares.value[label.id] ?? 0} />
        ))}
      </ul>
    </section>
  );
}

type Named = Pick<Label, "id" | "name"> & { readonly color: Color | null };

function Entry({ bench, label, share }: { bench: Workspace; label: Named; share: number }) {
  const chosen = bench.label.value === label.id;
  const drawing = drawingOf(bench.document.mix, label.id);
  const source = drawing ? `, drawn from ${bench.mixing.nameOf(drawing.referenceId)}` : "";
  const percent = share === 0 ? "" : share < 0.01 ? "<1" : Math.round(share * 100).toString();
  return (
    <li role="none">
      <button
        type="button"
        role="radio"
        aria-checked={chosen}
        aria-label={`${label.name}${percent ? `, ${percent} % of the picture` : ""}${source}`}
        class={percent ? "label" : "label absent"}
        tabIndex={chosen ? 0 : -1}
        data-tip={label.id === UNKNOWN ? "Layoutbrush decides what belongs there" : undefined}
        data-side="above"
        onClick={() => (bench.label.value = label.id)}
        onDblClick={() => bench.document.selection.set(labelRegion(editedMap(bench.document), label.id))}
      >
        <Swatch color={label.color} />
        <span class="name">{label.name}</span>
        {drawing && <Icon name="addPhoto" size={13} />}
        <span class="share" aria-hidden="true">
          {percent}
        </span>
      </button>
    </li>
  );
}
