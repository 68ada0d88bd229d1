"""How often keys are used: synthesis that only looks at likeness repeats its calmest patches over and over.

Votes agree most where nothing varies, so a large new region settles into one flat patch. Counting how often each part
of the photo is used and making what is over-used a little less alike spreads the choice (Kaspar et al., Self Tuning
Texture Optimization, Eurographics 2015).

The count is a histogram over cells of 8 x 8 pixels of the full size, as a product of one-hot rows and columns: a
scatter that adds is what some inference engines lack.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

CELL = 8
"""Side of a cell in pixels of the full size."""
_MOST = 6.0


def key_usage(keys: torch.Tensor, used: torch.Tensor, scale: int, size: tuple[int, int] | None = None) -> torch.Tensor:
    """How many queries use a key, on average around each place of the photo.

    Args:
        keys: (B, h, w) int32, packed `y << 16 | x`, in the photo's grid at 1/scale.
        used: (B, h, w) bool, queries that count.
        scale: 8, 4, 2 or 1.
        size: height H and width W of that grid; None = h and w.

    Returns:
        (B, 1, H / f, W / f) float32 with f = 8 / scale; 1 where each key is used once. Fine scales count a sample of
        their queries.
    """
    factor, step = CELL // scale, max(1, 4 // scale)
    height, width = (side // factor for side in size or keys.shape[1:3])
    keys, weight = keys[:, ::step, ::step], used[:, ::step, ::step].float()
    y, x = unpack_keys(keys)
    rows = torch.div(y, factor, rounding_mode="trunc")[..., None] == torch.arange(
        height, device=keys.device, dtype=keys.dtype
    )
    columns = torch.div(x, factor, rounding_mode="trunc")[..., None] == torch.arange(
        width, device=keys.device, dtype=keys.dtype
    )
    counted = (rows.float() * weight[..., None]).flatten(1, 2).transpose(1, 2) @ columns.float().flatten(1, 2)
    # a region at 1/8 is a few cells wide: a window of 7; finer ones have many queries a cell
    radius = 3 if scale == CELL else 1
    share = counted[:, None] * (step * step / (factor * factor))
    return F.avg_pool2d(share, 2 * radius + 1, 1, radius)


def over_use(usage: torch.Tensor, scale: int, factor: float = 1.0) -> torch.Tensor:
    """Uses beyond one a key, bounded, times ``factor``, at the keys' own size: (B, 1, H/8, W/8) -> (B, 1, H/scale,
    W/scale).
    """
    over = (usage - 1.0).clamp(0.0, _MOST) * factor
    if scale == CELL:
        return over
    return F.interpolate(over, scale_factor=float(CELL // scale), mode="bilinear", align_corners=False)


def unpack_keys(keys: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns of packed keys, by int32 arithmetic: engines that lack unsigned integers have no shifts."""
    y = torch.div(keys, 65536, rounding_mode="trunc")
    return y, keys - y * 65536
