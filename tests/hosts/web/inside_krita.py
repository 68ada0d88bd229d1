"""Run by kritarunner inside Krita: opens FILES and writes down what Krita sees in them, into the folder OUT."""

from __future__ import annotations

import json
import os
import traceback
from pathlib import Path
from typing import Any

from krita import Krita

OUT = Path(os.environ.get("OUT", "."))


def main(args: object = None) -> None:
    """Called by kritarunner."""
    facts: dict[str, Any] = {}
    try:
        Krita.instance().setBatchmode(True)
        facts["documents"] = [_document(index, name) for index, name in enumerate(os.environ["FILES"].split("\n"))]
    except Exception:  # noqa: BLE001  # told by the test
        facts["error"] = traceback.format_exc()
    (OUT / "facts.json").write_text(json.dumps(facts))


def _document(index: int, name: str) -> dict[str, Any]:
    document = Krita.instance().openDocument(name)
    document.setBatchmode(True)
    width, height = document.width(), document.height()
    layers = []
    for number, node in enumerate(document.topLevelNodes()):
        pixels = OUT / f"{index}_{number}.bgra"
        pixels.write_bytes(bytes(node.pixelData(0, 0, width, height)))
        masks = [child.type() for child in node.childNodes() if child.type().endswith("mask")]
        layers.append({"name": node.name(), "visible": node.visible(), "pixels": str(pixels), "masks": len(masks)})
    facts = {"width": width, "height": height, "profile": document.colorProfile(), "layers": layers}
    document.close()
    return facts
