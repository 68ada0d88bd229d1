"""Dense attention at low resolution, in the place of CoCosNet (Zhang et al., CVPR 2020): all pairs, softmax, blurred.

Features of the layout with the visible photo look at those of the photo with its own layout, at 1/4 of the size; the
photo's colours there, averaged by the softmax, are enlarged to full size. All pairs at full size fit nowhere.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layoutbrush.training.models.labels import one_hot
from layoutbrush.training.models.pyramid import FeaturePyramid
from layoutbrush.training.models.sparse_attention import position_code

SCALE = 4
POSITION = 0.4
"""Weight of the position in a feature whose learned part has norm 1: what is near is more likely alike."""
NEVER = -50.0
"""Added to the logit of a key that may not be copied."""


class DenseAttention(nn.Module):
    """logits(p, q) = sharpness <f_p, g_q> + bonus <e_p, e_q>, with unit features and the label shares e of a place.

    forward: image (B, 3, H, W) in [0, 1], layout, edited (B, H, W) int ids, mask (B, H, W) bool (True = may change),
    source (B, H, W) bool (True = may be copied) -> warped (B, 3, H, W), confidence (B, 1, H, W): the largest share that
    one key has, from 0 to 1. H and W are multiples of 16.
    """

    def __init__(self, labels: int = 15, channels: int = 32, width: int = 24) -> None:
        super().__init__()
        self.labels = labels
        classes = labels + 1
        self.photo = FeaturePyramid(3 + classes, classes, {SCALE: channels}, width)
        self.wanted = FeaturePyramid(3 + 2 + classes, classes + 2, {SCALE: channels}, width)
        self.log_sharpness = nn.Parameter(torch.tensor(12.0).log())
        self.bonus = nn.Parameter(torch.tensor(3.0))

    def forward(
        self, image: Tensor, layout: Tensor, edited: Tensor, mask: Tensor, source: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See the class."""
        have, want = one_hot(layout, self.labels), one_hot(edited, self.labels)
        hole = mask[:, None].to(image.dtype)
        known = 1 - hole
        keys = self.photo([torch.cat([image * 2 - 1, have], 1)], have)[SCALE]
        steer = torch.cat([want, known, hole], 1)
        queries = self.wanted([torch.cat([(image * 2 - 1) * known, known, hole, want], 1)], steer)[SCALE]
        copied = source[:, None].to(image.dtype)
        share = F.avg_pool2d(copied, SCALE)
        values = F.avg_pool2d(image * copied, SCALE) / share.clamp_min(1e-3)
        with torch.autocast(image.device.type, enabled=False):
            left = self._side(queries, self.log_sharpness.exp(), F.avg_pool2d(want, SCALE), self.bonus)
            right = self._side(keys, torch.ones(()), F.avg_pool2d(have, SCALE), torch.ones(()))
            logits = left.flatten(2).transpose(1, 2) @ right.flatten(2)  # (B, P, Q)
            weights = (logits + NEVER * (share < 0.5).float().flatten(2)).softmax(2)
            low = (values.float().flatten(2) @ weights.transpose(1, 2)).reshape(values.shape)
            best = weights.amax(2).reshape(share.shape)
        warped = F.interpolate(low, scale_factor=float(SCALE), mode="bilinear", align_corners=False)
        confidence = F.interpolate(best, scale_factor=float(SCALE), mode="bilinear", align_corners=False)
        return torch.where(mask[:, None], warped, image), confidence

    @staticmethod
    def _side(features: Tensor, gain: Tensor, shares: Tensor, bonus: Tensor) -> Tensor:
        """What one side brings to the product: unit features and the place, and the labels."""
        unit = F.normalize(features.float(), dim=1)
        place = POSITION * position_code(unit.shape[2], unit.shape[3], unit).expand(unit.shape[0], -1, -1, -1)
        return torch.cat([torch.cat([unit, place], 1) * gain, shares.float() * bonus], 1)
