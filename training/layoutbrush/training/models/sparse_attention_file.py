"""A trained sparse attention network from its weight file, with the sizes and constants it was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from layoutbrush.training.models.sparse_attention import SparseAttentionConfig, SparseAttentionNetwork
from layoutbrush.training.models.sparse_plan import Round, ScalePlan
from layoutbrush.training.trainer.weights import WeightsError, load_weights, stored_arguments


def load_sparse_attention(path: Path) -> SparseAttentionNetwork:
    """The network in eval mode with the rounds that the ``.json`` beside the weights tells, not today's.

    Without a ``.json`` the defaults. Raises WeightsError, FileNotFoundError.
    """
    fields = stored_arguments(path).get("config", {}) if path.with_suffix(".json").is_file() else {}
    try:
        config = _config(fields)
    except (KeyError, TypeError) as error:
        raise WeightsError(f"{path.with_suffix('.json').name}: {error}") from error
    network = SparseAttentionNetwork(config)
    load_weights(path, network)
    network.eval()
    return network


def _config(fields: Mapping[str, Any]) -> SparseAttentionConfig:
    """JSON has objects and lists where the config has dataclasses and tuples. Raises KeyError, TypeError."""
    plain = {name: value for name, value in fields.items() if name != "plans"}
    if "plans" not in fields:
        return SparseAttentionConfig(**plain)
    return SparseAttentionConfig(**plain, plans=tuple(_plan(plan) for plan in fields["plans"]))


def _plan(fields: Mapping[str, Any]) -> ScalePlan:
    rounds: list[dict[str, Any]] = [
        {name: tuple(v) if isinstance(v, list) else v for name, v in one.items()} for one in fields["rounds"]
    ]
    return ScalePlan(**{**fields, "rounds": tuple(Round(**one) for one in rounds)})
