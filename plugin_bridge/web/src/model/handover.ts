/** What a draft or a found photo becomes: a photo to edit, a layout, a second photo to draw from. */

import type { Query } from "../io/backend";
import type { Board, Drafted } from "./board";
import { boxesLayout } from "./boxes";
import { Document } from "./document";
import { whole, type Extent } from "./geometry";
import { mapAt, pixelsAt } from "./resample";
import type { Session } from "./session";
import { UNKNOWN, type LabelMap, type Photo } from "./types";

/** Longer side of a draft that is opened as a photo, pixels. */
const SIDE = 512;

/** A draft at a size that can be edited, in the shape of the board. */
export function draftPhoto(draft: Drafted, shape: Extent): Photo {
  const scale = SIDE / Math.max(shape.width, shape.height);
  const extent = { width: Math.max(1, Math.round(shape.width * scale)), height: Math.max(1, Math.round(shape.height * scale)) };
  const name = `draft ${draft.index + 1} of seed ${draft.seed}.png`;
  return { name, ...extent, pixels: pixelsAt(draft.picture, extent), profile: null, file: null };
}

/** A draft as what to look for: the boxes' layout and the picture. */
export function draftQuery(draft: Drafted, board: Board, labels: Document["labels"]): Query {
  const extent = board.extent.peek();
  const { pixels, pixelExtent } = draft.picture;
  return { labels: boxesLayout(draft.boxes, labels, extent), picture: { ...pixelExtent, pixels } };
}

/** Writes a layout over a document's, as one step; where it says UNKNOWN, the layout stays as it is. */
export function layLayout(document: Document, layout: LabelMap, name: string): boolean {
  const { ids } = mapAt(layout, document.extent);
  const edit = document.edit();
  edit.touch(whole(document.extent));
  for (let i = 0; i < ids.length; i++) if (ids[i] !== UNKNOWN) document.edited[i] = ids[i]!;
  document.painted(document.bounds);
  return edit.commit(name);
}

/** A photo under a layout that came from elsewhere: its own labels are what it shows, the layout is what it shall show. */
export function underLayout(photo: Photo, original: LabelMap, layout: LabelMap, labels: Document["labels"]): Document {
  const { ids } = mapAt(layout, photo);
  for (let i = 0; i < ids.length; i++) if (ids[i] === UNKNOWN) ids[i] = original.ids[i]!;
  return new Document(photo, labels, original, { edited: { ...original, ids } });
}

/** Asks before work is closed that isn't saved as a project. */
export async function mayClose(session: Session): Promise<boolean> {
  const unsaved = (session.bench.peek()?.document.history.length.peek() ?? 0) > 0;
  return !unsaved || session.ask("Close the photo that is open? What isn't saved as a project is lost.", "Close it");
}
