"""What goes through the sparse attention network: the query side, the key side, and what a scale makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from layoutbrush.training.models.sparse_plan import ScalePlan


@dataclass
class Query:
    """The query side: the picture that changes.

    `view` (B, 3, h, w) in [0, 1]; `edited` (B, h, w) int32 labels, 255 = unknown; `mask` (B, h, w) bool, True = may
    change; `known` (B, h, w) bool, True = visible pixels of the view, outside the mask or kept inside it; `place` (4,):
    top, left, bottom, right of the view in the key side's picture, as shares of its height and width. Sides are
    multiples of 16.
    """

    view: torch.Tensor
    edited: torch.Tensor
    mask: torch.Tensor
    known: torch.Tensor
    place: torch.Tensor


@dataclass
class Keys:
    """The key side: the picture that is drawn from, by default that of the view.

    `image` (B, 3, H, W) in [0, 1]; `source` (B, H, W) bool, True = may be copied; `labels` (B, H / s, W / s) int32 and
    `features` (B, H / s, W / s, C) by scale s.
    """

    image: torch.Tensor
    source: torch.Tensor
    labels: Mapping[int, torch.Tensor]
    features: Mapping[int, torch.Tensor]


@dataclass
class Layout:
    """What the coarse scales make of the edited layout and hand to the fine ones.

    `labels`: (B, h, w) int32, hidden pixels of unknown label taken from around. `steering`: (B, K + 3, h / 2, w / 2),
    shares of each label, of unknown, of visible and of masked pixels. `half`, `quarter`: inner features of the pyramid
    at 1/2 and 1/4; without learned channels empty.
    """

    labels: torch.Tensor
    steering: torch.Tensor
    half: torch.Tensor
    quarter: torch.Tensor


@dataclass
class Level:
    """All that one scale needs; masks (B, h, w) bool, labels (B, h, w) int32, planes (B, C, h, w) float32.

    `rest` are the channels of a query that no round changes, `power` (B, 1, h, w) is the sum of their squares, `trust`
    (B, 1, h, w) the share of visible pixels around where the first round starts without an estimate.
    """

    plan: ScalePlan
    values: torch.Tensor
    context: torch.Tensor
    hole: torch.Tensor
    key_mask: torch.Tensor
    layout: torch.Tensor
    edited: torch.Tensor
    rest: torch.Tensor
    power: torch.Tensor
    trust: torch.Tensor | None = None


@dataclass
class Estimate:
    """What a round leaves: the picture so far (B, 3, h, w), its keys (B, h, w, M), their scores, and the queries."""

    image: torch.Tensor
    keys: torch.Tensor
    scores: torch.Tensor
    query: torch.Tensor
