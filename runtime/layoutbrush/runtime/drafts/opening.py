"""Which bundle makes drafts beside the one that edits photos, and what is said where there is none."""

from __future__ import annotations

import logging

from layoutbrush.runtime.drafts.drafter import Drafter, open_drafter
from layoutbrush.runtime.engines.stand_in import STAND_IN
from layoutbrush.runtime.errors import DamagedBundle, NotFound

DRAFTS, NONE = "drafts", "none"
"""Names: the bundle that is looked for unless another is named, and no bundle at all."""


def find_drafter(name: str, bundle: str, threads: int = 0) -> tuple[Drafter | None, str]:
    """Return what makes drafts, or None and why not: a sentence for clients, empty where nobody wants any.

    `name`: a bundle, or `none`. `bundle`: the one that edits; beside `stand-in`, drafts are made without networks too.
    Where the default bundle isn't there or is damaged, photos can be edited all the same; one that was named must be
    there.

    Raises:
        NotFound, DamagedBundle: of a bundle that was named.
    """
    if name == NONE:
        return None, ""
    if name == DRAFTS and bundle == STAND_IN:
        name = STAND_IN
    try:
        return open_drafter(name, threads), ""
    except (NotFound, DamagedBundle) as error:
        if name != DRAFTS:
            error.field = "--drafts"
            raise
        logging.getLogger(__name__).warning("no drafts: %s", error)
        return None, f"This server can't use the bundle {DRAFTS!r}, which makes drafts: {error.message}"
