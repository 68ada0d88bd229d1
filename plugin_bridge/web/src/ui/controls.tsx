/** The page's few controls: icon buttons, bars of progress, sliders, switches, groups, menus, dialogs. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon, type IconName } from "./icons";
import type { Side } from "./tips";

interface ButtonProps {
  icon: IconName;
  /** What it does: tooltip and accessible name. */
  name: string;
  /** Shown in the tooltip. */
  keys?: string;
  onClick: (event: MouseEvent) => void;
  pressed?: boolean;
  disabled?: boolean;
  /** Which side the tooltip opens to. */
  tip?: Side;
  children?: ComponentChildren;
}

export function IconButton({ icon, name, keys, onClick, pressed, disabled, tip = "below", children }: ButtonProps) {
  return (
    <button
      type="button"
      class={children ? "button with-text" : "button"}
      aria-label={name}
      aria-pressed={pressed}
      aria-keyshortcuts={keys?.replace("Ctrl", "Control")}
      aria-disabled={disabled}
      data-tip={keys ? `${name}  ${keys}` : name}
      data-side={tip}
      onClick={(event) => !disabled && onClick(event)}
    >
      <Icon name={icon} />
      {children}
    </button>
  );
}

/** How far something is, 0 to 1; null: not known. `idle`: nothing is under way, and its place is kept. */
export function Bar({ label, done, idle = false }: { label: string; done: number | null; idle?: boolean }) {
  return (
    <span
      class={`bar ${idle ? "idle" : done === null ? "unsure" : ""}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={done === null ? undefined : Math.round(done * 100)}
      aria-hidden={idle}
    >
      <span style={{ width: `${(done ?? 0) * 100}%` }} />
    </span>
  );
}

interface SliderProps {
  label: string;
  value: number;
  min: number;
  max: number;
  unit?: string;
  /** How a slider's position grows to a value; brush sizes want fine steps at the small end. */
  curve?: number;
  onInput: (value: number) => void;
  hideLabel?: boolean;
}

export function Slider({ label, value, min, max, unit = "", curve = 1, onInput, hideLabel }: SliderProps) {
  const steps = 1000;
  const place = Math.round(((value - min) / (max - min)) ** (1 / curve) * steps);
  const held = (next: number) => onInput(Math.min(Math.max(Math.round(next), min), max));
  return (
    <label class="slider">
      <span class={hideLabel ? "unseen" : "name"}>{label}</span>
      <input
        type="range"
        min={0}
        max={steps}
        value={place}
        aria-label={label}
        aria-valuetext={`${Math.round(value)} ${unit}`}
        style={{ "--at": `${place / 10}%` }}
        onInput={(event) => held(min + (event.currentTarget.valueAsNumber / steps) ** curve * (max - min))}
        onKeyDown={(event) => {
          const by = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1 }[event.key];
          if (!by) return;
          event.preventDefault();
          held(value + by * (event.shiftKey ? 10 : 1));
        }}
      />
      <NumberField label={`${label}, ${unit || "value"}`} value={Math.round(value)} unit={unit} onChange={held} />
    </label>
  );
}

export function NumberField(props: { label: string; value: number; unit: string; onChange: (value: number) => void }) {
  const { label, value, unit, onChange } = props;
  return (
    <span class="number">
      <input
        type="text"
        inputMode="numeric"
        aria-label={label}
        value={value}
        onFocus={(event) => event.currentTarget.select()}
        onChange={(event) => {
          const next = Number.parseFloat(event.currentTarget.value);
          if (Number.isFinite(next)) onChange(next);
          event.currentTarget.value = String(value);
        }}
        onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
      />
      <span aria-hidden="true">{unit}</span>
    </span>
  );
}

export function Switch(props: { label: string; on: boolean; onChange: (on: boolean) => void; tip?: string }) {
  return (
    <label class="switch" data-tip={props.tip} data-side="below">
      <input type="checkbox" role="switch" checked={props.on} onChange={(e) => props.onChange(e.currentTarget.checked)} />
      <span class="track" aria-hidden="true" />
      <span>{props.label}</span>
    </label>
  );
}

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  options: readonly (readonly [T, string])[];
  onChange: (value: T) => void;
}

/** One of a few, side by side. */
export function Choice<T extends string>({ label, value, options, onChange }: ChoiceProps<T>) {
  return (
    <div class="choice" role="radiogroup" aria-label={label}>
      {options.map(([id, name]) => (
        <label key={id} class={id === value ? "chosen" : ""}>
          <input type="radio" name={label} checked={id === value} onChange={() => onChange(id)} />
          <span>{name}</span>
        </label>
      ))}
    </div>
  );
}

interface SelectProps {
  label: string;
  value: string;
  options: readonly (readonly [value: string, name: string])[];
  onChange: (value: string) => void;
}

/** One of many; the browser's own list, so that it works with every pointer and reader. */
export function Select({ label, value, options, onChange }: SelectProps) {
  return (
    <select class="select" aria-label={label} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
      {options.map(([id, name]) => (
        <option key={id} value={id} selected={id === value}>
          {name}
        </option>
      ))}
    </select>
  );
}

export type MenuEntry =
  | { readonly name: string; readonly keys?: string; readonly disabled?: boolean; readonly run: () => void }
  | "line";

/** A button that opens a list of commands; arrows, Home, End, Escape as in any menu. */
export function Menu({ name, entries }: { name: string; entries: readonly MenuEntry[] }) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    items(box.current)[0]?.focus();
    const away = (event: PointerEvent) => {
      if (!box.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", away);
    return () => document.removeEventListener("pointerdown", away);
  }, [open]);
  const leave = () => {
    setOpen(false);
    box.current?.querySelector("button")?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const all = items(box.current);
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: (at + 1) % all.length, ArrowUp: (at + all.length - 1) % all.length, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Escape") leave();
    else if (event.key === "ArrowDown" && !open) setOpen(true);
    else if (to !== undefined && open) all[to]?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="menu" ref={box} onKeyDown={onKeyDown}>
      <button type="button" class="button with-text" aria-haspopup="menu" aria-expanded={open} onClick={() => setOpen(!open)}>
        {name}
        <Icon name="down" size={14} />
      </button>
      {open && (
        <div role="menu" aria-label={name}>
          {entries.map((entry, i) =>
            entry === "line" ? (
              <hr key={i} role="separator" />
            ) : (
              <button
                key={entry.name}
                type="button"
                role="menuitem"
                tabIndex={-1}
                disabled={entry.disabled}
                onClick={() => {
                  leave();
                  entry.run();
                }}
              >
                <span>{entry.name}</span>
                {entry.keys && <kbd>{entry.keys}</kbd>}
              </button>
            ),
          )}
        </div>
      )}
    </div>
  );
}

function items(box: HTMLElement | null): HTMLElement[] {
  return [...(box?.querySelectorAll<HTMLElement>('[role="menuitem"]:not([disabled])') ?? [])];
}

interface DialogProps {
  name: string;
  wide?: boolean;
  /** Longer than most windows: the keys scroll it. */
  long?: boolean;
  onClose: () => void;
  children: ComponentChildren;
}

/** A modal dialog; Escape and a click beside it close it. */
export function Dialog({ name, wide, long, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current!;
    dialog.showModal();
    // Closing gives the focus back to where it was.
    return () => dialog.close();
  }, []);
  return (
    <dialog
      ref={element}
      class={wide ? "wide" : ""}
      aria-label={name}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => event.target === element.current && onClose()}
    >
      <header>
        <h2>{name}</h2>
        <IconButton icon="close" name="Close" onClick={onClose} />
      </header>
      <div class="body" {...(long ? { tabIndex: 0, role: "region", "aria-label": name } : {})}>
        {children}
      </div>
    </dialog>
  );
}
