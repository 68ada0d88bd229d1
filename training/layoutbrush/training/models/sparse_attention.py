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
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from layoutbrush.training.models.diffusion import diffuse
from layoutbrush.training.models.key_usage import key_usage, over_use, unpack_keys
from layoutbrush.training.models.labels import UNKNOWN, one_hot
from layoutbrush.training.models.patch_descriptor import PatchDescriptor
from layoutbrush.training.models.pyramid import FeaturePyramid
from layoutbrush.training.models.sparse_plan import COARSE, SCALES, Round, ScalePlan, SparseAttentionConfig
from layoutbrush.training.models.sparse_sides import Estimate, Keys, Layout, Level, Query
from layoutbrush.training.ops import key_index_sampling, key_scores, sparse_attention_warp

_CONSTANTS, _CONSTANT = 4, 0.37

__all__ = [
    "Keys", "Layout", "Query", "Round", "ScalePlan", "SparseAttentionConfig", "SparseAttentionNetwork", "finished",
    "position_code", "upsample_keys",
]  # fmt: skip


def _pool(plane: torch.Tensor, scale: int) -> torch.Tensor:
    return plane if scale == 1 else F.avg_pool2d(plane, scale)


def _grow(mask: torch.Tensor, radius: int) -> torch.Tensor:
    """(B, h, w) bool dilated by a square of `radius`."""
    grown = F.max_pool2d(mask[:, None].float(), 2 * radius + 1, 1, radius)
    return grown[:, 0] > 0.5


