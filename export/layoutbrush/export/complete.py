"""What stands for an absent optional input, since a function body needs all of them.

Masks of True, a seed of 0, and an `init` with no keys (its last axis is 0) mean the same as their absence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layoutbrush.runtime.ops.contract import KEY_INDEX_SAMPLING, Contract

Array = NDArray[Any]


def complete_inputs(contract: Contract, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The inputs with stand-ins for the absent ones, in the contract's order."""
    if contract is KEY_INDEX_SAMPLING:
        query, key = inputs["query"].shape[:3], inputs["key"].shape[:3]
        absent = {
            "query_mask": np.ones(query, bool),
            "key_mask": np.ones(key, bool),
            "init": np.zeros((*query, 0), np.int32),
            "seed": np.zeros(1, np.int32),
        }
    else:
        batch, _, height, width, _ = inputs["keys"].shape
        absent = {"query_mask": np.ones((batch, height, width), bool)}
    return {port.name: inputs[port.name] if port.name in inputs else absent[port.name] for port in contract.inputs}
