/** The strip of found photos: those of the server's folder that are like a layout or a draft. */

import type { Found } from "../io/backend";
import { Bar, IconButton } from "./controls";
import { NoPixels, Pixels } from "./pixels";
import { session } from "./session";

/** Height of a photo in the strip, CSS pixels. */
const TALL = 68;

export function FoundStrip() {
  const { finder, bench } = session;
  const photos = finder.photos.value;
  const activity = finder.activity.value;
  if (photos === null && activity === null) return null;
  const pending = finder.pending.value;
  const about = photos === null ? "Looking for photos" : `${photos.length === 0 ? "No photos" : "Photos"} like ${finder.about.value}`;
  return (
    <section class="strip found" aria-label="Found photos">
      <header>
        <h2>{about}</h2>
        {pending > 0 && <span class="quiet">The server still looks at {pending} photos of its folder</span>}
        {activity && (
          <span class="row" role="status">
            <Bar label={activity.stage} done={activity.done} />
            <span class="quiet">{activity.stage}</span>
          </span>
        )}
        <span class="spacer" />
        <IconButton icon="close" name="Close the found photos" tip="left" onClick={() => finder.close()} />
      </header>
      <ul>
        {(photos ?? []).map((photo) => (
          <Photo key={photo.name} photo={photo} canRefer={bench.value !== null} canLay={finder.layout.value !== null} />
        ))}
      </ul>
    </section>
  );
}

function Photo({ photo, canRefer, canLay }: { photo: Found; canRefer: boolean; canLay: boolean }) {
  const { name, thumbnail, width, height, score } = photo;
  const refer = () => void session.referToFound(name);
  const open = () => void session.openFound(name);
  const like = `${Math.round(score * 100)} % alike`;
  return (
    <li>
      <button
        type="button"
        class="thumb"
        aria-label={`${name}, ${like}: ${canRefer ? "add as second photo" : "open"}`}
        data-tip={`${name}, ${width} \u00d7 ${height}`}
        data-side="above"
        onClick={canRefer ? refer : open}
      >
        {thumbnail ? <Pixels {...thumbnail.pixelExtent} pixels={thumbnail.pixels} tall={TALL} /> : <NoPixels />}
      </button>
      <span class="row">
        <span class="quiet">{Math.round(score * 100)} %</span>
        <span class="spacer" />
        {canRefer && <IconButton icon="addPhoto" name={`Add ${name} as a second photo`} tip="above" onClick={refer} />}
        <IconButton
          icon="photo"
          name={canLay ? `Open ${name} under this layout` : `Open ${name}`}
          tip="above"
          onClick={open}
        />
      </span>
    </li>
  );
}
