"""The two custom ops for torch, with gradients, and the float scores that carry them.

`key_index_sampling` finds keys, `key_scores` recomputes their scores differentiably, `sparse_attention_warp`
fetches what they point at. All computation is the native library's where it is built.
"""

from __future__ import annotations

from layoutbrush.training.ops.backend import forced_schedule
from layoutbrush.training.ops.coordinates import flat_index, pack, unpack
from layoutbrush.training.ops.sampling import key_index_sampling
from layoutbrush.training.ops.scores import FILLER_SCORE, key_scores
from layoutbrush.training.ops.twin import FILLER_BOUND, sparse_attention_warp_twin
from layoutbrush.training.ops.warp import sparse_attention_warp

__all__ = [
    "FILLER_BOUND",
    "FILLER_SCORE",
    "flat_index",
    "forced_schedule",
    "key_index_sampling",
    "key_scores",
    "pack",
    "sparse_attention_warp",
    "sparse_attention_warp_twin",
    "unpack",
]
