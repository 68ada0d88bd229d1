"""Photos of a folder, found by likeness of layout and look: an index that is built once and kept up to date."""

from layoutbrush.runtime.finding.describing import Describer
from layoutbrush.runtime.finding.folder import Skipped
from layoutbrush.runtime.finding.library import Changes, Found, Library
from layoutbrush.runtime.finding.ranking import Query

__all__ = ["Changes", "Describer", "Found", "Library", "Query", "Skipped"]
