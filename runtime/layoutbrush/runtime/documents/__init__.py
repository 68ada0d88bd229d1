"""Documents: a photo and its layers, uploaded once, edited many times; a store that forgets the least used."""

from layoutbrush.runtime.documents.document import Document
from layoutbrush.runtime.documents.store import Store
from layoutbrush.runtime.documents.upload import Upload

__all__ = ["Document", "Store", "Upload"]
