"""The sparse attention network (patent 402, 404; Eq. 1-5), coarse to fine and iterated.

A pass over the layout alone cannot know which texture belongs where, so the network synthesises: on each
scale, from 1/8 to full size, the queries come from the edited layout, the visible part of the photo and the
current estimate; the keys come from the photo and its own layout. KeyIndexSampling, started from the coarser
scale's keys (claim 3), finds the keys of each query, and SparseAttentionWarp lets them vote for the next
estimate. A few rounds a scale.

Both sides of a match are unit vectors that share a patch descriptor (of the photo, of the estimate), a
position code and a code of the labels around the pixel; to these each side's pyramid adds learned channels.
With the pyramids switched off (`learned=False`) it is the training-free baseline of every table.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from layoutbrush.training.models.diffusion import diffuse
from layoutbrush.training.models.key_usage import key_usage, over_use, unpack_keys
from layoutbrush.training.models.labels import UNKNOWN, one_hot
from layoutbrush.training.models.patch_descriptor import PatchDescriptor
from layoutbrush.training.models.pyramid import FeaturePyramid
from layoutbrush.training.ops import key_index_sampling, key_scores, sparse_attention_warp

SCALES = (8, 4, 2, 1)
_CONSTANTS, _CONSTANT = 4, 0.37


@dataclass(frozen=True)
class Round:
    """One match-and-vote step: iterations of KeyIndexSampling (one a window), then the votes within `reach`.

    `votes`: how many of the particles vote; the others only serve the search (averaging them blurs).
    """

    windows: tuple[int, ...]
    particles: int = 2
    samples: int = 2
    strides: tuple[int, ...] = ()
    reach: int = 1
    gamma: float = 60.0
    votes: int = 1


@dataclass(frozen=True)
class ScalePlan:
    """What happens at 1/scale: the rounds, and how many channels each part of a feature has there."""

    scale: int
    patch: int
    learned: int
    rounds: tuple[Round, ...]


def _default_plans() -> tuple[ScalePlan, ...]:
    first = Round(windows=(0, 64, 32, 16, 8, 4, 2), particles=4, samples=4, gamma=24.0)
    later = Round(windows=(0, 8, 4, 2), gamma=36.0)
    fine = Round(windows=(0, 4, 2), particles=1, gamma=48.0)
    last = Round(windows=(0, 2, 1), particles=1, gamma=900.0)
    return (
        ScalePlan(8, patch=28, learned=20, rounds=(first, later, later, later)),
        ScalePlan(4, patch=28, learned=20, rounds=(later, later, later)),
        ScalePlan(2, patch=28, learned=12, rounds=(fine, fine)),
        ScalePlan(1, patch=20, learned=0, rounds=(fine, last)),
    )


@dataclass(frozen=True)
class SparseAttentionConfig:
    """Sizes and constants of the network; stored beside its weights.

    ``usage_penalty``: what a key's score loses for each use beyond the first (see `key_usage`); 0 switches it off.
    """

    labels: int = 15
    label_code: int = 8
    label_penalty: float = 0.2
    usage_penalty: float = 0.01
    scale: float = 254.0
    learned: bool = True
    pyramid_width: int = 32
    plans: tuple[ScalePlan, ...] = field(default_factory=_default_plans)
    schedule: str = "fast"


@dataclass
class Level:
    """All that one scale needs; masks (B, h, w) bool, labels (B, h, w) int32, planes (B, C, h, w) float32."""

    plan: ScalePlan
    values: torch.Tensor
    context: torch.Tensor
    hole: torch.Tensor
    key_mask: torch.Tensor
    layout: torch.Tensor
    edited: torch.Tensor
    edited_code: torch.Tensor
    trust: torch.Tensor
    learned: torch.Tensor | None


@dataclass
class Estimate:
    """What a round leaves: the picture so far (B, 3, h, w), its keys (B, h, w, M), their scores, and the queries."""

    image: torch.Tensor
    keys: torch.Tensor
    scores: torch.Tensor
    query: torch.Tensor


def _pool(plane: torch.Tensor, scale: int) -> torch.Tensor:
    return plane if scale == 1 else F.avg_pool2d(plane, scale)


def _grow(mask: torch.Tensor, radius: int) -> torch.Tensor:
    """(B, h, w) bool dilated by a square of `radius`."""
    grown = F.max_pool2d(mask[:, None].float(), 2 * radius + 1, 1, radius)
    return grown[:, 0] > 0.5


def position_code(height: int, width: int, like: torch.Tensor) -> torch.Tensor:
    """(4, height, width): cos and sin of both axes over half a turn, of norm 1; distances grow with distance."""
    y = (torch.arange(height, device=like.device, dtype=like.dtype) + 0.5) * (math.pi / height)
    x = (torch.arange(width, device=like.device, dtype=like.dtype) + 0.5) * (math.pi / width)
    rows = torch.stack([y.cos(), y.sin()])[:, :, None].expand(2, height, width)
    cols = torch.stack([x.cos(), x.sin()])[:, None, :].expand(2, height, width)
    return torch.cat([rows, cols]) * math.sqrt(0.5)


def upsample_keys(keys: torch.Tensor) -> torch.Tensor:
    """Packed keys (B, h, w, M) of one scale -> (B, 2h, 2w, M) of the next: each child keeps its place in the cell."""
    b, h, w, m = keys.shape
    y, x = unpack_keys(keys)
    rows = torch.arange(2, device=keys.device, dtype=keys.dtype)
    y = (2 * y)[:, :, None, :, None, :] + rows.view(1, 1, 2, 1, 1, 1)
    x = (2 * x)[:, :, None, :, None, :] + rows.view(1, 1, 1, 1, 2, 1)
    packed = y * 65536 + x  # (B, h, 2, w, 2, M)
    return packed.reshape(b, 2 * h, 2 * w, m)


class SparseAttentionNetwork(nn.Module):
    """Features of the photo (Eq. 1), features of the edited layout (Eq. 2), and the iterated warp (Alg. 1, Eq. 4)."""

    def __init__(self, config: SparseAttentionConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SparseAttentionConfig()
        self.arguments = {"config": asdict(config)}
        classes = config.labels + 1
        self.patch = PatchDescriptor(max(plan.patch for plan in config.plans))
        # Logarithms, one a scale. Larger gains of the patch lock the rounds into their first, blurred estimate.
        self.patch_gain = nn.Parameter(torch.tensor([-0.5, -1.0, -0.8, -0.6]))
        self.position_gain = nn.Parameter(torch.full((len(SCALES),), -1.2))
        generator = torch.Generator().manual_seed(7)
        code = torch.linalg.qr(torch.randn(classes, classes, generator=generator))[0][:, : config.label_code]
        code[config.labels] = 0.0  # "don't know" is as far from every label
        self.label_code = nn.Parameter(0.4 * math.sqrt(classes / config.label_code) * code)
        if config.learned:
            widths = {plan.scale: plan.learned for plan in config.plans}
            self.photo_pyramid = FeaturePyramid(3 + classes, classes, widths, config.pyramid_width)
            self.layout_pyramid = FeaturePyramid(3 + 2 + classes, classes + 2, widths, config.pyramid_width)
            for head in self.layout_pyramid.emit.values():  # one side at zero: learned channels start as no noise
                nn.init.zeros_(cast(nn.Conv2d, head).weight)

    # ---- features -------------------------------------------------------------------------------------------

    def _feature(
        self,
        level: int,
        patch: torch.Tensor,
        trust: torch.Tensor | None,
        code: torch.Tensor,
        learned: torch.Tensor | None,
    ) -> torch.Tensor:
        """The parts side by side, as unit vectors, channels last: (B, h, w, C)."""
        b, _, h, w = patch.shape
        patch = patch * self.patch_gain[level].exp()
        if trust is not None:
            patch = patch * trust
        place = (position_code(h, w, patch) * self.position_gain[level].exp()).expand(b, -1, -1, -1)
        # The constant keeps brightness in the angle: without it, (b, w) and 2 (b, w) would be one direction.
        parts = [patch, place, code, torch.full_like(patch[:, :_CONSTANTS], _CONSTANT)]
        if learned is not None:
            parts.append(learned)
        feature = torch.cat(parts, 1).permute(0, 2, 3, 1)
        return F.normalize(feature, dim=-1)

    def _code(self, labels: torch.Tensor) -> torch.Tensor:
        """Labels as pooled one-hot (B, K+1, h, w) -> (B, code, h, w): the mean code of the window around."""
        window = F.avg_pool2d(labels, 7, 1, 3, count_include_pad=False)
        return torch.einsum("bkhw,kc->bchw", window, self.label_code)

    def encode_image(self, image: torch.Tensor, layout: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Eq. 1. image (B, 3, H, W) in [0, 1], layout (B, H, W) int32 -> keys at 1/8, 1/4, 1/2, 1, channels last."""
        hot = one_hot(layout, self.config.labels)
        learned = self.photo_pyramid(torch.cat([image * 2 - 1, hot], 1), hot) if self.config.learned else {}
        keys = []
        for level, plan in enumerate(self.config.plans):
            patch = self.patch(_pool(image, plan.scale), plan.patch)
            code = self._code(_pool(hot, plan.scale))
            keys.append(self._feature(level, patch, None, code, learned.get(plan.scale)))
        return tuple(keys)

    # ---- the scales -----------------------------------------------------------------------------------------

    def levels(
        self, image: torch.Tensor, layout: torch.Tensor, edited: torch.Tensor, mask: torch.Tensor, source: torch.Tensor
    ) -> list[Level]:
        """Prepares every scale.

        A pixel is visible outside the mask, and inside where it may be copied and keeps its label.
        """
        hot, target = one_hot(layout, self.config.labels), one_hot(edited, self.config.labels)
        kept = source & (layout == edited) & (edited != UNKNOWN)
        known = (~mask | kept)[:, None].float()
        target = self._guessed(target, known, hot[:, -1:] * source[:, None])
        learned: dict[int, torch.Tensor] = {}
        if self.config.learned:
            stack = torch.cat([(image * 2 - 1) * known, known, mask[:, None].float(), target], 1)
            learned = self.layout_pyramid(stack, torch.cat([target, known, mask[:, None].float()], 1))
        return [self._level(plan, image, known, mask, source, hot, target, learned) for plan in self.config.plans]

    @staticmethod
    def _guessed(target: torch.Tensor, known: torch.Tensor, unlabelled: torch.Tensor) -> torch.Tensor:
        """The one-hot layout (B, K + 1, H, W) whose hidden pixels of unknown label take the labels around them.

        By shares, mostly the nearest label's. Where no label is visible at all, unknown stays unknown; and where
        half as much `unlabelled` (B, 1, H, W) may be copied: what has no label of its own is moved with the rest.
        """
        coarse = SCALES[0]
        weight = _pool(known * (1 - target[:, -1:]), coarse)
        shares = _pool(target[:, :-1] * known, coarse) / weight.clamp_min(1e-6)
        guess = diffuse(shares, weight).clamp(0.0, 1.0) ** 2
        guess = guess / guess.sum(1, keepdim=True).clamp_min(1e-6)
        guess = F.interpolate(guess, scale_factor=float(coarse), mode="bilinear", align_corners=False)
        hidden = target[:, -1:] * (1 - known)
        lacking = unlabelled.sum((2, 3), keepdim=True) < 0.5 * hidden.sum((2, 3), keepdim=True)
        found = hidden * guess * lacking
        return torch.cat([target[:, :-1] + found, target[:, -1:] - found.sum(1, keepdim=True)], 1)

    def _level(
        self,
        plan: ScalePlan,
        image: torch.Tensor,
        known: torch.Tensor,
        mask: torch.Tensor,
        source: torch.Tensor,
        hot: torch.Tensor,
        target: torch.Tensor,
        learned: dict[int, torch.Tensor],
    ) -> Level:
        scale = plan.scale
        share = _pool(known, scale)
        context = _pool(image * known, scale) / share.clamp_min(1e-3)
        wanted = _pool(target, scale)
        seen = (share > 0.3).float()
        guess = self._label_means(context, share, wanted)
        if scale == SCALES[0]:  # finer scales start from the estimate before
            guess = torch.lerp(guess, diffuse(context, share * seen), wanted[:, -1:])
        context = torch.where(share > 0.3, context, guess)
        reach = max(r.reach for r in plan.rounds)
        invalid = _pool((~source)[:, None].float(), scale)[:, 0] > 0.01
        return Level(
            plan=plan,
            values=_pool(image, scale),
            context=context,
            hole=_pool(mask[:, None].float(), scale)[:, 0] > 0.02,
            key_mask=~_grow(invalid, reach),
            layout=self._argmax(_pool(hot, scale)),
            edited=self._argmax(wanted),
            edited_code=self._code(wanted),
            trust=F.avg_pool2d((share > 0.3).float(), 7, 1, 3, count_include_pad=False),
            learned=learned.get(scale),
        )

    def _argmax(self, hot: torch.Tensor) -> torch.Tensor:
        ids = hot.argmax(1).to(torch.int32)
        return torch.where(ids == self.config.labels, torch.full_like(ids, UNKNOWN), ids)

    @staticmethod
    def _label_means(context: torch.Tensor, share: torch.Tensor, hot: torch.Tensor) -> torch.Tensor:
        """Each pixel's mean colour over the visible pixels of its labels; of all visible ones where there are none."""
        weight = hot * share  # (B, K, h, w)
        total = weight.sum((2, 3))  # (B, K)
        whole = share.sum((2, 3)).clamp_min(1e-3)
        mean = (context * share).sum((2, 3)) / whole  # (B, 3)
        sums = torch.einsum("bkhw,bchw->bkc", weight, context)
        colours = (sums + 0.5 * mean[:, None]) / (total[:, :, None] + 0.5)
        return torch.einsum("bkhw,bkc->bchw", hot, colours)

    # ---- the warp -------------------------------------------------------------------------------------------

    def _less_used(self, key: torch.Tensor, level: Level, init: torch.Tensor, need: torch.Tensor) -> torch.Tensor:
        """The keys (B, h, w, C) with what `init` (B, h, w, M) over-uses made less like everything.

        Every feature holds the same constants; what is taken from a key's is taken from its score with any query.
        """
        scale = level.plan.scale
        over = over_use(key_usage(init[..., 0], need, scale), scale).permute(0, 2, 3, 1)  # (B, h, w, 1)
        first = level.plan.patch + 4 + self.config.label_code
        last = first + _CONSTANTS
        less = key[..., first:last] - over * (self.config.usage_penalty / (_CONSTANTS * _CONSTANT))
        return torch.cat([key[..., :first], less, key[..., last:]], -1)

    def _match(
        self,
        index: int,
        level: Level,
        settings: Round,
        estimate: torch.Tensor,
        trust: torch.Tensor | None,
        key: torch.Tensor,
        init: torch.Tensor | None,
        seed: torch.Tensor,
    ) -> Estimate:
        """One round: features of the estimate, keys, votes."""
        plan = level.plan
        query = self._feature(index, self.patch(estimate, plan.patch), trust, level.edited_code, level.learned)
        need = _grow(level.hole, settings.reach)
        if init is not None and self.config.usage_penalty > 0:
            key = self._less_used(key, level, init, need)
        keys, scores = key_index_sampling(
            query.detach(),
            key.detach(),
            level.edited,
            level.layout,
            query_mask=need,
            key_mask=level.key_mask,
            init=init,
            seed=seed,
            particles=settings.particles,
            windows=settings.windows,
            samples=settings.samples,
            strides=settings.strides or self._strides(settings),
            label_penalty=self.config.label_penalty,
            scale=self.config.scale,
            schedule=self.config.schedule,
        )  # (B, 1, h, w, M) each
        if torch.is_grad_enabled():
            scores = key_scores(
                query,
                key,
                level.edited,
                level.layout,
                keys,
                label_penalty=self.config.label_penalty,
                scores=scores,
            )
        values = level.values.permute(0, 2, 3, 1).contiguous()
        best = slice(0, settings.votes)
        voted = sparse_attention_warp(
            values, keys[..., best], scores[..., best], query_mask=need, gamma=settings.gamma, reach=settings.reach
        ).permute(0, 3, 1, 2)
        image = torch.where(level.hole[:, None], voted, level.context)
        return Estimate(image, keys[:, 0], scores[:, 0], query)

    @staticmethod
    def _strides(settings: Round) -> tuple[int, ...]:
        """Jump-flood strides: halved each iteration from the first sampling window's scale down to 1."""
        count = len(settings.windows)
        return tuple(max(1, 2 ** (count - 1 - i)) for i in range(count))

    def rounds(
        self,
        image: torch.Tensor,
        layout: torch.Tensor,
        edited: torch.Tensor,
        mask: torch.Tensor,
        source: torch.Tensor,
        keys: tuple[torch.Tensor, ...],
        seed: torch.Tensor,
        graded: frozenset[tuple[int, int]] = frozenset(),
    ) -> Iterator[tuple[Level, Estimate, bool]]:
        """Every round's level and estimate, coarse to fine, and whether it is (scale, number) in `graded`.

        Only those have gradients, and gradients stay within a round.
        """
        previous: Estimate | None = None
        init: torch.Tensor | None
        trust: torch.Tensor | None
        for index, level in enumerate(self.levels(image, layout, edited, mask, source)):
            picture, init, trust = level.context, None, level.trust.clamp_min(0.3)
            if previous is not None:
                up = F.interpolate(previous.image, scale_factor=2.0, mode="bilinear", align_corners=False)
                picture = torch.where(level.hole[:, None], up, level.context)
                init, trust = upsample_keys(previous.keys), None
            for number, settings in enumerate(level.plan.rounds):
                is_graded = (level.plan.scale, number) in graded
                with torch.set_grad_enabled(is_graded):
                    previous = self._match(index, level, settings, picture.detach(), trust, keys[index], init, seed)
                yield level, previous, is_graded
                picture, init, trust = previous.image, previous.keys, None

    def trace(
        self,
        image: torch.Tensor,
        layout: torch.Tensor,
        edited: torch.Tensor,
        mask: torch.Tensor,
        source: torch.Tensor,
        seed: torch.Tensor,
        graded: frozenset[tuple[int, int]],
    ) -> list[dict[str, torch.Tensor]]:
        """For training: the warp with gradients through the rounds (scale, number) in `graded` alone.

        Returns, of each graded round, `scale` (a 0-d tensor), `image` (B, 3, h, w), `hole` and `key_mask` (B, h, w)
        bool, the unit `query` (B, h, w, C) and the unit `key` (B, h, w, C).
        """
        keys = self.encode_image(image, layout)
        steps = self.rounds(image, layout, edited, mask, source, keys, seed, graded)
        at = {plan.scale: key for plan, key in zip(self.config.plans, keys, strict=True)}
        return [
            {
                "scale": torch.tensor(level.plan.scale),
                "image": e.image,
                "hole": level.hole,
                "key_mask": level.key_mask,
                "query": e.query,
                "key": at[level.plan.scale],
            }
            for level, e, is_graded in steps
            if is_graded
        ]

    def forward(
        self,
        image: torch.Tensor,
        layout: torch.Tensor,
        edited: torch.Tensor,
        mask: torch.Tensor,
        source: torch.Tensor,
        keys_8: torch.Tensor,
        keys_4: torch.Tensor,
        keys_2: torch.Tensor,
        keys_1: torch.Tensor,
        seed: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The `warp` graph.

        Args:
            image: (B, 3, H, W) float32 in [0, 1]; H and W multiples of 16.
            layout, edited: (B, H, W) int32 label ids, 255 = unknown.
            mask: (B, H, W) bool, True = may change.
            source: (B, H, W) bool, True = may be copied.
            keys_8 ... keys_1: what `encode_image` gave.
            seed: (1,) int32.

        Returns:
            warped (B, 3, H, W), the image itself outside the mask; correspondence (B, H, W) int32, packed y << 16 | x
            of the best key; confidence (B, 1, H, W), its score.
        """
        keys = (keys_8, keys_4, keys_2, keys_1)
        *_, (_, final, _) = self.rounds(image, layout, edited, mask, source, keys, seed)
        warped = torch.where(mask[:, None], final.image, image)
        return warped, final.keys[..., 0], final.scores[..., 0][:, None]
