"""A panel without its widgets: what a painter asks for, what the session answers, and what is done to the document.

The host's user interface calls `test`, `segment`, `generate` and `cancel`, calls `tick` some times a second from its
own thread while anything runs, and shows `status`. Nothing here waits for a server.

Editors run their event loop inside some of their own calls, so that a timer or a button may call in here while an
earlier call still works on a document. Such a call finds the document busy, and a nested `tick` does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from layoutbrush.plugin_bridge.events import Result
from layoutbrush.plugin_bridge.host.messages import (
    Advanced,
    Cancelled,
    Connected,
    Failed,
    Finished,
    Labelled,
    Message,
    Previewed,
    Unreachable,
)
from layoutbrush.plugin_bridge.host.palette import Palette
from layoutbrush.plugin_bridge.host.problem import HostProblem
from layoutbrush.plugin_bridge.host.session import Session
from layoutbrush.plugin_bridge.host.snapshot import Server, Snapshot, Wishes, size_question
from layoutbrush.plugin_bridge.picture import Picture

NO_DOCUMENT = "Open a photo first."


class Host(Protocol):
    """What an editor must offer. Documents go by a key that lasts as long as they are open; all calls may raise
    HostProblem.
    """

    def documents(self) -> Collection[str]:
        """Keys of the documents that are open."""

    def size(self, key: str) -> tuple[int, int]:
        """Width and height of a document's canvas."""

    def photo(self, key: str) -> Picture:
        """The photo to find labels for."""

    def snapshot(self, key: str, wishes: Wishes) -> Snapshot:
        """Everything that a render needs, as it is now."""

    def show_labels(self, key: str, labels: Picture, colors: Picture, palette: Palette) -> None:
        """Make a label layer of these colours; remember the ids as the photo's own."""

    def show_preview(self, key: str, picture: Picture) -> None:
        """Show a picture on the way, in a layer of its own."""

    def show_result(self, key: str, result: Result, title: str) -> None:
        """Put the result into a layer of its own, in one undo step; takes the preview's place."""

    def drop_preview(self, key: str) -> None:
        """Take the preview away, if there is one."""

    def ask(self, question: str) -> bool:
        """Ask the painter; True = yes."""


@dataclass(frozen=True)
class Status:
    """`text`: for the painter. `done`: 0 to 1 while work goes on, else None. `trouble`: the text tells of a problem.
    `note`: the part of the text that a painter should see even where all went well; may be empty.
    """

    text: str = ""
    done: float | None = None
    trouble: bool = False
    note: str = ""


class Controller:
    """`server` and `palette` may be set at any time, such as from the host's settings."""

    def __init__(self, host: Host, session: Session) -> None:
        self.server = Server()
        self.palette = Palette()
        self.connection = Status("Not tested yet.")
        self._host = host
        self._session = session
        self._statuses: dict[str, Status] = {}
        self._titles: dict[str, str] = {}
        self._testing = False
        self._ticking = False
        self._held: set[str] = set()  # documents that a call further up works on

    @property
    def waiting(self) -> bool:
        """True while `tick` has something to do."""
        return self._testing or self._ticking or bool(self._held or self._session.jobs())

    def status(self, key: str) -> Status:
        """How a document's work stands. `key`: empty = no document."""
        return self._statuses.get(key, Status()) if key else Status(NO_DOCUMENT)

    def busy(self, key: str) -> bool:
        """True while a document is being worked on."""
        return key in self._held or self._session.busy(key)

    def test(self) -> None:
        """Test the connection; `connection` tells how it went."""
        self.connection, self._testing = Status("Asking the server ..."), True
        self._session.test(self.server)

    def segment(self, key: str) -> None:
        """Find the photo's labels and make a label layer of them."""

        def start() -> None:
            photo = self._host.photo(key)
            self._session.segment(self.server, key, photo)

        self._begin(key, start)

    def generate(self, key: str, wishes: Wishes) -> None:
        """Render the document as it is now."""

        def start() -> None:
            snapshot = self._host.snapshot(key, wishes)
            self._titles[key] = f"Layoutbrush (seed {wishes.seed})"
            self._session.generate(self.server, key, snapshot)

        self._begin(key, start)

    def cancel(self, key: str) -> None:
        """End a document's work."""
        if self._session.busy(key):
            self._session.cancel(key)
            self._statuses[key] = Status("Cancelling ...", 0.0)

    def tick(self) -> bool:
        """Do what the session's messages ask for; True where there were any."""
        if self._ticking:
            return False
        self._ticking = True
        try:
            self._tidy()
            messages = self._session.poll()
            for message in messages:
                self._take(message)
        finally:
            self._ticking = False
        return bool(messages)

    def close(self) -> None:
        """The host ends."""
        self._session.close()

    def _tidy(self) -> None:
        """Let go of documents that were closed."""
        open_now = self._host.documents()
        for key in self._session.jobs():
            if key not in open_now:
                self._session.forget(key)
        for key in [key for key in self._statuses if key not in open_now]:
            del self._statuses[key]

    def _begin(self, key: str, start: Callable[[], None]) -> None:
        if not key or self.busy(key):
            return
        self._held.add(key)
        try:
            question = size_question(*self._host.size(key))
            if question and not self._host.ask(question):
                self._statuses[key] = Status("Nothing was sent.")
                return
            self._statuses[key] = Status("Sending ...", 0.0)
            start()
        except HostProblem as problem:
            self._statuses[key] = Status(str(problem), trouble=True)
        finally:
            self._held.discard(key)

    def _take(self, message: Message) -> None:
        if isinstance(message, Connected):
            self.connection, self.palette, self._testing = Status(message.sentence), message.palette, False
        elif isinstance(message, Unreachable):
            self.connection, self._testing = Status(message.sentence, trouble=True), False
        else:
            self._held.add(message.key)
            try:
                self._statuses[message.key] = self._follow(message)
            except HostProblem as problem:
                self._statuses[message.key] = Status(str(problem), trouble=True)
            except Exception as error:  # noqa: BLE001  # of the editor: must neither pass in silence nor end it
                self._statuses[message.key] = Status(f"The editor refused: {type(error).__name__}: {error}", None, True)
            finally:
                self._held.discard(message.key)

    def _follow(self, message: Advanced | Labelled | Previewed | Finished | Failed | Cancelled) -> Status:
        key, host = message.key, self._host
        if isinstance(message, Advanced):
            return Status(f"{message.text[:1].upper()}{message.text[1:]} ...", message.done)
        if isinstance(message, Previewed):
            host.show_preview(key, message.picture)
            return self.status(key)
        if isinstance(message, Labelled):
            self.palette = message.palette
            host.show_labels(key, message.labels, message.colors, message.palette)
            return Status("Paint on the label layer, then generate.")
        if isinstance(message, Finished):
            host.show_result(key, message.result, self._titles[key])
            seconds = message.result.timings.get("total", 0.0) / 1000
            return Status(f"Done in {seconds:.1f} s. {message.note}".strip(), note=message.note)
        host.drop_preview(key)
        if isinstance(message, Cancelled):
            return Status("Cancelled.")
        return Status(message.sentence, trouble=True)
