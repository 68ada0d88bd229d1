/** Arrow keys choose among the buttons of a group (a radio group by WAI-ARIA's rules). */

/** Return what a group does on a key: each of the keys in `steps` chooses the button that many places on. */
function choosing(steps: Readonly<Record<string, number>>): (event: KeyboardEvent) => void {
  return (event) => {
    const by = steps[event.key];
    if (!by) return;
    const buttons = [...(event.currentTarget as HTMLElement).querySelectorAll("button")];
    const to = buttons[buttons.indexOf(document.activeElement as HTMLButtonElement) + by];
    to?.focus();
    to?.click();
    event.preventDefault();
  };
}

/** In a row: left and right. */
export const alongRow = choosing({ ArrowRight: 1, ArrowLeft: -1 });

/** In the palette, which has two columns: all four arrows. */
export const alongColumns = choosing({ ArrowDown: 2, ArrowUp: -2, ArrowRight: 1, ArrowLeft: -1 });