def position_code(height: int, width: int, like: torch.Tensor, place: torch.Tensor | None = None) -> torch.Tensor:
    """(4, height, width): cos and sin of both axes over half a turn, of norm 1; distances grow with distance.

    `place` (4,): top, left, bottom, right of the grid in the frame that half a turn spans; None = all of it.
    """
    y = (torch.arange(height, device=like.device, dtype=like.dtype) + 0.5) * (math.pi / height)
    x = (torch.arange(width, device=like.device, dtype=like.dtype) + 0.5) * (math.pi / width)
    if place is not None:
        y = y * (place[2] - place[0]) + place[0] * math.pi
        x = x * (place[3] - place[1]) + place[1] * math.pi
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

    def _rest(
        self, level: int, code: torch.Tensor, learned: torch.Tensor | None, place: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The parts of a feature that do not hold the picture's patch: (B, C, h, w)."""
        b, _, h, w = code.shape
        position = (position_code(h, w, code, place) * self.position_gain[level].exp()).expand(b, -1, -1, -1)
        # The constant keeps brightness in the angle: without it, (b, w) and 2 (b, w) would be one direction.
        parts = [position, code, torch.full_like(code[:, :1], _CONSTANT).expand(-1, _CONSTANTS, -1, -1)]
        return torch.cat(parts if learned is None else [*parts, learned], 1)

    def _feature(
        self, level: int, picture: torch.Tensor, trust: torch.Tensor | None, rest: torch.Tensor, power: torch.Tensor
    ) -> torch.Tensor:
        """The patch descriptors of `picture` and `rest` side by side, as unit vectors, channels last: (B, h, w, C)."""
        patch = self.patch(picture, self.config.plans[level].patch, self.patch_gain[level].exp())
        if trust is not None:
            patch = patch * trust
        norm = (_power(patch) + power).rsqrt()
        return (torch.cat([patch, rest], 1) * norm).permute(0, 2, 3, 1)

    def _code(self, labels: torch.Tensor) -> torch.Tensor:
        """Labels as pooled one-hot (B, K+1, h, w) -> (B, code, h, w): the mean code of the window around."""
        return _window_mean(F.conv2d(labels, self.label_code.t()[:, :, None, None]))

    def _code_of(self, labels: torch.Tensor) -> torch.Tensor:
        """The same of label ids (B, h, w)."""
        ids = torch.where(labels == UNKNOWN, self.config.labels, labels)
        planes = self.label_code.t()[:, ids.long()].transpose(0, 1)  # (B, code, h, w)
        return _window_mean(planes)

    def encode_image(self, image: torch.Tensor, layout: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Eq. 1. image (B, 3, H, W) in [0, 1], layout (B, H, W) int32 -> keys at 1/8, 1/4, 1/2, 1, channels last."""
        hot = one_hot(layout, self.config.labels)
        learned: Mapping[int, torch.Tensor] = {}
        if self.config.learned:
            learned = self.photo_pyramid((image * 2 - 1, hot), hot)
        keys = []
        for level, plan in enumerate(self.config.plans):
            rest = self._rest(level, self._code(_pool(hot, plan.scale)), learned.get(plan.scale))
            keys.append(self._feature(level, _pool(image, plan.scale), None, rest, _power(rest)))
        return tuple(keys)

    def key_labels(self, layout: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """layout (B, H, W) int32 -> the most frequent label of each cell at 1/8, 1/4, 1/2, (B, H / s, W / s) int32."""
        half = _pool(one_hot(layout, self.config.labels), 2)
        quarter = _pool(half, 2)
        return tuple(self._argmax(shares) for shares in (_pool(quarter, 2), quarter, half))

    # ---- the scales -----------------------------------------------------------------------------------------

    def _coarse_levels(self, query: Query, keys: Keys) -> tuple[list[Level], Layout]:
        """Prepares the coarse scales, and what the fine ones need of the layout."""
        known, mask = query.known[:, None].float(), query.mask[:, None].float()
        labels = self._guessed(query, keys)
        stack = torch.cat([(query.view * 2 - 1) * known, known, mask], 1), one_hot(labels, self.config.labels)
        half = torch.cat([_pool(part, 2) for part in stack], 1)
        quarter = _pool(half, 2)
        eighth = _pool(quarter, 2)
        steering = torch.cat([half[:, 5:], half[:, 3:5]], 1)
        layout = Layout(labels, steering, steering[:, :0], steering[:, :0])
        learned: Mapping[int, torch.Tensor] = {}
        if self.config.learned:
            inner, found = self.layout_pyramid.to_quarter(stack, torch.cat([quarter[:, 5:], quarter[:, 3:5]], 1))
            layout = Layout(labels, steering, inner, found[4])
            learned = self.layout_pyramid.emitted(found)
        share, wanted = eighth[:, 3:4], eighth[:, 5:]
        # (2 v - 1) k, averaged, and k, averaged: back to the mean of v over the visible pixels
        seen = (eighth[:, :3] + share) / (2 * share.clamp_min(1e-3))
        guess = self._label_means(seen, share, wanted, keys)
        visible = (share > 0.3).float()
        guess = torch.lerp(guess, diffuse(seen, share * visible), wanted[:, -1:])
        contexts = torch.where(share > 0.3, seen, guess), _pool(query.view, 4)
        levels = [
            self._level(index, query, keys, context, stack[:, 4:5], stack[:, 5:], learned)
            for index, (context, stack) in enumerate(zip(contexts, (eighth, quarter), strict=True))
        ]
        levels[0].trust = _window_mean(visible).clamp_min(0.3)
        return levels, layout

    def _fine_levels(self, query: Query, keys: Keys, layout: Layout) -> list[Level]:
        """Prepares the fine scales."""
        hidden, wanted = layout.steering[:, -1:], layout.steering[:, : self.config.labels + 1]
        learned: Mapping[int, torch.Tensor] = {}
        if self.config.learned:
            learned = self.layout_pyramid.emitted(
                {2: self.layout_pyramid.to_half(layout.half, layout.quarter, layout.steering)}
            )
        return [
            self._level(2, query, keys, _pool(query.view, 2), hidden, wanted, learned),
            self._level(3, query, keys, query.view, query.mask[:, None].float(), layout.labels, {}),
        ]

    def _guessed(self, query: Query, keys: Keys) -> torch.Tensor:
        """The edited layout (B, h, w) int32, whose hidden pixels of unknown label take the labels around them.

        Mostly the nearest label. Where no label is visible at all, unknown stays unknown; and where half as much of
        the key side without a label may be copied: what has no label of its own is moved with the rest.
        """
        coarse = SCALES[0]
        hidden = (query.edited == UNKNOWN) & ~query.known
        quarter = one_hot(query.edited[:, ::4, ::4], self.config.labels) * query.known[:, None, ::4, ::4].float()
        shares = _pool(quarter[:, :-1], coarse // 4)
        weight = shares.sum(1, keepdim=True)
        guess = diffuse(shares / weight.clamp_min(1e-6), weight).clamp(0.0, 1.0) ** 2
        guess = guess / guess.sum(1, keepdim=True).clamp_min(1e-6)
        nearest = F.interpolate(guess, scale_factor=4.0, mode="bilinear", align_corners=False).argmax(1, keepdim=True)
        found = F.interpolate(nearest.float(), scale_factor=2.0, mode="nearest")[:, 0].to(torch.int32)
        unlabelled = ((keys.labels[1] == UNKNOWN) & keys.source).float().sum((1, 2), keepdim=True)
        lacking = unlabelled < 0.5 * hidden.float().sum((1, 2), keepdim=True)
        some = weight.sum((2, 3)) > 0
        return torch.where(hidden & lacking & some[:, :, None], found, query.edited)

    def _level(
        self,
        index: int,
        query: Query,
        keys: Keys,
        context: torch.Tensor,
        hidden: torch.Tensor,
        wanted: torch.Tensor,
        learned: Mapping[int, torch.Tensor],
    ) -> Level:
        """`hidden` (B, 1, h, w): share of masked pixels; `wanted`: of labels (B, K + 1, h, w), or ids (B, h, w)."""
        plan = self.config.plans[index]
        ids = wanted.dim() == 3
        rest = self._rest(
            index, self._code_of(wanted) if ids else self._code(wanted), learned.get(plan.scale), query.place
        )
        return Level(
            plan=plan,
            values=_pool(keys.image, plan.scale).permute(0, 2, 3, 1).contiguous(),
            context=context,
            hole=hidden[:, 0] > 0.02,
            key_mask=self._usable(keys.source, plan),
            layout=keys.labels[plan.scale],
            edited=wanted if ids else self._argmax(wanted),
            rest=rest,
            power=_power(rest),
        )

    @staticmethod
    def _usable(source: torch.Tensor, plan: ScalePlan) -> torch.Tensor:
        """Keys whose whole reach may be copied; where there is none, those of which any part may: (B, h, w) bool."""
        share = _pool(source[:, None].float(), plan.scale)[:, 0]
        whole = ~_grow(share < 0.99, max(r.reach for r in plan.rounds))
        none = whole.float().amax((1, 2), keepdim=True) < 0.5
        return whole | (none & (share > 0.0))

    def _argmax(self, shares: torch.Tensor) -> torch.Tensor:
        ids = shares.argmax(1).to(torch.int32)
        return torch.where(ids == self.config.labels, torch.full_like(ids, UNKNOWN), ids)

    def _label_means(
        self, context: torch.Tensor, share: torch.Tensor, wanted: torch.Tensor, keys: Keys
    ) -> torch.Tensor:
        """Each pixel's mean colour over the visible pixels of its labels, at 1/8.

        Where there are none, the mean of what may be copied of that label; of all visible ones where there is none.
        """
        whole = share.sum((2, 3)).clamp_min(1e-3)
        mean = (context * share).sum((2, 3)) / whole  # (B, 3)
        usable = _pool(keys.source[:, None].float(), 8)
        there = one_hot(keys.labels[8], self.config.labels) * usable  # (B, K + 1, H / 8, W / 8)
        totals = there.sum((2, 3))[:, :, None]
        theirs = torch.einsum("bkhw,bchw->bkc", there, _pool(keys.image, 8)) / totals.clamp_min(1e-3)
        prior = torch.where(totals > 0.5, theirs, mean[:, None])  # (B, K + 1, 3)
        weight = wanted * share
        sums = torch.einsum("bkhw,bchw->bkc", weight, context)
        colours = (sums + 0.5 * prior) / (weight.sum((2, 3))[:, :, None] + 0.5)
        return torch.einsum("bkhw,bkc->bchw", wanted, colours)

    # ---- the warp -------------------------------------------------------------------------------------------

    def _less_used(self, key: torch.Tensor, level: Level, init: torch.Tensor, need: torch.Tensor) -> torch.Tensor:
        """The keys (B, H, W, C) with what `init` (B, h, w, M) over-uses made less like everything.

        Every feature holds the same constants; what is taken from a key's is taken from its score with any query.
        """
        scale = level.plan.scale
        usage = key_usage(init[..., 0], need, scale, (key.shape[1], key.shape[2]))
        share = self.config.usage_penalty / (_CONSTANTS * _CONSTANT)
        over = over_use(usage, scale, share).permute(0, 2, 3, 1)  # (B, H, W, 1)
        first = level.plan.patch + 4 + self.config.label_code
        last = first + _CONSTANTS
        less = key[..., first:last] - over
        return torch.cat([key[..., :first], less, key[..., last:]], -1)

    def _match(
        self,
        index: int,
        level: Level,
        settings: Round,
        estimate: torch.Tensor,
        trust: torch.Tensor | None,
        key: torch.Tensor,
        init: tuple[torch.Tensor, torch.Tensor] | None,
        seed: torch.Tensor,
    ) -> Estimate:
        """One round: features of the estimate, keys, votes. `init`: keys (B, h, w, M) to start from, their scores."""
        query = self._feature(index, estimate, trust, level.rest, level.power)
        need = _grow(level.hole, settings.reach)
        if settings.windows or init is None:
            keys, scores = self._search(level, settings, query, key, None if init is None else init[0], need, seed)
        else:
            keys, scores = (part[:, None] for part in init)
        best = slice(0, settings.votes)
        voted = sparse_attention_warp(
            level.values, keys[..., best], scores[..., best], query_mask=need, gamma=settings.gamma,
            reach=settings.reach,
        ).permute(0, 3, 1, 2)  # fmt: skip
        image = torch.where(level.hole[:, None], voted, level.context)
        return Estimate(image, keys[:, 0], scores[:, 0], query)

    def _search(
        self,
        level: Level,
        settings: Round,
        query: torch.Tensor,
        key: torch.Tensor,
        init: torch.Tensor | None,
        need: torch.Tensor,
        seed: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """KeyIndexSampling: keys and scores (B, 1, h, w, M), the scores with gradients where those are wanted."""
        if init is not None and self.config.usage_penalty > 0 and level.plan.scale >= self.config.usage_finest:
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
        return keys, scores

    @staticmethod
    def _strides(settings: Round) -> tuple[int, ...]:
        """Jump-flood strides: halved each iteration from the first sampling window's scale down to 1."""
        count = len(settings.windows)
        return tuple(max(1, 2 ** (count - 1 - i)) for i in range(count))

    def _rounds(
        self,
        first: int,
        levels: list[Level],
        keys: Keys,
        seed: torch.Tensor,
        start: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None,
        graded: frozenset[tuple[int, int]] = frozenset(),
    ) -> Iterator[tuple[Level, Estimate, bool]]:
        """Every round's level and estimate from scale number `first` on, and whether it is (scale, number) in `graded`.

        `start`: picture, keys and scores of the scale before. Only graded rounds have gradients, and gradients stay
        within a round.
        """
        for index, level in enumerate(levels, first):
            picture, init, trust = level.context, None, level.trust
            if start is not None:
                up = F.interpolate(start[0], scale_factor=2.0, mode="bilinear", align_corners=False)
                picture = torch.where(level.hole[:, None], up, level.context)
                init = upsample_keys(start[1]), _repeated(start[2])
            for number, settings in enumerate(level.plan.rounds):
                is_graded = (level.plan.scale, number) in graded
                key = keys.features[level.plan.scale]
                with torch.set_grad_enabled(is_graded):
                    found = self._match(index, level, settings, picture.detach(), trust, key, init, seed)
                yield level, found, is_graded
                picture, init, trust = found.image, (found.keys, found.scores), None
                start = found.image, found.keys, found.scores

    def coarse(self, query: Query, keys: Keys, seed: torch.Tensor) -> tuple[Estimate, Layout]:
        """The warp at 1/8 and 1/4, and what `fine` needs of the layout; `keys` of those scales and 1."""
        levels, layout = self._coarse_levels(query, keys)
        *_, (_, estimate, _) = self._rounds(0, levels, keys, seed)
        return estimate, layout

    def fine(
        self,
        query: Query,
        keys: Keys,
        layout: Layout,
        start: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
        seed: torch.Tensor,
    ) -> Estimate:
        """The warp at 1/2 and 1, from picture, keys and scores (B, h / 4, w / 4, M each) that `coarse` ended with.

        Of `query` it takes `view`, `mask` and `place`.
        """
        levels = self._fine_levels(query, keys, layout)
        *_, (_, estimate, _) = self._rounds(COARSE, levels, keys, seed, start)
        return estimate

    def sides(
        self,
        image: torch.Tensor,
        layout: torch.Tensor,
        edited: torch.Tensor,
        mask: torch.Tensor,
        source: torch.Tensor,
        features: tuple[torch.Tensor, ...],
    ) -> tuple[Query, Keys]:
        """Query and key side of a photo that is drawn from itself; arguments as of `forward`.

        A pixel is visible outside the mask, and inside where it may be copied and keeps its label.
        """
        known = ~mask | (source & (layout == edited) & (edited != UNKNOWN))
        query = Query(image, edited, mask, known, image.new_tensor([0.0, 0.0, 1.0, 1.0]))
        labels = dict(zip(SCALES, (*self.key_labels(layout), layout), strict=True))
        return query, Keys(image, source, labels, dict(zip(SCALES, features, strict=True)))

    def rounds(
        self, query: Query, keys: Keys, seed: torch.Tensor, graded: frozenset[tuple[int, int]] = frozenset()
    ) -> Iterator[tuple[Level, Estimate, bool]]:
        """Every round's level and estimate, coarse to fine, and whether it is (scale, number) in `graded`."""
        levels, layout = self._coarse_levels(query, keys)
        levels += self._fine_levels(query, keys, layout)
        yield from self._rounds(0, levels, keys, seed, graded=graded)

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
        features = self.encode_image(image, layout)
        query, keys = self.sides(image, layout, edited, mask, source, features)
        return [
            {
                "scale": torch.tensor(level.plan.scale),
                "image": e.image,
                "hole": level.hole,
                "key_mask": level.key_mask,
                "query": e.query,
                "key": keys.features[level.plan.scale],
            }
            for level, e, is_graded in self.rounds(query, keys, seed, graded)
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
        """The whole warp of a photo that is drawn from itself.

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
        query, keys = self.sides(image, layout, edited, mask, source, (keys_8, keys_4, keys_2, keys_1))
        *_, (_, final, _) = self.rounds(query, keys, seed)
        return finished(query, final)


def finished(query: Query, last: Estimate) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What the last round of the finest scale says: warped, correspondence and confidence, see `forward`."""
    warped = torch.where(query.mask[:, None], last.image, query.view)
    return warped, last.keys[..., 0], last.scores[..., 0][:, None]


def _repeated(scores: torch.Tensor) -> torch.Tensor:
    """(B, h, w, M) -> (B, 2h, 2w, M), each pixel four times."""
    b, h, w, m = scores.shape
    return scores[:, :, None, :, None].expand(b, h, 2, w, 2, m).reshape(b, 2 * h, 2 * w, m)


def _power(rest: torch.Tensor) -> torch.Tensor:
    """Sum of squares of the channels: (B, C, h, w) -> (B, 1, h, w).

    As a convolution: engines have a fast one where their sum over channels, or their power, is slow.
    """
    return F.conv2d(rest * rest, rest.new_ones(1, rest.shape[1], 1, 1))


def _window_mean(planes: torch.Tensor) -> torch.Tensor:
    """Mean over the window of 7 x 7 around each pixel of (B, C, h, w)."""
    return F.avg_pool2d(planes, 7, 1, 3, count_include_pad=False)
