/** Starts the page. */

import { render } from "preact";
import "./styles/tokens.css";
import "./styles/controls.css";
import "./styles/page.css";
import "./styles/start.css";
import "./styles/mixing.css";
import "./styles/board.css";
import { App } from "./ui/app";
import { exposeHooks } from "./ui/hooks";
import { session } from "./ui/session";

exposeHooks(session);
render(<App />, document.getElementById("app")!);
void session.start();
