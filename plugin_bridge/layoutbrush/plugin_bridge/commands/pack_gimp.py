"""Pack the GIMP 3 plug-in as one zip.

    layoutbrush pack-gimp --out layoutbrush_gimp.zip

Unpack it into GIMP's folder of plug-ins (Edit, Preferences, Folders, Plug-ins) and start GIMP again. The zip holds
compiled libraries, so that it fits one version of Python on one platform: the ones that run this command, unless
--python and --platform say otherwise (GIMP's Python is that of the system on Linux distributions).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

NAME = "layoutbrush_gimp"


@dataclass(frozen=True)
class Config:
    """Flags of `layoutbrush pack-gimp`."""

    out: Path = Path("layoutbrush_gimp.zip")
    """Zip to write."""

    python: str = f"{sys.version_info[0]}.{sys.version_info[1]}"
    """Version of GIMP's Python, 3.10 or newer, such as 3.13."""

    platform: str = ""
    """linux, linux-arm, windows or macos; left out: this machine's."""


def run(config: Config) -> int:
    """Pack; returns the exit status."""
    from layoutbrush.plugin_bridge.commands.rendering import guarded

    return guarded(lambda: _pack(config))


def _pack(config: Config) -> int:
    from layoutbrush.plugin_bridge.commands import packing

    return packing.pack(config.out, config.python, config.platform, "gimp", programs=(f"{NAME}/{NAME}.py",))
