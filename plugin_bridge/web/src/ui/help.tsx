/** The sheet of keys and gestures, and the two small questions that the page may ask. */

import { setToken } from "../io/token";
import { Dialog } from "./controls";
import { openDialog } from "./dialogs";
import { session } from "./session";
import { BOARD_SHORTCUTS, SHORTCUTS, type Shortcut } from "./shortcuts";

const GROUPS: readonly Shortcut["group"][] = ["Tools", "Brush", "Edit", "Selection", "View", "File", "Boxes"];
const GESTURES: readonly (readonly [string, string])[] = [
  ["Wheel, pinch", "Zoom"],
  ["Space or middle button + drag, two fingers", "Pan"],
  ["Alt + click, right click", "Pick label while painting"],
  ["Pen pressure", "Brush size"],
  ["Arrow keys on the canvas", "Move a cursor; with Shift by one pixel"],
  ["Enter on the canvas", "Put the tool down, take it up"],
  ["Double click on a label", "Select all of it"],
];

const isMac = /Mac|iPad|iPhone/.test(navigator.userAgent);

function Keys({ keys }: { keys: string }) {
  return (
    <>
      {keys.split(/(?<=.)\+(?=.)/).map((key) => (
        <kbd key={key}>{isMac && key === "Ctrl" ? "\u2318" : key}</kbd>
      ))}
    </>
  );
}

export function Help() {
  if (openDialog.value !== "help") return null;
  return (
    <Dialog name="Keys and gestures" wide long onClose={() => (openDialog.value = null)}>
      <div class="sheet">
        {GROUPS.map((group) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {[...SHORTCUTS, ...BOARD_SHORTCUTS].filter((entry) => entry.group === group).map(({ keys, name }) => (
                <div key={keys}>
                  <dt>{name}</dt>
                  <dd>
                    <Keys keys={keys} />
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
        <section>
          <h3>Mouse, pen and touch</h3>
          <dl>
            {GESTURES.map(([how, what]) => (
              <div key={how}>
                <dt>{what}</dt>
                <dd>{how}</dd>
              </div>
            ))}
          </dl>
        </section>
      </div>
    </Dialog>
  );
}

export function Token() {
  if (openDialog.value !== "token") return null;
  const close = () => (openDialog.value = null);
  return (
    <Dialog name="Server token" onClose={close}>
      <form
        class="ask"
        onSubmit={(event) => {
          event.preventDefault();
          setToken(new FormData(event.currentTarget).get("token")?.toString() ?? "");
          close();
          void session.server.connect();
        }}
      >
        <p>Whoever runs the server can tell it to you. It is kept for this tab only.</p>
        <input name="token" type="password" aria-label="Token" autocomplete="off" autofocus />
        <div class="row end">
          <button type="submit" class="button with-text primary">
            Use it
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function Question() {
  const question = session.question.value;
  if (!question) return null;
  return (
    <Dialog name="Layoutbrush" onClose={() => question.answer(false)}>
      <div class="ask">
        <p>{question.text}</p>
        <div class="row end">
          <button type="button" class="button with-text" onClick={() => question.answer(false)}>
            Cancel
          </button>
          <button type="button" class="button with-text primary" onClick={() => question.answer(true)}>
            {question.yes}
          </button>
        </div>
      </div>
    </Dialog>
  );
}
