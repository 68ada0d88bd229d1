"""The photos of a folder and what is known of them: kept up to date, searched, handed out by name.

Readers see one state or the next, never half of one: an update works on what it found and puts a new state in place.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime import private_cache
from layoutbrush.runtime.errors import Internal, LayoutbrushError, ReferenceNotFound
from layoutbrush.runtime.finding import folder as files
from layoutbrush.runtime.finding.describing import Describer
from layoutbrush.runtime.finding.folder import Skipped, Stamp
from layoutbrush.runtime.finding.index import Description, Entry, read_index, write_index
from layoutbrush.runtime.finding.ranking import Query, Table
from layoutbrush.runtime.geometry import Extent
from layoutbrush.runtime.limits import Limits

SAVED_EVERY_S = 20.0
"""An interrupted update loses no more than these seconds of work."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Changes:
    """What an update found, in photos."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    kept: int = 0


@dataclass(frozen=True)
class Found:
    """A photo that was found. `score`: likeness in [0, 1]. `thumbnail`: a JPEG."""

    name: str
    score: float
    extent: Extent
    thumbnail: bytes


@dataclass(frozen=True, eq=False)
class _State:
    entries: Mapping[str, Entry] = field(default_factory=dict)
    pending: tuple[tuple[str, Stamp], ...] = ()
    skipped: tuple[Skipped, ...] = ()


class Library:
    """A folder of photos. `index`: where its index is kept, None = in the user's private cache.

    Raises:
        NotFound, InvalidArgument: there is no such folder, or it can't be read.
        FailedPrecondition: the cache belongs to somebody else.
    """

    def __init__(
        self, folder: Path, describer: Describer, index: Path | None = None, limits: Limits | None = None
    ) -> None:
        files.check_folder(folder)
        self.folder = folder.resolve()
        self.describer = describer
        self.limits = limits or Limits()
        self._index = index or private_cache.cache_folder("references") / f"{_name_of(self.folder)}.index"
        self._state = _State()
        self._searched: tuple[_State, Table] | None = None
        self._contents: dict[str, Entry] = {}
        self._updating = threading.Lock()
        self._saved = time.monotonic()
        self._unsaved = False

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Pictures of the folder that aren't ranked, and why."""
        state = self._state
        unread = tuple(Skipped(entry.name, entry.why) for entry in state.entries.values() if entry.described is None)
        return tuple(sorted((*state.skipped, *unread), key=lambda item: item.name))

    @property
    def pending(self) -> int:
        """Photos that wait to be looked at."""
        return len(self._state.pending)

    @property
    def ranked(self) -> int:
        """Photos that are ranked."""
        return sum(entry.described is not None for entry in self._state.entries.values())

    # Keeping up to date

    def refresh(self) -> Changes:
        """See what the folder holds now. Photos that are new or changed wait for `look_at_next`; gone ones are dropped.

        Raises:
            NotFound, InvalidArgument: the folder is gone or can't be read.
        """
        with self._updating:
            known = dict(self._state.entries)
            if not known:
                known = {entry.name: entry for entry in read_index(self._index, self.describer.key)}
            present, skipped = files.files_of(self.folder)
            kept = {
                name: known[name] for name, stamp in present.items() if name in known and known[name].stamp == stamp
            }
            pending = tuple((name, stamp) for name, stamp in present.items() if name not in kept)
            changes = Changes(
                added=sum(name not in known for name, _ in pending),
                changed=sum(name in known for name, _ in pending),
                removed=sum(name not in present for name in known),
                kept=len(kept),
            )
            # What was changed, renamed or removed stays at hand by content until all that waits was compared with it.
            earlier = self._contents if self._state.pending else {}
            self._contents = earlier | {entry.digest: entry for entry in known.values()}
            self._state = _State(kept, pending, tuple(skipped))
            self._unsaved = self._unsaved or bool(changes.removed)
            if not pending:
                self._save()
            return changes

    def look_at_next(self, cancelled: Callable[[], bool] = lambda: False) -> str:
        """Look at one of the photos that wait; returns its name, empty where none waits.

        Raises:
            Cancelled: `cancelled()` turned True between steps.
        """
        with self._updating:
            if not self._state.pending:
                return ""
            name, stamp = self._state.pending[0]
            entry = self._entry(name, stamp, cancelled)
            state = self._state
            entries = dict(state.entries)
            if entry is not None:
                entries[name] = entry
                self._contents[entry.digest] = entry
            self._state = replace(state, entries=entries, pending=state.pending[1:])
            self._unsaved = True
            if not self._state.pending or time.monotonic() - self._saved > SAVED_EVERY_S:
                self._save()
            return name

    def update(self, cancelled: Callable[[], bool] = lambda: False) -> Iterator[tuple[int, int]]:
        """Bring everything up to date; yields how many photos were looked at and how many there are to look at."""
        self.refresh()
        total = self.pending
        for done in range(1, total + 1):
            self.look_at_next(cancelled)
            yield done, total

    def _entry(self, name: str, stamp: Stamp, cancelled: Callable[[], bool]) -> Entry | None:
        """What a photo is; None where it went away meanwhile."""
        digest = ""
        try:
            data = files.read_bytes(self.folder, name, self.limits)
            digest = files.digest(data)
            if (same := self._contents.get(digest)) is not None:
                return replace(same, name=name, stamp=stamp)
            pixels = files.decode_photo(data, self.limits)
        except files.UNREADABLE as error:
            present = digest or isinstance(error, files.UNREADABLE[:-1])
            return Entry(name, stamp, digest or f"unread {name}", None, error.message) if present else None
        try:
            return Entry(name, stamp, digest, self.describer.describe(pixels, cancelled))
        except Internal:
            _LOG.exception("a photo could not be described")
            return Entry(name, stamp, digest, None, "The networks could not look at it.")

    def _save(self) -> None:
        self._saved = time.monotonic()
        if not self._unsaved:
            return
        try:
            write_index(self._index, self.describer.key, self._state.entries.values())
            self._unsaved = False
        except LayoutbrushError as error:
            _LOG.warning("%s", error)

    # Searching

    def find(self, query: Query, count: int) -> list[Found]:
        """Return the `count` photos that are most like the query, best first; equal ones by name."""
        table, entries = self._table()
        scores = table.scores(query)
        order = np.lexsort((np.arange(len(scores)), -scores))[:count]
        found = []
        for index in order:
            name = table.names[index]
            about = _described(entries[name])
            found.append(Found(name, float(scores[index]), about.extent, about.thumbnail))
        return found

    def check(self, name: str) -> None:
        """Raise ReferenceNotFound where the index knows no photo of that name."""
        entry = self._state.entries.get(name)
        if entry is None or entry.described is None:
            raise ReferenceNotFound("The server has no photo of that name.", "name")

    def photo(self, name: str) -> NDArray[np.uint8]:
        """Return a photo's colours, uint8 (H, W, 3), as the file is now.

        Raises:
            ReferenceNotFound: the index knows none of that name, or the photo is gone or can't be read any more.
        """
        self.check(name)
        try:
            return files.decode_photo(files.read_bytes(self.folder, name, self.limits), self.limits)
        except files.UNREADABLE:
            raise ReferenceNotFound("The photo is gone, or can't be read any more.", "name") from None

    def _table(self) -> tuple[Table, Mapping[str, Entry]]:
        state, searched = self._state, self._searched
        if searched is None or searched[0] is not state:
            described = {e.name: e.described for e in state.entries.values() if e.described is not None}
            searched = self._searched = (state, Table.of(described))
        return searched[1], state.entries


def _described(entry: Entry) -> Description:
    if entry.described is None:
        raise ValueError(f"{entry.name} was not looked at")
    return entry.described


def _name_of(folder: Path) -> str:
    return hashlib.sha256(str(folder).encode("utf-8", "surrogateescape")).hexdigest()[:32]
