"""Draws tasks: a pure function of (seed, step, rank, position in the batch), so a run can stop and go on anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from layoutbrush.training.data import edits, labelnoise, makers, transforms
from layoutbrush.training.data.batch import collate
from layoutbrush.training.data.labels import UNKNOWN
from layoutbrush.training.data.makers import Crop
from layoutbrush.training.data.photo import Collection, DataError, Photo
from layoutbrush.training.data.similar import LayoutIndex, layout_distance, layout_feature
from layoutbrush.training.data.task import KINDS, Task

_ATTEMPTS = 12
_CROPS = 3


@dataclass(frozen=True)
class TaskConfig:
    """What tasks are like. Shares and weights are >= 0; weights need not sum to 1.

    ``size``: side of the square crops in pixels; ``foreign`` to ``unpaired``: weights of the kinds; ``zoom``: bounds of
    the enlargement of the photo (2 doubles its pixels); ``area``: share of the picture that foreign content and holes
    cover; ``color``: strength of colour jitter; ``loosen``, ``forget_all``, ``forget_some``, ``forget_hole``,
    ``widen``: shares of tasks with loose label borders, no labels at all, some labels missing, no labels under the
    mask, a generous mask; ``with_flow``: return the true correspondence where the kind has one; ``similar``: an
    unpaired task draws one of so many photos of the most similar layouts, which are at least ``apart`` (0 to 1) from
    its own.
    """

    size: int = 256
    seed: int = 0
    foreign: float = 0.45
    manipulate: float = 0.40
    fill: float = 0.15
    transform: float = 0.0
    add: float = 0.0
    relabel: float = 0.0
    unpaired: float = 0.0
    zoom: tuple[float, float] = (0.75, 1.4)
    area: tuple[float, float] = (0.08, 0.28)
    color: float = 1.0
    loosen: float = 0.3
    forget_all: float = 0.06
    forget_some: float = 0.10
    forget_hole: float = 0.04
    widen: float = 0.15
    with_flow: bool = False
    similar: int = 16
    apart: float = 0.1

    @property
    def kind_weights(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """(K,) weights in the order of KINDS, summing to 1."""
        weights = np.array([getattr(self, kind) for kind in KINDS], np.float64)
        if (weights < 0).any() or weights.sum() <= 0:
            raise ValueError("the weights of the kinds must be >= 0 and not all 0")
        return np.asarray(weights / weights.sum())


class TaskSampler:
    """Tasks from collections of photos. Thread safe: it holds no state but the photos."""

    def __init__(self, collections: Sequence[Collection], config: TaskConfig | None = None) -> None:
        self.config = config or TaskConfig()
        self._all = _Pool(collections)
        labelled = [part for part in (c.labelled() for c in collections) if part.photos]
        self._labelled = _Pool(labelled) if labelled else None
        self._layouts = LayoutIndex([c.photos for c in labelled])

    def batch(self, step: int, count: int, rank: int = 0) -> dict[str, Tensor]:
        """The `count` tasks of a step, collated (`collate` says what the tensors are)."""
        return collate([self.task(step, index, rank) for index in range(count)])

    def task(self, step: int, index: int = 0, rank: int = 0) -> Task:
        """One task of side `config.size`."""
        rng = np.random.default_rng([self.config.seed, rank, step, index])
        kind = KINDS[int(rng.choice(len(KINDS), p=self.config.kind_weights))]
        for _ in range(_ATTEMPTS):
            task = self._make(rng, kind)
            if task is not None:
                return self._spoil(rng, task)
        return self._spoil(rng, makers.transform(rng, self._crop(rng, self._all)))

    def crop(self, step: int, index: int = 0, rank: int = 0, labelled: bool = False, balanced: float = 0.0) -> Crop:
        """One jittered square crop with its labels, for networks that need no task.

        ``balanced``: share of the crops that hold a pixel of a label drawn evenly from the photo's labels.
        """
        rng = np.random.default_rng([self.config.seed, rank, step, index])
        return self._crop(rng, self._pool(labelled), balanced)

    def _make(self, rng: np.random.Generator, kind: str) -> Task | None:
        if kind == "manipulate":
            return makers.manipulate(rng, self._crop(rng, self._pool(True)), self.config.with_flow)
        if kind == "add":
            return edits.add(rng, self._crop(rng, self._pool(True)))
        if kind == "relabel":
            return edits.relabel(rng, self._crop(rng, self._pool(True)), self._crop(rng, self._pool(True)))
        if kind == "unpaired":
            return self._unpaired(rng)
        crop = self._crop(rng, self._all)
        if kind == "foreign":
            donor = self._crop(rng, self._pool(bool((crop.labels != UNKNOWN).any())))
            return makers.foreign(rng, crop, donor, self.config.area)
        if kind == "fill":
            return makers.fill(rng, crop, self.config.area)
        return makers.transform(rng, crop)

    def _unpaired(self, rng: np.random.Generator) -> Task | None:
        """A photo and another of similar layout; of a few crops of the other the one whose layout is nearest."""
        pool = self._pool(True)
        group, index = pool.place(rng)
        crop = self._cropped(rng, pool.photo(group, index))
        feature = layout_feature(crop.labels)
        near = self._layouts.nearest(feature, self.config.similar, self.config.apart, (group, index))
        if not near:
            raise DataError("tasks of kind 'unpaired' need at least two photos with label maps")
        chosen = near[int(rng.integers(len(near)))]
        photo = pool.photo(chosen.group, chosen.index)
        others = [self._cropped(rng, photo) for _ in range(_CROPS)]
        distances = layout_distance(feature, np.stack([layout_feature(other.labels) for other in others]))
        return edits.unpaired(rng, crop, others[int(distances.argmin())])

    def _pool(self, labelled: bool) -> _Pool:
        if not labelled:
            return self._all
        if self._labelled is None:
            raise DataError("tasks of kind 'manipulate', 'add', 'relabel' and 'unpaired' need photos with label maps")
        return self._labelled

    def _crop(self, rng: np.random.Generator, pool: _Pool, balanced: float = 0.0) -> Crop:
        return self._cropped(rng, pool.photo(*pool.place(rng)), balanced)

    def _cropped(self, rng: np.random.Generator, photo: Photo, balanced: float = 0.0) -> Crop:
        around = makers.pixel_of_any_label(rng, photo.labels) if rng.random() < balanced else None
        image, labels = transforms.random_crop(rng, photo, self.config.size, self.config.zoom, around)
        image = transforms.jitter_color(rng, image, self.config.color)
        if rng.random() < self.config.loosen:
            labels = labelnoise.loosen(rng, labels, float(rng.uniform(0.5, 1.8)))
        return Crop(image, labels)

    def _spoil(self, rng: np.random.Generator, task: Task) -> Task:
        """Missing labels and generous masks. Draws the same count of numbers whatever the task."""
        config = self.config
        everything, some, hole, wide = rng.random(4)
        if wide < config.widen:
            task = replace(task, mask=labelnoise.widen(rng, task.mask))
        if everything < config.forget_all and task.paired:  # nothing else says what an unpaired task asks for
            nothing = np.full_like(task.edited, UNKNOWN)
            return replace(task, layout=nothing, edited=nothing)
        if some < config.forget_some:
            layout, edited = labelnoise.forget_some(rng, task.layout, task.edited)
            task = replace(task, layout=layout, edited=edited)
        if hole < config.forget_hole and task.paired:
            task = replace(task, edited=labelnoise.forget_hole(task.edited, task.mask))
        return task


class _Pool:
    """Photos of several collections, drawn by the collections' weights."""

    def __init__(self, collections: Sequence[Collection]) -> None:
        if not collections or any(not c.photos for c in collections):
            raise DataError("a sampler needs at least one collection, and photos in each")
        self._groups = [c.photos for c in collections]
        weights = np.array([c.weight for c in collections], np.float64)
        self._edges = np.cumsum(weights / weights.sum())

    def place(self, rng: np.random.Generator) -> tuple[int, int]:
        """Number of the collection and of the photo in it."""
        group = min(int(np.searchsorted(self._edges, rng.random())), len(self._groups) - 1)
        return group, int(rng.integers(len(self._groups[group])))

    def photo(self, group: int, index: int) -> Photo:
        return self._groups[group][index]
