"""Photos to start with: those that scikit-learn ships, where it is installed (extra `demo`)."""

from __future__ import annotations

from importlib import util
from pathlib import Path

from layoutbrush.plugin_bridge.gateway.pages import Sample

_TITLES = {"china.jpg": "Temple by a lake", "flower.jpg": "Dahlia"}


def installed_samples() -> dict[str, Sample]:
    """Sample photos by file name; empty without scikit-learn, which is looked for but not imported."""
    found = util.find_spec("sklearn")
    places = list(found.submodule_search_locations or ()) if found is not None else []
    samples = {}
    for place in places:
        for name, title in _TITLES.items():
            path = Path(place) / "datasets" / "images" / name
            if path.is_file():
                samples[name] = Sample(path, title)
    return samples
