#!/usr/bin/env python3
"""Layoutbrush in GIMP 3: three entries under Filters, Layoutbrush. GIMP runs this file as a process of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent / "vendor"))

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("GimpUi", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp, GimpUi, GLib, GObject  # noqa: E402
from gimp_host import GimpHost, keep_palette  # noqa: E402

from layoutbrush.plugin_bridge.host.controller import Controller, Status  # noqa: E402
from layoutbrush.plugin_bridge.host.session import Session  # noqa: E402
from layoutbrush.plugin_bridge.host.snapshot import MaskUse, Server, Wishes  # noqa: E402

TEST, LABELS, GENERATE = "layoutbrush-test-connection", "layoutbrush-find-labels", "layoutbrush-generate"
_TICK_SECONDS = 0.02
_READ_WRITE = GObject.ParamFlags.READWRITE
Work = Callable[[Controller, str, Any], Status]


class Layoutbrush(Gimp.PlugIn):
    """What GIMP asks of a plug-in."""

    def do_set_i18n(self, name: str) -> bool:
        """Called by GIMP: there are no translations."""
        return False

    def do_query_procedures(self) -> list[str]:
        """Called by GIMP."""
        return [TEST, LABELS, GENERATE]

    def do_create_procedure(self, name: str) -> Any:
        """Called by GIMP."""
        Gegl.init(None)
        work, label, help_text = {
            TEST: (_test, "_Test the connection...", "Asks the server what it is, and keeps its labels as a palette."),
            LABELS: (_find_labels, "Find _labels...", "Makes a layer that shows what is where in the photo."),
            GENERATE: (_generate, "_Generate...", "Renders what was repainted into a new layer."),
        }[name]
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, _run, work)
        procedure.set_image_types("*")
        mask = Gimp.ProcedureSensitivityMask
        anything = mask.DRAWABLE | mask.DRAWABLES | mask.NO_DRAWABLES
        procedure.set_sensitivity_mask(anything | mask.NO_IMAGE if name == TEST else anything)
        procedure.set_documentation(help_text, help_text, name)
        procedure.set_menu_label(label)
        procedure.set_attribution("The Layoutbrush authors", "The Layoutbrush authors", "2026")
        procedure.add_menu_path("<Image>/Filters/Layoutbrush")
        procedure.add_string_argument(
            "server", "Ser_ver", "HOST:PORT, or https://HOST:PORT of an encrypted one", Server().address, _READ_WRITE
        )
        procedure.add_string_argument("token", "_Token", "Where the server wants one", "", _READ_WRITE)
        if name == GENERATE:
            _add_wishes(procedure)
        return procedure


def _add_wishes(procedure: Any) -> None:
    choice = Gimp.Choice.new()
    choice.add(MaskUse.CHANGED.value, 0, "What I repainted", "A selection bounds it")
    choice.add(MaskUse.SELECTION.value, 1, "The whole selection", "")
    procedure.add_choice_argument(
        "change", "Cha_nge", "Where the picture may change", choice, MaskUse.CHANGED.value, _READ_WRITE
    )
    procedure.add_int_argument("seed", "S_eed", "Another seed, another fill", 0, (1 << 31) - 1, 0, _READ_WRITE)
    procedure.add_double_argument(
        "grow", "_Grow by (%)", "How far beyond the repainted area", 0.0, 100.0, 10.0, _READ_WRITE
    )


def _run(procedure: Any, run_mode: Any, image: Any, _drawables: Any, config: Any, work: Work) -> Any:
    """Called by GIMP when a procedure is started."""
    if run_mode == Gimp.RunMode.INTERACTIVE:
        GimpUi.init(procedure.get_name())
        dialog = GimpUi.ProcedureDialog.new(procedure, config, "Layoutbrush")
        dialog.fill(None)
        wanted = dialog.run()
        dialog.destroy()
        if not wanted:
            return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, GLib.Error())
    controller = Controller(GimpHost(), Session(channels="RGBA"))
    controller.server = Server(config.get_property("server").strip(), config.get_property("token").strip())
    try:
        status = work(controller, str(image.get_id()) if image is not None else "", config)
    finally:
        controller.close()
    if status.trouble:
        return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, GLib.Error(status.text))
    told = status.text if procedure.get_name() == TEST else status.note
    if run_mode == Gimp.RunMode.INTERACTIVE and told:
        Gimp.message(told)
    return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, GLib.Error())


def _test(controller: Controller, _key: str, _config: Any) -> Status:
    controller.test()
    _wait(controller, lambda: controller.connection)
    if not controller.connection.trouble:
        keep_palette(controller.palette)
    return controller.connection


def _find_labels(controller: Controller, key: str, _config: Any) -> Status:
    controller.segment(key)
    return _wait(controller, lambda: controller.status(key))


def _generate(controller: Controller, key: str, config: Any) -> Status:
    wishes = Wishes(
        MaskUse(config.get_property("change")), config.get_property("seed"), config.get_property("grow") / 100
    )
    controller.generate(key, wishes)
    return _wait(controller, lambda: controller.status(key))


def _wait(controller: Controller, status: Callable[[], Status]) -> Status:
    """Follow the work to its end, with GIMP's progress bar. GIMP's own Cancel ends this process, and the render."""
    Gimp.progress_init("Layoutbrush")
    shown = None
    while controller.waiting:
        controller.tick()
        now = status()
        if now != shown:
            shown = now
            Gimp.progress_set_text(now.text)
            Gimp.progress_update(now.done or 0.0)
        time.sleep(_TICK_SECONDS)
    Gimp.progress_end()
    return status()


Gimp.main(Layoutbrush.__gtype__, sys.argv)
