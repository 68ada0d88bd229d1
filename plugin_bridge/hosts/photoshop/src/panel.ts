/** The panel: plain elements, each with a label, so that it can be used without a mouse and tested without Photoshop. */

import type { Label } from "../../../web/src/model/types";
import { labelColors } from "../../../web/src/io/label_colors";
import { Host } from "./host";
import type { Photoshop } from "./photoshop";
import { Problem } from "./problem";
import { Session, type Screen, type SessionOptions } from "./session";

export const ADDRESS = "http://127.0.0.1:8080";
const REMEMBERED = "layoutbrush-server";

/** What the panel keeps between sessions; never the token. */
export interface Memory {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

type Child = HTMLElement | string;

export class Panel implements Screen {
  readonly session: Session;
  private readonly host: Host;
  private readonly address: HTMLInputElement;
  private readonly token: HTMLInputElement;
  private readonly photo: HTMLSelectElement;
  private readonly seed: HTMLInputElement;
  private readonly status: HTMLElement;
  private readonly bar: HTMLProgressElement;
  private readonly palette: HTMLElement;
  private readonly question: HTMLElement;
  private readonly cancelButton: HTMLButtonElement;
  private readonly workButtons: HTMLButtonElement[];
  private answer: ((yes: boolean) => void) | null = null;

  constructor(
    private readonly root: HTMLElement,
    photoshop: Photoshop,
    private readonly memory: Memory,
    options: SessionOptions,
  ) {
    this.host = new Host(photoshop);
    this.session = new Session(this.host, this, options);
    this.address = this.element("input", { id: "address", type: "text", value: memory.getItem(REMEMBERED) ?? ADDRESS });
    this.token = this.element("input", { id: "token", type: "password" });
    this.photo = this.element("select", { id: "photo" });
    this.seed = this.element("input", { id: "seed", type: "number", value: "0" });
    this.status = this.element("p", { id: "status", role: "status" });
    this.bar = this.element("progress", { id: "progress", max: "1" });
    this.palette = this.element("div", { id: "palette", role: "group", "aria-label": "Labels" });
    this.question = this.element("div", { id: "question", role: "alertdialog" });
    const connect = this.button("connect", "Test connection", () => this.connect());
    const refresh = this.button("refresh", "Refresh", async () => this.listLayers());
    const find = this.button("find", "Find labels", () => this.session.findLabels(this.chosen()));
    const generate = this.button("generate", "Generate", () => this.session.generate(this.chosen(), this.wantedSeed()));
    this.cancelButton = this.button("cancel", "Cancel", async () => this.session.cancel());
    this.workButtons = [connect, find, generate];
    const rows: Child[][] = [
      [this.labelled("Server", this.address), this.labelled("Token", this.token), connect],
      [this.labelled("Photo", this.photo), refresh, find],
      [this.palette],
      [this.labelled("Variant", this.seed), generate, this.cancelButton],
      [this.bar, this.status, this.question],
    ];
    for (const row of rows) root.append(this.element("div", { class: "row" }, row));
    this.idle();
    this.listLayers();
  }

  progress(text: string, done: number | null): void {
    this.status.textContent = text;
    this.bar.hidden = false;
    if (done === null) this.bar.removeAttribute("value");
    else this.bar.setAttribute("value", String(done));
  }

  ask(question: string): Promise<boolean> {
    this.question.replaceChildren(
      this.element("p", {}, [question]),
      this.button("yes", "Yes", async () => this.answered(true)),
      this.button("no", "No", async () => this.answered(false)),
    );
    this.question.hidden = false;
    return new Promise((resolve) => (this.answer = resolve));
  }

  /** Fills the list of layers that can be the photo; keeps the choice where it is still there. */
  listLayers(): void {
    const before = this.photo.value;
    let layers: { id: number; name: string }[] = [];
    try {
      layers = this.host.photoLayers(this.host.target());
    } catch (error) {
      this.tell(error);
    }
    this.photo.replaceChildren(
      ...layers.map(({ id, name }) => this.element("option", { value: String(id) }, [name])),
    );
    const kept = layers.find(({ id }) => String(id) === before) ?? layers[0];
    if (kept) this.photo.value = String(kept.id);
  }

  private async connect(): Promise<string> {
    const address = this.address.value.trim();
    const sentence = await this.session.connect(address, this.token.value);
    this.memory.setItem(REMEMBERED, address);
    this.showPalette(this.session.labels);
    this.listLayers();
    return sentence;
  }

  private showPalette(labels: readonly Label[]): void {
    const colors = labelColors(labels);
    this.palette.replaceChildren(
      ...labels.map(({ id, name }) => {
        const color = colors.get(id)!;
        const button = this.button(`label-${id}`, name, async () => {
          await this.host.setForeground(color);
          return `The brush paints ${name} now.`;
        });
        button.style.borderLeft = `12px solid rgb(${color.join(", ")})`;
        return button;
      }),
    );
  }

  private chosen() {
    const target = this.host.target();
    const layers = this.host.photoLayers(target);
    const layer = layers.find(({ id }) => String(id) === this.photo.value);
    if (!layer) throw new Problem("Choose the layer that holds the photo.");
    return layer;
  }

  private wantedSeed(): number {
    const seed = Number(this.seed.value);
    if (!Number.isInteger(seed) || seed < 0 || seed > 2147483647) {
      throw new Problem("A variant is a whole number from 0 to 2147483647.");
    }
    return seed;
  }

  private answered(yes: boolean): void {
    this.question.hidden = true;
    this.answer?.(yes);
    this.answer = null;
  }

  private idle(): void {
    this.bar.hidden = true;
    this.question.hidden = true;
    this.cancelButton.disabled = true;
    for (const button of this.workButtons) button.disabled = false;
  }

  private tell(error: unknown): void {
    // Photoshop's own errors need not be of our kind of Error.
    const { message } = (error ?? {}) as { message?: unknown };
    this.status.textContent = typeof message === "string" ? message : String(error);
  }

  /** Runs what a button does; what it returns or throws is what the panel says. */
  private async run(button: HTMLButtonElement, work: () => Promise<string | void>): Promise<void> {
    const long = this.workButtons.includes(button);
    if (long) {
      this.cancelButton.disabled = false;
      for (const other of this.workButtons) other.disabled = true;
    }
    try {
      const sentence = await work();
      if (sentence) this.status.textContent = sentence;
    } catch (error) {
      this.tell(error);
    } finally {
      if (long) this.idle();
    }
  }

  private button(id: string, text: string, work: () => Promise<string | void>): HTMLButtonElement {
    const button = this.element("button", { id, type: "button" }, [text]);
    button.addEventListener("click", () => void this.run(button, work));
    return button;
  }

  private labelled(text: string, control: HTMLElement): HTMLElement {
    return this.element("label", { for: control.id }, [text, control]);
  }

  private element<K extends keyof HTMLElementTagNameMap>(
    name: K,
    attributes: Record<string, string>,
    children: Child[] = [],
  ): HTMLElementTagNameMap[K] {
    const made = this.root.ownerDocument.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }
}
