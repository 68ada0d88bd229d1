/** The whole page. */

import { useSignalEffect } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { settings } from "../model/settings";
import { fileOf } from "./files";
import { Help, Question, Token } from "./help";
import { LayersPanel } from "./layers";
import { Palette } from "./palette";
import { ReferenceDialog } from "./reference";
import { openDialog } from "./dialogs";
import { SelectionPanel } from "./selection";
import { session } from "./session";
import { listenToKeys } from "./shortcuts";
import { Stage } from "./stage";
import { Opening, Start } from "./start";
import { Banner, Spoken, StatusBar, Toasts } from "./status";
import { Options, Toolbar } from "./toolbar";
import { TopBar } from "./topbar";

/** Files dropped or pasted anywhere on the page. Returns whether one hovers over it now. */
function useDroppedFiles(): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const abort = new AbortController();
    const { signal } = abort;
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    window.addEventListener(
      "dragover",
      (event) => {
        event.preventDefault();
        if (hasFiles(event) && openDialog.value === null) setOver(true);
      },
      { signal },
    );
    window.addEventListener("dragleave", (event) => event.relatedTarget === null && setOver(false), { signal });
    window.addEventListener(
      "drop",
      (event) => {
        event.preventDefault();
        setOver(false);
        const file = fileOf(event.dataTransfer);
        if (file && openDialog.value === null) void session.open(file, file.name);
      },
      { signal },
    );
    window.addEventListener(
      "paste",
      (event) => {
        const file = fileOf(event.clipboardData);
        if (file) void session.open(file, file.name || "pasted.png");
      },
      { signal },
    );
    return () => abort.abort();
  }, []);
  return over;
}

export function App() {
  const bench = session.bench.value;
  const over = useDroppedFiles();
  useEffect(listenToKeys, []);
  useSignalEffect(() => {
    const { dataset } = document.documentElement;
    if (settings.theme.value === "system") delete dataset["theme"];
    else dataset["theme"] = settings.theme.value;
  });
  return (
    <div class={`page ${bench ? "editing" : ""} ${settings.panel.value ? "" : "no-panel"}`}>
      <TopBar bench={bench} />
      {bench ? (
        <>
          <Options bench={bench} />
          <Toolbar />
          <main class="middle" aria-label="Picture">
            <Stage key={bench.document.photo.name} bench={bench} />
            <Banner />
          </main>
          <aside class="panel" aria-label="Panel">
            <Palette bench={bench} />
            <SelectionPanel bench={bench} />
            <LayersPanel bench={bench} />
          </aside>
        </>
      ) : (
        <>
          <Start />
          <Banner />
        </>
      )}
      <StatusBar bench={bench} />
      <Toasts />
      <Opening />
      {over && <div class="drop-target" aria-hidden="true">Drop to open</div>}
      <Help />
      <Token />
      <Question />
      {bench && openDialog.value === "reference" && <ReferenceDialog bench={bench} />}
      <Spoken bench={bench} />
    </div>
  );
}
