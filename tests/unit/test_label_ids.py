"""Label maps with ids that nobody knows: the first one is found, whatever the bundle's ids, wherever it lies."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from layoutbrush.runtime.label_ids import first_strange
from layoutbrush.runtime.manifest import UNKNOWN_LABEL


@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9)),
    st.sets(st.integers(0, 254), max_size=12),
)
def test_any_map_against_the_plain_definition(labels: np.ndarray, known: set[int]) -> None:
    wrong = ~np.isin(labels, [*known, UNKNOWN_LABEL])
    expected = tuple(int(i) for i in np.argwhere(wrong)[0]) if wrong.any() else None
    assert first_strange(labels, known) == expected


@given(hnp.arrays(np.uint8, (6, 7), elements=st.sampled_from([0, 1, 2, 255])), st.integers(0, 41), st.integers(3, 254))
def test_ids_without_gaps(labels: np.ndarray, place: int, strange: int) -> None:
    assert first_strange(labels, range(3)) is None
    labels.reshape(-1)[place] = strange
    assert first_strange(labels, range(3)) == divmod(place, 7)


def test_large_maps_are_read_in_blocks_of_rows() -> None:
    labels = np.zeros((3000, 1000), np.uint8)
    labels[2999, 5] = 99
    assert first_strange(labels, range(15)) == (2999, 5)
    assert first_strange(labels.T, range(15)) == (5, 2999)
    assert first_strange(labels, [0, 99]) is None
