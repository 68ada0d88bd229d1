"""The documents of a server, bounded in number and bytes; the least recently used make room."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from layoutbrush.runtime.documents.document import Document
from layoutbrush.runtime.errors import Cancelled, DocumentNotFound, ResourceExhausted
from layoutbrush.runtime.limits import Limits


class Store:
    """Documents by id. Belongs to the event loop.

    `idle_seconds`: a document that nobody used for so long is forgotten. `grace_seconds`: one used more recently than
    this is never sacrificed to make room for another. `clock`: seconds, monotonic.
    """

    def __init__(
        self,
        limits: Limits,
        idle_seconds: float = 3600.0,
        grace_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits
        self.idle_seconds = idle_seconds
        self._grace = grace_seconds
        self._clock = clock
        self._documents: dict[str, Document] = {}

    def __len__(self) -> int:
        return len(self._documents)

    @property
    def nbytes(self) -> int:
        """Memory that all documents hold, bytes."""
        return sum(document.nbytes for document in self._documents.values())

    def open(self) -> Document:
        """Start an empty document.

        Raises:
            ResourceExhausted: there are as many as there may be, and all were used just now.
        """
        self.expire()
        while len(self._documents) >= self.limits.max_documents:
            if not self._sacrifice():
                raise ResourceExhausted(
                    "This server holds as many documents as it can; try again soon.", retry_after_s=self._grace
                )
        document = Document(secrets.token_urlsafe(18), self._clock())
        self._documents[document.id] = document
        return document

    @contextmanager
    def use(self, document_id: str) -> Iterator[Document]:
        """The document of that id, kept from expiring inside the context.

        Raises:
            DocumentNotFound: there is no such document (any more).
        """
        self.expire()
        document = self._documents.get(document_id)
        if document is None:
            raise DocumentNotFound("There is no such document; it may have expired. Open it again.", "document_id")
        document.users += 1
        try:
            yield document
        finally:
            document.users -= 1
            document.used = self._clock()

    def close(self, document_id: str) -> None:
        """Forget a document and end its renders.

        Raises:
            DocumentNotFound: there is no such document (any more).
        """
        document = self._documents.pop(document_id, None)
        if document is None:
            raise DocumentNotFound("There is no such document; it may have expired.", "document_id")
        document.stop_all(lambda: Cancelled("The document was closed."))

    def discard(self, document_id: str) -> None:
        """Forget a document that may be there."""
        self._documents.pop(document_id, None)

    def clear(self) -> None:
        """Forget all documents and end their renders."""
        for document_id in tuple(self._documents):
            self.close(document_id)

    def make_room(self, size: int, keep: Document, field: str) -> None:
        """See to it that `size` further bytes fit, if need be by forgetting documents other than `keep`.

        Raises:
            ResourceExhausted: they don't fit, and all documents were used just now.
        """
        self.expire()
        while self.nbytes + size > self.limits.max_total_bytes:
            if not self._sacrifice(keep):
                raise ResourceExhausted(
                    "The documents on this server leave no memory for this layer; close some or try again soon.",
                    field,
                    retry_after_s=self._grace,
                )

    def expire(self) -> None:
        """Forget what nobody has used for `idle_seconds`."""
        limit = self._clock() - self.idle_seconds
        for document in [d for d in self._documents.values() if not d.users and d.used < limit]:
            del self._documents[document.id]

    def _sacrifice(self, keep: Document | None = None) -> bool:
        limit = self._clock() - self._grace
        idle = [d for d in self._documents.values() if d is not keep and not d.users and d.used <= limit]
        if not idle:
            return False
        del self._documents[min(idle, key=lambda document: document.used).id]
        return True
