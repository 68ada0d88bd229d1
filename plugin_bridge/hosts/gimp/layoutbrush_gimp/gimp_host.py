"""GIMP as a host: what `layoutbrush.plugin_bridge.host.controller` asks of an editor, done to GIMP's images.

Pixels go through GEGL as 8-bit sRGB with straight alpha: exact for 8-bit sRGB images, converted by GEGL for others.
"""

from __future__ import annotations

import base64
import contextlib
import zlib
from collections.abc import Iterator
from typing import Any

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp  # noqa: E402  # after the versions are named

from layoutbrush.plugin_bridge.events import Result  # noqa: E402
from layoutbrush.plugin_bridge.host.palette import Palette  # noqa: E402
from layoutbrush.plugin_bridge.host.problem import HostProblem  # noqa: E402
from layoutbrush.plugin_bridge.host.snapshot import Snapshot, Wishes  # noqa: E402
from layoutbrush.plugin_bridge.picture import Picture  # noqa: E402

LABELS = "Layoutbrush labels"
EXCLUDE = "Layoutbrush exclude"
PREVIEW = "Layoutbrush preview"
PALETTE = "Layoutbrush"
LABEL_OPACITY = 50.0
_PARASITE = "layoutbrush-labels"
_PERSISTENT = 1
_RGBA, _GRAY = "R'G'B'A u8", "Y u8"


class GimpHost:
    """Images go by their number, as text. `ask`: whether a question without a person to ask is taken for a yes."""

    def __init__(self, answer: bool = True) -> None:
        self._answer = answer
        self._previews: dict[str, Any] = {}
        self._grouped: set[str] = set()

    def documents(self) -> list[str]:
        """See `controller.Host`."""
        return [str(image.get_id()) for image in Gimp.get_images()]

    def size(self, key: str) -> tuple[int, int]:
        """See `controller.Host`."""
        image = _image(key)
        return image.get_width(), image.get_height()

    def photo(self, key: str) -> Picture:
        """See `controller.Host`: the lowest visible layer."""
        image = _image(key)
        check_space(image)
        found = [layer for layer in layers(image) if not _ours(layer)]
        visible = [layer for layer in found if layer.get_visible()] or found
        if not visible:
            raise HostProblem("The image has no layer that could be the photo.")
        return Picture(pixels(image, visible[-1]), image.get_width(), image.get_height(), "RGBA")

    def snapshot(self, key: str, wishes: Wishes) -> Snapshot:
        """See `controller.Host`."""
        image = _image(key)
        note = check_space(image)
        painted, exclude = _topmost(image, LABELS), _topmost(image, EXCLUDE)
        width, height = image.get_width(), image.get_height()
        return Snapshot(
            photo=self.photo(key),
            painted=pixels(image, painted) if painted else None,
            order="RGBA",
            labels=remembered_labels(image),
            selection=selection(image),
            exclude=Picture.gray(pixels(image, exclude)[3::4], width, height) if exclude else None,
            wishes=wishes,
            note=note,
        )

    def show_labels(self, key: str, labels: Picture, colors: Picture, palette: Palette) -> None:
        """See `controller.Host`. A label layer from before is hidden, not changed."""
        image = _image(key)
        with _one_step(image):
            before = [layer for layer in layers(image) if str(layer.get_name()).startswith(LABELS)]
            for old in before:
                old.set_visible(False)
            name = f"{LABELS} {len(before) + 1}" if before else LABELS
            layer = _layer(image, name, colors)
            layer.set_opacity(LABEL_OPACITY)
            image.insert_layer(layer, None, 0)
            image.set_selected_layers([layer])
        remember_labels(image, labels)
        keep_palette(palette)
        Gimp.displays_flush()

    def show_preview(self, key: str, picture: Picture) -> None:
        """See `controller.Host`. Opens the undo step that the result, or its absence, ends."""
        image = _image(key)
        if (picture.pixel_width, picture.pixel_height) not in ((0, 0), (picture.width, picture.height)):
            return  # a reduced one; the result is near
        if key not in self._grouped:
            image.undo_group_start()
            self._grouped.add(key)
        self._remove_preview(image, key)
        self._previews[key] = layer = _layer(image, PREVIEW, picture)
        _insert_below_labels(image, layer)
        Gimp.displays_flush()

    def show_result(self, key: str, result: Result, title: str) -> None:
        """See `controller.Host`. The new layer is clear outside of the mask, and has it as its layer mask."""
        image = _image(key)
        if key not in self._grouped:
            image.undo_group_start()
            self._grouped.add(key)
        try:
            self._remove_preview(image, key)
            layer = _layer(image, title, result.picture)
            _insert_below_labels(image, layer)
            layer.add_mask(layer.create_mask(Gimp.AddMaskType.ALPHA))
            layer.set_edit_mask(False)
        finally:
            self._end_step(image, key)
        Gimp.displays_flush()

    def drop_preview(self, key: str) -> None:
        """See `controller.Host`."""
        image = _image(key)
        self._remove_preview(image, key)
        self._end_step(image, key)
        Gimp.displays_flush()

    def ask(self, question: str) -> bool:
        """See `controller.Host`; GIMP's plug-ins ask before they start."""
        return self._answer

    def _remove_preview(self, image: Any, key: str) -> None:
        layer = self._previews.pop(key, None)
        if layer is not None and layer.is_valid():
            image.remove_layer(layer)

    def _end_step(self, image: Any, key: str) -> None:
        if key in self._grouped:
            self._grouped.discard(key)
            image.undo_group_end()


