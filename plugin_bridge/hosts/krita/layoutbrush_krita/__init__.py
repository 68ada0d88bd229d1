"""Layoutbrush in Krita: makes the vendored packages importable and adds the docker."""

from __future__ import annotations

import sys
from pathlib import Path

from krita import DockWidgetFactory, DockWidgetFactoryBase, Krita

VENDOR = Path(__file__).resolve().parent / "vendor"

if VENDOR.is_dir() and str(VENDOR) not in sys.path:
    sys.path.append(str(VENDOR))  # last, so that nothing of Krita's own is hidden

try:
    from .docker import LayoutbrushDocker

    docker: type = LayoutbrushDocker
except ImportError as error:  # most often a zip that was packed for another Python
    from .trouble import docker_with

    docker = docker_with(
        f"Layoutbrush can't start in this Krita, whose Python is {sys.version.split()[0]}: {error}. "
        f"Pack the plug-in for it: layoutbrush pack-krita --python {sys.version_info[0]}.{sys.version_info[1]}"
    )

Krita.instance().addDockWidgetFactory(DockWidgetFactory("layoutbrush", DockWidgetFactoryBase.DockRight, docker))
