/** Starts the page. */

import { render } from "preact";

render(<main>Layoutbrush</main>, document.getElementById("app")!);
