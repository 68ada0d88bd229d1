"""One connection, and which document of the server belongs to which of the host. Used from the session's threads."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from typing import Any

import grpc

from layoutbrush.plugin_bridge.errors import RemoteError
from layoutbrush.plugin_bridge.host.palette import Palette
from layoutbrush.plugin_bridge.host.problem import HostProblem
from layoutbrush.plugin_bridge.host.snapshot import Server
from layoutbrush.plugin_bridge.picture import Picture

TEST_SECONDS, CALL_SECONDS = 8.0, 60.0
"""How long a test of the connection may take, and any other plain call, such as a part of an upload."""


class Remote:
    """A document on the server, with the label map that the server found for it."""

    def __init__(self, document: Any, digest: bytes) -> None:
        self.document = document
        self.digest = digest
        self._labels: Picture | None = None

    def own_labels(self) -> Picture:
        """The label map that the server finds (GRAY); from now on it is the document's.

        Raises:
            RemoteError: the server can't.
        """
        if self._labels is None:
            self._labels = self.document.segment(store=True)
        return self._labels


class Link:
    """`connect`: makes a client of a Server whose plain calls may take so many seconds."""

    def __init__(self, connect: Callable[[Server, float], Any]) -> None:
        self._connect = connect
        self._lock = threading.RLock()
        self._server: Server | None = None
        self._client: Any = None
        self._palette: Palette | None = None
        self._limits: Any = None
        self._remotes: dict[str, Remote] = {}

    def fresh_info(self, server: Server) -> tuple[Any, str]:
        """What the server is, on a new connection: an old one may still be waiting before it tries again.

        Raises:
            RemoteError: it doesn't answer.
        """
        client = self._made(server, TEST_SECONDS)
        try:
            sentence, info = client.check(), client.info()
        finally:
            client.close()
        with self._lock:
            if server == self._server:
                self._remember(info)
        return info, sentence

    def palette(self, server: Server) -> Palette:
        """The server's labels.

        Raises:
            RemoteError: it doesn't answer.
        """
        client = self.client(server)
        with self._lock:
            known = self._palette
        if known is not None:
            return known
        info = client.info()
        with self._lock:
            return self._remember(info)

    def client(self, server: Server) -> Any:
        """The client of this server; one of another server is closed."""
        with self._lock:
            if server != self._server or self._client is None:
                self._drop()
                self._server, self._client = server, self._made(server, CALL_SECONDS)
            return self._client

    def document(self, server: Server, key: str, photo: Picture, labels: Picture | None) -> Remote:
        """The server's document for these pixels: the one from before, or a new one that takes its place.

        Raises:
            HostProblem: the photo is beyond the server's limits.
            RemoteError: the server refused it.
        """
        client = self.client(server)
        self._check(photo)
        digest = _digest(photo, labels)
        with self._lock:
            known = self._remotes.get(key)
        if known is not None and known.digest == digest:
            return known
        if known is not None:
            self.forget(key)
        remote = Remote(client.open(photo, labels), digest)
        with self._lock:
            self._remotes[key] = remote
        return remote

    def forget(self, key: str) -> None:
        """Close the server's document, if there is one."""
        with self._lock:
            known = self._remotes.pop(key, None)
        if known is not None:
            known.document.close()

    def lost(self, error: RemoteError) -> str:
        """The sentence of an error; a connection that broke is given up, so that the next try starts anew."""
        if error.code is grpc.StatusCode.UNAVAILABLE:
            with self._lock:
                self._drop()
        return error.message

    def close(self) -> None:
        """Let the server forget the documents, and close the connection."""
        with self._lock:
            keys = list(self._remotes)
        for key in keys:
            self.forget(key)
        with self._lock:
            self._drop()

    def _made(self, server: Server, seconds: float) -> Any:
        if not server.address.strip():
            raise HostProblem("Give the server's address, such as 127.0.0.1:50051.")
        return self._connect(server, seconds)

    def _remember(self, info: Any) -> Palette:
        self._palette, self._limits = Palette.of(info.bundle.labels), info.limits
        return self._palette

    def _check(self, photo: Picture) -> None:
        limits, size = self._limits, f"The canvas has {photo.width} x {photo.height} pixels"
        if limits is None:
            return
        if max(photo.width, photo.height) > limits.max_side or photo.width * photo.height > limits.max_layer_pixels:
            raise HostProblem(
                f"{size}; this server takes up to {limits.max_side} a side and "
                f"{limits.max_layer_pixels / 1e6:.0f} megapixels in all."
            )
        if min(photo.width, photo.height) < limits.min_side:
            raise HostProblem(f"{size}; this server needs at least {limits.min_side} a side.")

    def _drop(self) -> None:
        client, self._client, self._server, self._palette, self._limits = self._client, None, None, None, None
        self._remotes.clear()
        if client is not None:
            client.close()


def _digest(photo: Picture, labels: Picture | None) -> bytes:
    """What tells one document's pixels from another's."""
    digest = hashlib.blake2b(photo.data)
    digest.update(repr((photo.x, photo.y, photo.width, photo.height, photo.channels, photo.numbers)).encode())
    digest.update(labels.data if labels is not None else b"none")
    return digest.digest()
