"""How far apart two ways to run a graph may be. Those of the ops are in their contracts.

Two backends sum a convolution in another order, so features differ in the last bits, a few of them are then quantised
to another integer, and a search goes another way there. So the whole graphs of the warp are compared by their pictures
and by how good the matches are, and exactness is demanded where inputs are equal: of each KeyIndexSampling node on its
own.
"""

from __future__ import annotations

from layoutbrush.export.validation.rows import Tolerance
from layoutbrush.runtime.ops.contract import SPARSE_ATTENTION_WARP

EXACT = Tolerance("entries that differ", 0)
WARPED = Tolerance("largest difference", SPARSE_ATTENTION_WARP.tolerances["warped"]["absolute"])

FEATURES = Tolerance("largest difference of a feature", 1e-3)
SEEN = Tolerance("largest difference, share of largest feature", 1e-3)  # the trunk's features have no unit
PICTURE = Tolerance("largest difference of a pixel", 1e-2)
LABELS = Tolerance("share of labels that differ", 2e-3)
CONFIDENCE = Tolerance("mean difference of confidence", 2e-3)
OUTSIDE = Tolerance("pixels changed outside the mask", 0)

WARP = {  # by schedule
    "jump_flood": (
        Tolerance("PSNR inside the mask, dB", 30.0, least=True),
        Tolerance("difference of mean score", 5e-3),
    ),
    "fast": (Tolerance("PSNR inside the mask, dB", 20.0, least=True), Tolerance("difference of mean score", 2e-2)),
}

PARSED = Tolerance("custom ops that are no plugin", 0)
BUILT = Tolerance("engines refused", 0)
