"""The bodies of the two ops in standard ONNX operators, as model-local functions of the domain `layoutbrush`.

A model whose nodes carry these functions runs in ONNX Runtime with no library at all; where the native library is
registered, its kernels are taken instead.
"""

from __future__ import annotations

from layoutbrush.export.functions.key_index_sampling import key_index_sampling_function
from layoutbrush.export.functions.sparse_attention_warp import sparse_attention_warp_function

__all__ = ["key_index_sampling_function", "sparse_attention_warp_function"]
