"""A stand-in for the networks: right shapes, valid correspondences, the same seed the same picture, no weights.

For tests of everything around the networks, and for plugin authors (`layoutbrush serve --bundle stand-in`): masked
pixels are copied from random pixels of the wanted label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from layoutbrush.runtime.engines.protocol import Array, Arrays
from layoutbrush.runtime.errors import NotFound
from layoutbrush.runtime.manifest import UNKNOWN_LABEL, GraphSpec, Label, Manifest, ModelCard, TensorSpec

STAND_IN = "stand-in"
"""Stands where a bundle's name would."""

CHANNELS = 8
STAND_IN_LABELS = tuple(
    Label(i, name, color)
    for i, (name, color) in enumerate(
        {
            "sky": "#87ceeb",
            "tree": "#2e7d32",
            "road": "#616161",
            "grass": "#8bc34a",
            "water": "#1565c0",
            "building": "#b0603a",
            "mountain": "#8d6e63",
            "object": "#d81b60",
            "car": "#8e24aa",
            "pedestrian": "#e53935",
            "bicyclist": "#fb8c00",
            "pole": "#c0a060",
            "pavement": "#bdbdbd",
            "sign": "#fdd835",
            "fence": "#a1887f",
        }.items()
    )
)
_GRAPHS = ("encode_image", "warp_coarse", "warp_fine", "refine", "segment")
STAND_IN_MANIFEST = Manifest(
    name="stand-in",
    version="0",
    labels=STAND_IN_LABELS,
    graphs={name: GraphSpec(f"{name}.onnx", "", (), ()) for name in _GRAPHS},
    op_versions={},
    model_card=ModelCard("No networks: random pixels of the wanted label.", "Apache-2.0"),
)

_SIDE, _CODE = 64, 4
STAND_IN_DRAFTS = Manifest(
    name="stand-in",
    version="0",
    labels=STAND_IN_LABELS,
    graphs={
        "draft": GraphSpec(
            "draft.onnx",
            "",
            (
                TensorSpec("labels", "int32", ("O",)),
                TensorSpec("boxes", "float32", ("O", 4)),
                TensorSpec("latents", "float32", ("B", "O", _CODE)),
            ),
            (TensorSpec("drafts", "float32", ("B", 3, _SIDE, _SIDE)),),
        )
    },
    op_versions={},
    model_card=ModelCard("No networks: boxes in their labels' colours.", "Apache-2.0"),
)


class StandInEngine:
    """See the module."""

    name = "stand-in"
    note = "no networks: random pixels of the wanted label"

    def run(self, graph: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Arrays:
        """See `Runner.run`."""
        graphs = {
            "encode_image": _encode,
            "warp_coarse": _warp_coarse,
            "warp_fine": _warp_fine,
            "refine": _refine,
            "segment": _segment,
            "draft": _draft,
        }
        if graph not in graphs:
            raise NotFound("The bundle has no such graph.", graph)
        found = graphs[graph](inputs)
        return {name: found[name] for name in (outputs or found)}


def _encode(inputs: Mapping[str, Array]) -> Arrays:
    batch, _, height, width = inputs["image"].shape
    keys = {f"keys_{s}": np.ones((batch, height // s, width // s, CHANNELS), np.float32) for s in (8, 4, 2, 1)}
    return keys | {f"labels_{s}": inputs["layout"][:, ::s, ::s] for s in (8, 4, 2)}


def _warp_coarse(inputs: Mapping[str, Array]) -> Arrays:
    found = _search(inputs, inputs["picture"], inputs["edited"])
    batch, _, height, width = inputs["picture"].shape
    nothing = np.zeros((batch, 1, height // 4, width // 4), np.float32)
    return {
        "estimate": found["warped"][:, :, ::4, ::4],
        "matches": found["correspondence"][:, ::4, ::4, None],
        "scores": found["confidence"][:, 0, ::4, ::4, None],
        "filled": inputs["edited"],
        "steering": nothing.repeat(2, axis=2).repeat(2, axis=3),
        "half": nothing.repeat(2, axis=2).repeat(2, axis=3),
        "quarter": nothing,
    }


def _warp_fine(inputs: Mapping[str, Array]) -> Arrays:
    return _search(inputs, inputs["picture"], inputs["filled"])


def _search(inputs: Mapping[str, Array], view: Array, edited: Array) -> Arrays:
    """Random pixels of the wanted label; outside the mask each pixel's own place."""
    image, mask = inputs["image"], inputs["mask"]
    batch, _, height, width = view.shape
    high, wide = image.shape[2:]
    top, left = (round(float(share) * side) for share, side in zip(inputs["place"], (high, wide), strict=False))
    rows, columns = np.mgrid[top : top + height, left : left + width].astype(np.int32)
    own = np.clip(rows, 0, high - 1) << 16 | np.clip(columns, 0, wide - 1)
    correspondence = np.broadcast_to(own, (batch, height, width)).copy()
    for b in range(batch):
        random = np.random.default_rng(int(inputs["seed"][0]))
        for label in np.unique(edited[b][mask[b]]):
            wanted = mask[b] & (edited[b] == label)
            like = inputs["source"][b] & (inputs["layout"][b] == label)
            found = np.flatnonzero(like if like.any() and label != UNKNOWN_LABEL else inputs["source"][b])
            if found.size:
                flat = found[random.integers(found.size, size=int(wanted.sum()))].astype(np.int32)
                correspondence[b][wanted] = (flat // wide) << 16 | flat % wide
    copied = np.stack([image[b][:, correspondence[b] >> 16, correspondence[b] & 0xFFFF] for b in range(batch)])
    confidence = np.where(mask, np.float32(0.5), np.float32(0.0))[:, None]
    return {"warped": np.where(mask[:, None], copied, view), "correspondence": correspondence, "confidence": confidence}


def _refine(inputs: Mapping[str, Array]) -> Arrays:
    warped, mask = inputs["warped"], inputs["mask"][:, None]
    coarse = np.where(mask, (warped + warped.mean(axis=(2, 3), keepdims=True)) / 2, inputs["picture"])
    refined = np.where(mask, 0.9 * warped + 0.1 * coarse, inputs["picture"])
    return {"coarse": coarse.astype(np.float32), "refined": refined.astype(np.float32)}


def _segment(inputs: Mapping[str, Array]) -> Arrays:
    batch, _, height, width = inputs["image"].shape
    labels = np.full((batch, height, width), 3, np.int32)
    labels[:, : height // 2] = 0
    cells = inputs["image"].reshape(batch, 3, height // 16, 16, width // 16, 16).mean((3, 5))
    return {"labels": labels, "confidence": np.ones((batch, height, width), np.float32), "features": cells}


def _draft(inputs: Mapping[str, Array]) -> Arrays:
    """Boxes in their labels' colours, tinted by the first three numbers of their latent codes, on grey."""
    labels, boxes, latents = (inputs[name] for name in ("labels", "boxes", "latents"))
    drafts = np.full((len(latents), 3, _SIDE, _SIDE), 0.5, np.float32)
    edges = np.rint(boxes * _SIDE).astype(int)
    for picture, codes in zip(drafts, latents, strict=True):
        for label, (left, top, right, bottom), code in zip(labels, edges, codes, strict=True):
            color = np.array(STAND_IN_LABELS[label].rgb, np.float32) / 255
            picture[:, top:bottom, left:right] = np.clip(color + 0.15 * code[:3], 0, 1)[:, None, None]
    return {"drafts": drafts}
