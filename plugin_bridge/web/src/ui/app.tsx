/** The whole page. */

import { useSignalEffect } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { PROJECT_ENDING } from "../io/project_file";
import { settings } from "../model/settings";
import { fileOf } from "./files";
import { Help, Question, Token } from "./help";
import { BoardPage } from "./board";
import { FoundStrip } from "./found";
import { LayersPanel } from "./layers";
import { Palette } from "./palette";
import { PhotosPanel } from "./photos";
import { ReferenceDialog } from "./reference";
import { openDialog } from "./dialogs";
import { SelectionPanel } from "./selection";
import { session } from "./session";
import { listenToKeys } from "./shortcuts";
import { Stage } from "./stage";
import { Opening, Start } from "./start";
import { Tips } from "./tips";
import { Banner, Spoken, StatusBar, Toasts } from "./status";
import { Options, Toolbar } from "./toolbar";
import { TopBar } from "./topbar";

/** What a file that is let go becomes: the photo to edit, or a second one to draw from. */
type Aim = "open" | "refer";

/** Where two things can be done with a photo, the right half of the page is for the second one. */
function aimOf(event: MouseEvent, file: File | null): Aim {
  const two = session.bench.peek() !== null && !session.boarding.peek() && !file?.name.endsWith(PROJECT_ENDING);
  return two && event.clientX > window.innerWidth / 2 ? "refer" : "open";
}

/** Files dropped or pasted anywhere on the page. Returns what would be done with one that hovers over it now. */
function useDroppedFiles(): Aim | null {
  const [over, setOver] = useState<Aim | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    const { signal } = abort;
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    window.addEventListener(
      "dragover",
      (event) => {
        event.preventDefault();
        if (hasFiles(event) && openDialog.value === null) setOver(aimOf(event, null));
      },
      { signal },
    );
    window.addEventListener("dragleave", (event) => event.relatedTarget === null && setOver(null), { signal });
    window.addEventListener(
      "drop",
      (event) => {
        event.preventDefault();
        setOver(null);
        const file = fileOf(event.dataTransfer);
        if (!file || openDialog.value !== null) return;
        if (aimOf(event, file) === "refer") void session.bench.peek()!.mixing.addFile(file, file.name);
        else void session.open(file, file.name);
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

function DropTarget({ aim, two }: { aim: Aim; two: boolean }) {
  return (
    <div class="drop-targets" aria-hidden="true">
      <div class={`drop-target ${aim === "open" ? "aimed" : ""}`}>Drop to open</div>
      {two && <div class={`drop-target ${aim === "refer" ? "aimed" : ""}`}>Drop as a second photo to draw from</div>}
    </div>
  );
}

export function App() {
  const bench = session.bench.value;
  const boarding = session.boarding.value;
  const over = useDroppedFiles();
  useEffect(listenToKeys, []);
  useSignalEffect(() => {
    const { dataset } = document.documentElement;
    if (settings.theme.value === "system") delete dataset["theme"];
    else dataset["theme"] = settings.theme.value;
  });
  return (
    <div class={`page ${boarding ? "boarding" : bench ? "editing" : ""} ${settings.panel.value ? "" : "no-panel"}`}>
      <TopBar bench={boarding ? null : bench} />
      {boarding ? (
        <BoardPage />
      ) : bench ? (
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
            <PhotosPanel bench={bench} />
            <LayersPanel bench={bench} />
          </aside>
          <FoundStrip />
        </>
      ) : (
        <>
          <Start />
          <FoundStrip />
          <Banner />
        </>
      )}
      <StatusBar bench={boarding ? null : bench} />
      <Toasts />
      <Opening />
      {over && <DropTarget aim={over} two={bench !== null && !boarding} />}
      <Help />
      <Token />
      <Question />
      {bench && !boarding && openDialog.value === "reference" && <ReferenceDialog bench={bench} />}
      <Tips />
      <Spoken bench={bench} />
    </div>
  );
}
