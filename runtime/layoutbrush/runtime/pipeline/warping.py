"""The two sides of a warp, and the graphs that run on them.

The view is the part of a picture that an edit changes, with some context; the keys are the photo that it draws from. In
a plain edit the view is a window of the keys' own scene. `warp_coarse` gives a first picture of the view at a quarter
of its size, `warp_fine` goes on from there; `refine` sees the view alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.engines import Array, Arrays, Runner
from layoutbrush.runtime.manifest import UNKNOWN_LABEL
from layoutbrush.runtime.pipeline.events import BoolMap
from layoutbrush.runtime.pipeline.scene import Scene

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class View:
    """What changes, in network pixels; sides are multiples of the bundle's alignment.

    `image`: float32 (1, 3, h, w) in [0, 1]. `edited`: int32 (1, h, w). `inside` (True = may change) and `known` (True =
    is seen: outside what may change, and inside what may be copied and keeps its label): bool (1, h, w). `place`:
    float32 (4,), top, left, bottom, right of the view in the picture of the keys, as shares of its height and width; it
    may leave 0 to 1.
    """

    image: Floats
    edited: Ints
    inside: BoolMap
    known: BoolMap
    place: Floats


@dataclass(frozen=True, eq=False)
class KeySide:
    """What is drawn from: a scene, and where it may be copied from, bool (1, H, W) in its padded pixels.

    `table`: int32 (256,), the label as which each of the scene's labels counts; None = itself.
    """

    scene: Scene
    source: BoolMap
    table: Ints | None = None

    def labels(self, scale: int) -> Ints:
        """Return the most frequent label of each cell of `scale` pixels, int32 (1, H / scale, W / scale)."""
        own = self.scene.layout if scale == 1 else self.scene.features[f"labels_{scale}"]
        return own if self.table is None else self.table[own]

    def counting_as(self, table: Ints) -> KeySide:
        """Return the same with other labels."""
        return replace(self, table=table)


def known_pixels(inside: BoolMap, source: BoolMap, layout: Ints, edited: Ints) -> BoolMap:
    """Return which pixels of a view the networks may look at; all maps (1, h, w)."""
    seen: BoolMap = ~inside | (source & (layout == edited) & (edited != UNKNOWN_LABEL))
    return seen


def warp_coarse(engine: Runner, view: View, keys: KeySide, seed: int) -> Arrays:
    """Return `estimate`, float32 (1, 3, h / 4, w / 4), the first picture, and what else `warp_fine` takes."""
    inputs: dict[str, Array] = {
        **_common(view, keys, seed),
        "edited": view.edited,
        "known": view.known,
        "labels_8": keys.labels(8),
        "labels_4": keys.labels(4),
        "keys_8": keys.scene.features["keys_8"],
        "keys_4": keys.scene.features["keys_4"],
    }
    return engine.run("warp_coarse", inputs)


def warp_fine(engine: Runner, view: View, keys: KeySide, handed: Arrays, seed: int) -> Arrays:
    """Return `warped`, float32 (1, 3, h, w), the view itself outside `inside`; `correspondence`, int32 (1, h, w), the
    best keys as packed y << 16 | x; `confidence`, float32 (1, 1, h, w), their scores.
    """
    inputs: dict[str, Array] = {
        **_common(view, keys, seed),
        **handed,
        "labels_2": keys.labels(2),
        "keys_2": keys.scene.features["keys_2"],
        "keys_1": keys.scene.features["keys_1"],
    }
    return engine.run("warp_fine", inputs, ("warped", "correspondence", "confidence"))


def refine(engine: Runner, view: View, warped: Array, confidence: Array, coarse: bool) -> Arrays:
    """Return `refined` and, if wanted, `coarse`: float32 (1, 3, h, w), the view itself outside `inside`."""
    inputs: dict[str, Array] = {
        "warped": warped,
        "picture": view.image,
        "edited": view.edited,
        "mask": view.inside,
        "confidence": confidence,
    }
    return engine.run("refine", inputs, ("coarse", "refined") if coarse else ("refined",))


def _common(view: View, keys: KeySide, seed: int) -> dict[str, Array]:
    return {
        "picture": view.image,
        "mask": view.inside,
        "place": view.place,
        "image": keys.scene.image,
        "layout": keys.labels(1),
        "source": keys.source,
        "seed": np.array([seed], np.int32),
    }
