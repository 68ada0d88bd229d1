"""Drafts: small pictures from labelled boxes (Layout2Im; Zhao, Meng, Yin, Sigal, CVPR 2019)."""

from __future__ import annotations

from layoutbrush.runtime.drafts.boxes import Box, DraftRequest, label_map
from layoutbrush.runtime.drafts.drafter import Drafter, open_drafter
from layoutbrush.runtime.drafts.opening import DRAFTS, find_drafter

__all__ = ["DRAFTS", "Box", "DraftRequest", "Drafter", "find_drafter", "label_map", "open_drafter"]
