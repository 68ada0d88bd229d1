"""Run by GIMP's Python console without a window: calls the plug-in's procedures and writes down what it finds.

SERVER, SLOW_SERVER, PHOTO and OUT come in the environment.
"""

from __future__ import annotations

import json
import os
import traceback
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp, Gio

OUT = Path(os.environ["OUT"])
FACTS: dict[str, Any] = {}
RGBA = "R'G'B'A u8"


def main() -> None:
    """All that is tried, in an order that lets later steps use earlier ones."""
    Gegl.init(None)
    FACTS["version"] = Gimp.version()
    FACTS["nobody"] = call("layoutbrush-test-connection", None, server="127.0.0.1:9")
    FACTS["connection"] = call("layoutbrush-test-connection", None)
    palette = Gimp.Palette.get_by_name("Layoutbrush")
    colors = [color.get_rgba() for color in palette.get_colors()]
    FACTS["palette"] = [palette.get_color_count(), palette.get_entry_name(4)[1]]
    water = [round(255 * float(value)) for value in list(colors[4])[:3]]
    FACTS["water"] = water

    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(os.environ["PHOTO"]))
    photo = image.get_layers()[0]
    photo.set_name("photo")
    before = pixels(image, photo)
    FACTS["without_labels"] = call("layoutbrush-generate", image)
    FACTS["labels"] = call("layoutbrush-find-labels", image)
    labels = image.get_layers()[0]
    FACTS["label_layer"] = [labels.get_name(), labels.get_opacity()]
    (OUT / "labels.rgba").write_bytes(pixels(image, labels))
    paint(labels, water, 100, 91, 61, 43)
    FACTS["generated"] = call("layoutbrush-generate", image, seed=5)
    FACTS["layers"] = [layer.get_name() for layer in image.get_layers()]
    result = image.get_layers()[1]
    (OUT / "result.rgba").write_bytes(pixels(image, result))
    mask = result.get_mask()
    _, x, y = result.get_offsets()
    FACTS["result"] = [x, y, result.get_width(), result.get_height(), mask is not None]
    size = Gegl.Rectangle.new(0, 0, result.get_width(), result.get_height())
    (OUT / "mask.gray").write_bytes(bytes(mask.get_buffer().get(size, 1.0, "Y u8", Gegl.AbyssPolicy.NONE)))
    FACTS["photo_untouched"] = pixels(image, photo) == before
    FACTS["selected"] = [layer.get_name() for layer in image.get_selected_layers()]

    image.select_rectangle(Gimp.ChannelOps.REPLACE, 110, 95, 11, 13)
    FACTS["bounded"] = [call("layoutbrush-generate", image, seed=6)[0], *bounds(image.get_layers()[1])]
    worked, _ = call("layoutbrush-generate", image, seed=7, change="selection")
    FACTS["selection"] = [worked, *bounds(image.get_layers()[1])]
    Gimp.Selection.none(image)
    paint(labels, [255, 0, 10], 10, 12, 9, 9)
    FACTS["stray"] = call("layoutbrush-generate", image)
    paint(labels, water, 10, 12, 9, 9)

    path = Gio.File.new_for_path(str(OUT / "saved.xcf"))
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, path, None)
    again = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, path)
    FACTS["again"] = [layer.get_name() for layer in again.get_layers()]
    kept = [bytes(one.get_parasite("layoutbrush-labels").get_data()) for one in (image, again)]
    FACTS["labels_again"] = kept[0] == kept[1] and len(kept[0]) > 20

    image.convert_precision(Gimp.Precision.U16_NON_LINEAR)
    FACTS["deep"] = [call("layoutbrush-generate", image, seed=9)[0], image.get_layers()[1].get_name()]
    gray = again.duplicate()
    gray.convert_grayscale()
    FACTS["gray"] = call("layoutbrush-generate", gray)


def call(name: str, image: Any, **arguments: Any) -> list[Any]:
    """Run a procedure; returns whether it worked, and its message."""
    procedure = Gimp.get_pdb().lookup_procedure(name)
    config = procedure.create_config()
    config.set_property("run-mode", Gimp.RunMode.NONINTERACTIVE)
    config.set_property("image", image)
    config.set_property("server", os.environ["SERVER"])
    for key, value in arguments.items():
        config.set_property(key, value)
    values = procedure.run(config)
    worked = values.index(0) == Gimp.PDBStatusType.SUCCESS
    return [worked, "" if worked else Gimp.get_pdb().get_last_error()]


def pixels(image: Any, layer: Any) -> bytes:
    """A layer over the canvas."""
    _, x, y = layer.get_offsets()
    place = Gegl.Rectangle.new(-x, -y, image.get_width(), image.get_height())
    return bytes(layer.get_buffer().get(place, 1.0, RGBA, Gegl.AbyssPolicy.NONE))


def bounds(layer: Any) -> list[int]:
    """Place and size of a layer."""
    _, x, y = layer.get_offsets()
    return [x, y, layer.get_width(), layer.get_height()]


def paint(layer: Any, color: list[int], x: int, y: int, width: int, height: int) -> None:
    """A hard stroke, as a pencil leaves it."""
    buffer = layer.get_buffer()
    buffer.set(Gegl.Rectangle.new(x, y, width, height), RGBA, bytes([*color, 255]) * (width * height))
    buffer.flush()
    layer.update(x, y, width, height)


try:
    main()
except Exception:  # noqa: BLE001  # told by the test
    FACTS["error"] = traceback.format_exc()
(OUT / "facts.json").write_text(json.dumps(FACTS))
