/** The session that all of the page shares. */

import { connectBackend } from "../io/connect_backend";
import { Session } from "../model/session";

export const session = new Session(connectBackend());
