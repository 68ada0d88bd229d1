/** Which dialog is open. */

import { signal } from "@preact/signals";

export const openDialog = signal<"help" | "reference" | "token" | null>(null);
