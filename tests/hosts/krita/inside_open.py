"""Run by kritarunner inside Krita: opens FILES (one a line) and writes down what layers it finds.

kritarunner -s inside_open -f main, with FILES and OUT in the environment.
"""

from __future__ import annotations

import json
import os
import traceback
from pathlib import Path
from typing import Any

from krita import Krita


def main(args: object = None) -> None:
    """Called by kritarunner."""
    out = Path(os.environ["OUT"])
    facts: dict[str, Any] = {}
    try:
        Krita.instance().setBatchmode(True)
        for number, name in enumerate(os.environ["FILES"].splitlines()):
            document = Krita.instance().openDocument(name)
            document.setBatchmode(True)
            found = []
            for index, node in enumerate(document.topLevelNodes()):
                picture = out / f"{number}-{index}.bgra"
                picture.write_bytes(bytes(node.projectionPixelData(0, 0, document.width(), document.height())))
                masks = [child.type() for child in node.childNodes()]
                found.append([node.name().replace("\0", ""), node.type(), masks, picture.name])
            facts[name] = [document.width(), document.height(), found]
            document.close()
    except Exception:  # noqa: BLE001  # told by the test
        facts["error"] = traceback.format_exc()
    (out / "facts.json").write_text(json.dumps(facts))
