/** Tooltips: one for all of the page, above everything else, and always inside the window. */

import { useEffect, useRef, useState } from "preact/hooks";

export type Side = "below" | "above" | "left" | "right";

/** Milliseconds that a pointer rests on something until its tooltip shows. */
const REST = 450;
/** CSS pixels between a tooltip and what it tells about, and between it and the window's rim. */
const GAP = 6;
const RIM = 4;

interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const OPPOSITE = { below: "above", above: "below", left: "right", right: "left" } as const;

/** Where a tooltip's upper left corner lies: beside what it tells about, on the other side where the window ends. */
export function tipPlace(about: Box, tip: Pick<Box, "width" | "height">, side: Side, room: Pick<Box, "width" | "height">) {
  const at = {
    below: { x: about.left + (about.width - tip.width) / 2, y: about.top + about.height + GAP },
    above: { x: about.left + (about.width - tip.width) / 2, y: about.top - tip.height - GAP },
    left: { x: about.left - tip.width - GAP, y: about.top + (about.height - tip.height) / 2 },
    right: { x: about.left + about.width + GAP, y: about.top + (about.height - tip.height) / 2 },
  };
  const [right, bottom] = [room.width - RIM - tip.width, room.height - RIM - tip.height];
  const along = side === "left" || side === "right" ? "x" : "y";
  const most = along === "x" ? right : bottom;
  const fits = (place: { x: number; y: number }) => place[along] >= RIM && place[along] <= most;
  const { x, y } = !fits(at[side]) && fits(at[OPPOSITE[side]]) ? at[OPPOSITE[side]] : at[side];
  return { x: Math.max(RIM, Math.min(x, right)), y: Math.max(RIM, Math.min(y, bottom)) };
}

/** What has a tooltip at or around the target of an event. */
function toldAbout(event: Event): HTMLElement | null {
  return event.target instanceof Element ? event.target.closest<HTMLElement>("[data-tip]") : null;
}

/** What the pointer rests on, or what the keys have chosen; null: nothing. */
function useToldAbout(): HTMLElement | null {
  const [told, setTold] = useState<HTMLElement | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | null = null;
    let over: HTMLElement | null = null;
    const turn = (element: HTMLElement | null, wait: number) => {
      if (element === over) return;
      over = element;
      if (timer !== null) clearTimeout(timer);
      setTold(null);
      if (element) timer = setTimeout(() => setTold(element.isConnected ? element : null), wait);
    };
    // What was pressed has been understood: its tooltip comes back when the pointer does.
    const hide = () => {
      if (timer !== null) clearTimeout(timer);
      setTold(null);
    };
    const on = <K extends keyof DocumentEventMap>(name: K, what: (event: DocumentEventMap[K]) => void) =>
      document.addEventListener(name, what, { signal: abort.signal, capture: true, passive: true });
    on("pointerover", (event) => event.pointerType !== "touch" && turn(toldAbout(event), REST));
    on("pointerout", (event) => event.relatedTarget === null && turn(null, 0));
    on("pointerdown", hide);
    on("keydown", hide);
    on("scroll", hide);
    on("focusin", (event) => event.target instanceof Element && event.target.matches(":focus-visible") && turn(toldAbout(event), REST));
    on("focusout", () => turn(null, 0));
    return () => {
      hide();
      abort.abort();
    };
  }, []);
  return told;
}

export function Tips() {
  const told = useToldAbout();
  const element = useRef<HTMLDivElement>(null);
  const text = told?.dataset["tip"];
  useEffect(() => {
    const tip = element.current;
    if (!tip || !told) return;
    // Above dialogs too, which lie above all else of the page.
    tip.showPopover?.();
    const room = { width: innerWidth, height: innerHeight };
    const { x, y } = tipPlace(told.getBoundingClientRect(), tip.getBoundingClientRect(), (told.dataset["side"] ?? "below") as Side, room);
    Object.assign(tip.style, { left: `${x}px`, top: `${y}px` });
  }, [told, text]);
  if (!told || !text) return null;
  return (
    <div class="tooltip" ref={element} popover="manual" aria-hidden="true">
      {text}
    </div>
  );
}
