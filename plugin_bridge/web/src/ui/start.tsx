/** The page before a photo is open: drop one, pick one, or start from a sample. */

import { useEffect, useState } from "preact/hooks";
import { listSamples, type Sample } from "../io/samples";
import { Bar } from "./controls";
import { Icon } from "./icons";
import { openPhoto } from "./files";
import { session } from "./session";

export function Start() {
  const [samples, setSamples] = useState<readonly Sample[]>([]);
  const online = session.server.link.value === "online";
  useEffect(() => {
    void listSamples().then(setSamples);
  }, [online]);
  return (
    <main class="start">
      <div class="card">
        <h2>Paint the layout, and the photo follows.</h2>
        <button type="button" class="drop" onClick={() => void openPhoto()}>
          <Icon name="photo" size={32} />
          <span>
            Drop a photo here, paste one, or <u>choose a file</u>
          </span>
          <span class="quiet">PNG, JPEG or WebP; or a saved project</span>
        </button>
        {samples.length > 0 && (
          <section aria-label="Sample photos">
            <h3>Or start from a sample</h3>
            <ul class="samples">
              {samples.map((sample) => (
                <li key={sample.id}>
                  <button type="button" onClick={() => void session.openSample(sample.load)}>
                    <img src={sample.thumbnail} alt="" loading="lazy" />
                    <span>{sample.name}</span>
                  </button>
                </li>
              ))}
            </ul>
          </section>
        )}
        {session.server.info.value?.drafts && (
          <button type="button" class="sketch" onClick={() => session.turnBoard(true)}>
            <Icon name="boxes" />
            <span>
              No photo yet? <u>Sketch with boxes</u> and look at drafts
            </span>
          </button>
        )}
        <ol class="steps">
          <li>
            <strong>Open.</strong> Layoutbrush finds what the photo holds.
          </li>
          <li>
            <strong>Paint.</strong> Pick a label and draw: more lake, no car, another tree line.
          </li>
          <li>
            <strong>Keep.</strong> Results are layers; export PNG, PSD or OpenRaster.
          </li>
        </ol>
      </div>
    </main>
  );
}

/** Shown over the page while a photo is read and segmented. */
export function Opening() {
  const activity = session.opening.value;
  if (!activity) return null;
  return (
    <div class="opening" role="status">
      <div class="card">
        <span>{activity.stage}…</span>
        <Bar label={activity.stage} done={activity.done} />
        <button type="button" class="button with-text" onClick={() => session.cancelOpening()}>
          Cancel
        </button>
      </div>
    </div>
  );
}
