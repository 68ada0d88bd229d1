/** What can be done with the selected region. Always there, so that nothing jumps; asleep while nothing is selected. */

import { settings } from "../model/settings";
import type { Workspace } from "../tools/workspace";
import { IconButton, Slider } from "./controls";

export function SelectionPanel({ bench }: { bench: Workspace }) {
  const { bounds } = bench.document.selection.mask.value;
  const none = bounds.width === 0;
  const name = bench.document.label(bench.label.value)?.name ?? "unknown";
  return (
    <section class="panel-part" aria-label="Selection">
      <header>
        <h2>Selection</h2>
        <span class="quiet">{none ? "nothing" : `${bounds.width} × ${bounds.height} px`}</span>
      </header>
      <div class="row actions">
        <IconButton icon="relabel" name={`Relabel as ${name}`} keys="F" tip="above" disabled={none} onClick={() => bench.relabel()} />
        <IconButton icon="transform" name="Move and scale" keys="V" tip="above" disabled={none} onClick={() => (settings.tool.value = "transform")} />
        <IconButton icon="merge" name="Merge into one" keys="M" tip="above" disabled={none} onClick={() => bench.merge()} />
        <IconButton icon="remove" name="Remove" keys="Delete" tip="above" disabled={none} onClick={() => bench.remove()} />
        <IconButton icon="restore" name="Restore original here" keys="Shift+R" tip="above" disabled={none} onClick={() => bench.restore()} />
        <span class="spacer" />
        <IconButton icon="close" name="Select nothing" keys="Ctrl+D" tip="left" disabled={none} onClick={() => bench.document.selection.clear()} />
      </div>
      <div class="row">
        <IconButton icon="shrink" name="Shrink" keys="," tip="above" disabled={none} onClick={() => bench.shrink()} />
        <IconButton icon="grow" name="Grow" keys="." tip="above" disabled={none} onClick={() => bench.grow()} />
        <Slider
          label="By"
          unit="px"
          min={1}
          max={200}
          curve={2}
          value={settings.growBy.value}
          onInput={(value) => (settings.growBy.value = value)}
        />
      </div>
    </section>
  );
}
