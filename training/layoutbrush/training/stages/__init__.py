"""What can be trained, by name; each entry is imported only when it is asked for."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

STAGES: dict[str, str] = {
    "warp": "layoutbrush.training.stages.warp",
    "unpaired": "layoutbrush.training.stages.unpaired",
    "warp-recipe": "layoutbrush.training.stages.warp_recipe",
    "refine": "layoutbrush.training.stages.refine",
    "adversarial": "layoutbrush.training.stages.adversarial",
    "comparator": "layoutbrush.training.comparators.stage",
    "segmentation": "layoutbrush.training.stages.segmentation",
    "complete": "layoutbrush.training.stages.complete",
    "distill": "layoutbrush.training.stages.distill",
    "drafts": "layoutbrush.training.drafts.stage",
    "draft-classifier": "layoutbrush.training.drafts.classifier",
}


def stage_module(name: str) -> ModuleType:
    """The module that holds ``Settings`` and ``build`` of the named stage. Raises KeyError for an unknown name."""
    return import_module(STAGES[name])
