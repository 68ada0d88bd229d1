/** The strip of drafts, and what can be done with the one that is looked at. */

import { draftQuery } from "../model/handover";
import type { Board, Drafted } from "../model/board";
import { Bar, IconButton } from "./controls";
import { Thumb } from "./pixels";
import { session } from "./session";
import { alongRow } from "./walking";

/** Height of a draft in the strip, CSS pixels. */
const TALL = 68;

export function DraftStrip({ board }: { board: Board }) {
  const drafts = board.drafts.value;
  const { draft } = board;
  const activity = board.activity.value;
  return (
    <section class="strip drafts" aria-label="Drafts">
      <header>
        <h2>Drafts</h2>
        {activity ? (
          <span class="row" role="status">
            <Bar label="Drafting" done={activity.done} />
            <span class="quiet">{activity.stage}</span>
          </span>
        ) : (
          <span class="quiet">{about(board)}</span>
        )}
        <span class="spacer" />
        <Actions board={board} draft={draft} />
      </header>
      <ul role="radiogroup" aria-label="Draft" class={board.outdated.value && !activity ? "outdated" : ""} onKeyDown={alongRow}>
        {drafts.map((one) => (
          <Thumb
            key={one.index}
            name={`Draft ${one.index + 1}`}
            picture={{ ...one.picture.pixelExtent, pixels: one.picture.pixels, shape: board.extent.value, tall: TALL }}
            chosen={one === draft}
            first={!draft && one.index === 0}
            onChoose={() => (board.picked.value = one.index)}
          />
        ))}
      </ul>
    </section>
  );
}

function about(board: Board): string {
  if (board.drafts.value.length === 0) return "Draw boxes, then press Draft";
  return board.outdated.value ? "The boxes have changed since" : `Seed ${board.drafts.value[0]!.seed}`;
}

function Actions({ board, draft }: { board: Board; draft: Drafted | null }) {
  const bench = session.bench.value;
  const info = session.server.info.value;
  const none = draft === null;
  const look = () => void (draft && session.finder.find(draftQuery(draft, board, session.labels()), `draft ${draft.index + 1}`));
  return (
    <div class="row" role="group" aria-label="With the draft">
      {bench && (
        <IconButton icon="check" name="Use boxes as layout: they are laid over the photo" tip="above" disabled={none} onClick={() => void (draft && session.layDraft(draft, "boxes"))}>
          Use boxes as layout
        </IconButton>
      )}
      {bench && info?.segmentation && (
        <IconButton icon="relabel" name="Use its labels: what is found in it is laid over the photo" tip="above" disabled={none} onClick={() => void (draft && session.layDraft(draft, "labels"))}>
          Use its labels
        </IconButton>
      )}
      {bench && (
        <IconButton icon="addPhoto" name="Draw from it: it becomes a second photo" tip="above" disabled={none} onClick={() => void (draft && session.referToDraft(draft))}>
          Draw from it
        </IconButton>
      )}
      <IconButton icon="photo" name="Open it as a photo" tip="above" disabled={none} onClick={() => void (draft && session.openDraft(draft))}>
        Open
      </IconButton>
      {info?.finding && (
        <IconButton icon="find" name="Find photos like it" tip="above" disabled={none} onClick={look}>
          Find photos
        </IconButton>
      )}
    </div>
  );
}
