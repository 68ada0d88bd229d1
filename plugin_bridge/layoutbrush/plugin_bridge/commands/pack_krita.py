"""Pack the Krita plug-in as one zip that Krita imports.

    layoutbrush pack-krita --out layoutbrush_krita.zip

In Krita: Tools, Scripts, Import Python Plugin from File. The zip holds compiled libraries, so that it fits one version
of Python on one platform: the ones that run this command, unless --python and --platform say otherwise (Krita's Python
is that of the system on Linux distributions).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
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

    def members() -> Iterator[packing.Member]:
        yield from packing.folder_members(packing.host_folder("krita") / NAME, f"{NAME}/")
        yield f"{NAME}.desktop", (packing.host_folder("krita") / f"{NAME}.desktop").read_bytes()
        yield f"{NAME}/LICENSE", packing.licence()
        yield from packing.vendor(config.python, config.platform, f"{NAME}/vendor/")

    told = packing.write_zip(config.out, members())
    print(f"{told}, for Python {config.python} on {config.platform or packing.own_platform()}")
    return 0
