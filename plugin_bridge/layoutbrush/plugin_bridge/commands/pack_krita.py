"""Pack the Krita plug-in as one zip that Krita imports.

    layoutbrush pack-krita --out layoutbrush_krita.zip

In Krita: Tools, Scripts, Import Python Plugin from File. The zip holds compiled libraries, so that it fits one version
of Python on one platform: the ones that run this command, unless --python and --platform say otherwise (Krita's Python
is that of the system on Linux distributions).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

NAME = "layoutbrush_krita"


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush pack-krita`."""

    out: Path = Path("layoutbrush_krita.zip")
    """Zip to write."""

    python: str = f"{sys.version_info[0]}.{sys.version_info[1]}"
    """Version of Krita's Python, 3.10 or newer, such as 3.11."""

    platform: str = ""
    """linux, linux-arm, windows or macos; left out: this machine's."""


def run(config: Config) -> int:
    """Pack; returns the exit status."""
    from layoutbrush.plugin_bridge.commands.rendering import guarded

    return guarded(lambda: _pack(config))


def _pack(config: Config) -> int:
    from layoutbrush.plugin_bridge.commands import packing

    desktop = packing.host_folder("krita") / f"{NAME}.desktop"
    return packing.pack(config.out, config.python, config.platform, "krita", [(desktop.name, desktop.read_bytes())])