def layers(parent: Any) -> Iterator[Any]:
    """All layers of an image or group, from the top down."""
    for layer in parent.get_layers() if isinstance(parent, Gimp.Image) else parent.get_children():
        yield layer
        if layer.is_group():
            yield from layers(layer)


def check_space(image: Any) -> str:
    """What the painter should know about the image's colours; empty for 8-bit sRGB.

    Raises:
        HostProblem: the image is greyscale, indexed, or 8-bit linear.
    """
    if image.get_base_type() != Gimp.ImageBaseType.RGB:
        raise HostProblem("Layoutbrush works on RGB images. Image, Mode, RGB makes one of it.")
    precision = image.get_precision()
    if precision == Gimp.Precision.U8_LINEAR:
        raise HostProblem("This image is 8-bit linear, which can't hold label colours. Image, Precision changes it.")
    if precision != Gimp.Precision.U8_NON_LINEAR:
        return "The image has more than 8 bits a channel; the new pixels are 8-bit sRGB, converted by GIMP."
    profile = image.get_color_profile()
    if profile is not None and not profile.is_equal(Gimp.ColorProfile.new_rgb_srgb()):
        return "The image has a colour profile of its own; colours are converted by way of sRGB."
    return ""


def pixels(image: Any, layer: Any) -> bytes:
    """A layer's RGBA over the canvas, clear where it has no pixels."""
    _, x, y = layer.get_offsets()
    place = Gegl.Rectangle.new(-x, -y, image.get_width(), image.get_height())
    return bytes(layer.get_buffer().get(place, 1.0, _RGBA, Gegl.AbyssPolicy.NONE))


def selection(image: Any) -> Picture | None:
    """The selection over the canvas, None where nothing is selected."""
    if Gimp.Selection.is_empty(image):
        return None
    width, height = image.get_width(), image.get_height()
    place = Gegl.Rectangle.new(0, 0, width, height)
    data = image.get_selection().get_buffer().get(place, 1.0, _GRAY, Gegl.AbyssPolicy.NONE)
    return Picture.gray(bytes(data), width, height)


def remember_labels(image: Any, labels: Picture) -> None:
    """Keep the photo's own label map with the image; it is saved in its .xcf file, too."""
    body = base64.b64encode(zlib.compress(labels.data, 1))  # GIMP's Python takes bytes up to 127 only
    data = f"{labels.width} {labels.height}\n".encode() + body
    image.attach_parasite(Gimp.Parasite.new(_PARASITE, _PERSISTENT, data))


def remembered_labels(image: Any) -> Picture | None:
    """What `remember_labels` kept, None where there is nothing of the canvas' size."""
    parasite = image.get_parasite(_PARASITE)
    if parasite is None:
        return None
    try:
        head, body = bytes(parasite.get_data()).split(b"\n", 1)
        width, height = (int(word) for word in head.split())
        data = zlib.decompress(base64.b64decode(body, validate=True))
    except (ValueError, zlib.error):
        return None
    if (width, height) != (image.get_width(), image.get_height()) or len(data) != width * height:
        return None
    return Picture.gray(data, width, height)


def keep_palette(palette: Palette) -> None:
    """Make GIMP's palette of the labels, with names; one from before is replaced."""
    before = Gimp.Palette.get_by_name(PALETTE)
    if before is not None:
        before.delete()
    made = Gimp.Palette.new(PALETTE)
    for label in palette.paints:
        color = Gegl.Color.new("black")
        red, green, blue = label.color
        color.set_rgba(red / 255, green / 255, blue / 255, 1.0)
        made.add_entry(label.name, color)


def _image(key: str) -> Any:
    for image in Gimp.get_images():
        if str(image.get_id()) == key:
            return image
    raise HostProblem("The image was closed.")


def _ours(layer: Any) -> bool:
    return str(layer.get_name()).startswith((LABELS, EXCLUDE, PREVIEW))


def _topmost(image: Any, name: str) -> Any:
    """The topmost visible layer whose name begins so, else the topmost; None where there is none."""
    found = [layer for layer in layers(image) if str(layer.get_name()).startswith(name)]
    return next((layer for layer in found if layer.get_visible()), found[0] if found else None)


def _layer(image: Any, name: str, picture: Picture) -> Any:
    """A layer with these RGBA pixels at their place, not in the image yet."""
    layer = Gimp.Layer.new(
        image, name, picture.width, picture.height, Gimp.ImageType.RGBA_IMAGE, 100.0, Gimp.LayerMode.NORMAL
    )
    layer.set_offsets(picture.x, picture.y)
    buffer = layer.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, picture.width, picture.height), _RGBA, picture.data)
    buffer.flush()
    layer.update(0, 0, picture.width, picture.height)
    return layer


def _insert_below_labels(image: Any, layer: Any) -> None:
    """Put a layer below the label layer, else on top; what is selected stays so."""
    chosen = image.get_selected_layers()
    labels, top = _topmost(image, LABELS), image.get_layers()
    numbers = [other.get_id() for other in top]
    place = numbers.index(labels.get_id()) + 1 if labels is not None and labels.get_id() in numbers else 0
    image.insert_layer(layer, None, place)
    image.set_selected_layers([other for other in chosen if other.is_valid()])


@contextlib.contextmanager
def _one_step(image: Any) -> Iterator[None]:
    """What happens inside is one step of the undo history."""
    image.undo_group_start()
    try:
        yield
    finally:
        image.undo_group_end()
