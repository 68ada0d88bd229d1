"""The built editor page and the sample photos, as files over HTTP.

Only what lies inside the folder is served, by its own name; hidden files aren't. Files under assets/ carry a hash in
their name and may be kept for ever, all others are asked for again each time.
"""

from __future__ import annotations

import asyncio
import html
import json
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from layoutbrush.plugin_bridge.gateway.asgi import Headers, Receive, Scope, Send, answer, header

PAGE = Path(__file__).resolve().parent.parent / "web_page"
"""Where the build of `plugin_bridge/web` puts the page; part of the wheel."""

POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; "
    b"connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'"
)
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""Fixed, because the machine's own table may say anything."""
_TEXT = ("text/", "application/json", "application/manifest")

NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Layoutbrush</title>
<h1>The editor page was not built</h1>
<p>The server runs, and plugins can use it. To have the editor here as well, install Node 20 or newer and, in the
checkout, run</p>
<pre>make web</pre>
<p>then reload this page. A released wheel holds the page already.</p>
"""


@dataclass(frozen=True)
class Sample:
    """A photo to start with. `title`: for people."""

    path: Path
    title: str


class Pages:
    """An ASGI application for everything that is no call. `folder`: the built page. `samples`: photos by file name."""

    def __init__(self, folder: Path = PAGE, samples: Mapping[str, Sample] | None = None) -> None:
        self._folder = folder.resolve()
        self._samples = dict(samples or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        head = scope["method"] == "HEAD"
        if not head and scope["method"] != "GET":
            await answer(send, 405, headers=[(b"allow", b"GET, HEAD")])
            return
        name = _name(scope)
        if name == "samples/index.json":
            await answer(send, 200, self._index(), [(b"content-type", b"application/json"), *_kept(name)], head)
            return
        path = await asyncio.to_thread(self._find, name)
        if path is not None:
            await _send_file(scope, send, path, name, head)
        elif name == "index.html":
            await _send_text(send, 503, NOT_BUILT, head)
        else:
            text = f"<!doctype html><title>Not found</title><p>There is no {html.escape(name[:100])} here.\n"
            await _send_text(send, 404, text, head)

    def _index(self) -> bytes:
        rows = [
            {"name": name, "title": sample.title, "url": f"/samples/{name}"} for name, sample in self._samples.items()
        ]
        return json.dumps({"samples": rows}).encode()

    def _find(self, name: str) -> Path | None:
        """The file of that name, None where there is none that may be served."""
        folder, _, rest = name.partition("/")
        if folder == "samples" and rest in self._samples:
            return self._samples[rest].path
        parts = name.split("/")
        if any(not part or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
            return None
        try:
            path = self._folder.joinpath(*parts).resolve()
            return path if path.is_relative_to(self._folder) and path.is_file() else None
        except (OSError, ValueError):
            return None


def _name(scope: Scope) -> str:
    raw = scope.get("raw_path") or scope["path"].encode()
    name = unquote_to_bytes(raw.partition(b"?")[0]).decode("utf-8", "replace").removeprefix("/")
    return name or "index.html"


def _kept(name: str) -> Headers:
    keep = b"public, max-age=31536000, immutable" if name.startswith("assets/") else b"no-cache"
    return [(b"cache-control", keep), (b"cross-origin-resource-policy", b"same-origin")]


async def _send_file(scope: Scope, send: Send, path: Path, name: str, head: bool) -> None:
    state = await asyncio.to_thread(path.stat)
    tag = f'"{state.st_mtime_ns:x}-{state.st_size:x}"'
    kind = _TYPES.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind.startswith(_TEXT):
        kind += "; charset=utf-8"
    headers = [(b"content-type", kind.encode()), (b"etag", tag.encode()), *_kept(name), *_policy(kind)]
    if header(scope, b"if-none-match") == tag:
        await answer(send, 304, headers=headers, head=True)
        return
    await answer(send, 200, await asyncio.to_thread(path.read_bytes), headers, head)


async def _send_text(send: Send, status: int, text: str, head: bool) -> None:
    kind = "text/html; charset=utf-8"
    await answer(send, status, text.encode(), [(b"content-type", kind.encode()), *_kept(""), *_policy(kind)], head)


def _policy(kind: str) -> Headers:
    return [(b"content-security-policy", POLICY)] if kind.startswith("text/html") else []
