/** The server's token: from #token= or ?token= of the address, or typed in; kept for the tab only. */

const KEY = "layoutbrush-token";
let token = "";

/** Takes the token out of the page's address, so that it isn't shared with it by mistake. */
function fromAddress(): string {
  const { location, history } = globalThis;
  if (!location || !history) return "";
  const inHash = new URLSearchParams(location.hash.slice(1));
  const inQuery = new URLSearchParams(location.search);
  const found = inHash.get("token") ?? inQuery.get("token") ?? "";
  if (!found) return "";
  inHash.delete("token");
  inQuery.delete("token");
  const [query, hash] = [inQuery.toString(), inHash.toString()];
  history.replaceState(null, "", location.pathname + (query && `?${query}`) + (hash && `#${hash}`));
  return found;
}

export function setToken(value: string): void {
  token = value;
  try {
    sessionStorage.setItem(KEY, value);
  } catch {
    // Storage may be switched off; the token then lasts until the page is left.
  }
}

export function currentToken(): string {
  if (token) return token;
  const found = fromAddress();
  if (found) setToken(found);
  else {
    try {
      token = sessionStorage.getItem(KEY) ?? "";
    } catch {
      token = "";
    }
  }
  return token;
}
