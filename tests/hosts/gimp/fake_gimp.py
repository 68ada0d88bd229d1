"""As much of GIMP's and GEGL's Python API as the plug-in uses, over arrays: images, layers, buffers, undo groups."""

from __future__ import annotations

import itertools
import types
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

_ids = itertools.count(1)


@dataclass
class Rectangle:
    """Gegl.Rectangle."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def new(cls, x: int, y: int, width: int, height: int) -> Rectangle:
        return cls(x, y, width, height)


@dataclass
class Buffer:
    """Gegl.Buffer: uint8 (h, w, channels); clear beyond its extent."""

    values: NDArray[np.uint8]

    def get(self, place: Rectangle, scale: float, form: str, policy: Any) -> bytes:
        channels = {"R'G'B'A u8": 4, "Y u8": 1}[form]
        assert self.values.shape[2] == channels and scale == 1.0
        out = np.zeros((place.height, place.width, channels), np.uint8)
        height, width = self.values.shape[:2]
        top, left = max(place.y, 0), max(place.x, 0)
        bottom, right = min(place.y + place.height, height), min(place.x + place.width, width)
        if top < bottom and left < right:
            part = self.values[top:bottom, left:right]
            out[top - place.y : bottom - place.y, left - place.x : right - place.x] = part
        return out.tobytes()

    def set(self, place: Rectangle, form: str, data: bytes) -> None:
        pixels = np.frombuffer(data, np.uint8).reshape(place.height, place.width, self.values.shape[2])
        self.values[place.y : place.y + place.height, place.x : place.x + place.width] = pixels

    def flush(self) -> None: ...


@dataclass(eq=False)
class Layer:
    """Gimp.Layer."""

    image: Any
    name: str
    buffer: Buffer
    x: int = 0
    y: int = 0
    opacity: float = 100.0
    visible: bool = True
    mask: Any = None
    id: int = field(default_factory=lambda: next(_ids))

    @classmethod
    def new(cls, image: Any, name: str, width: int, height: int, kind: Any, opacity: float, mode: Any) -> Layer:
        return cls(image, name, Buffer(np.zeros((height, width, 4), np.uint8)), opacity=opacity)

    def get_buffer(self) -> Buffer:
        return self.buffer

    def get_id(self) -> int:
        return self.id

    def get_name(self) -> str:
        return self.name

    def get_visible(self) -> bool:
        return self.visible

    def set_visible(self, visible: bool) -> None:
        self.visible = visible

    def set_opacity(self, opacity: float) -> None:
        self.opacity = opacity

    def set_offsets(self, x: int, y: int) -> None:
        self.x, self.y = x, y

    def get_offsets(self) -> tuple[bool, int, int]:
        return True, self.x, self.y

    def is_group(self) -> bool:
        return False

    def is_valid(self) -> bool:
        return self in self.image.stack

    def update(self, *_: int) -> None: ...

    def create_mask(self, kind: Any) -> Buffer:
        return Buffer(self.buffer.values[..., 3:].copy())

    def add_mask(self, mask: Any) -> None:
        assert self.is_valid(), "GIMP takes masks only for layers that are in an image"
        self.mask = mask

    def set_edit_mask(self, edit: bool) -> None: ...


@dataclass(eq=False)
class Image:
    """Gimp.Image. `steps`: what the undo history would show, a list of changes each."""

    width: int
    height: int
    base: str = "RGB"
    precision: str = "U8_NON_LINEAR"
    stack: list[Layer] = field(default_factory=list)
    chosen: list[Layer] = field(default_factory=list)
    parasites: dict[str, Any] = field(default_factory=dict)
    marked: NDArray[np.uint8] | None = None
    steps: list[list[str]] = field(default_factory=list)
    depth: int = 0
    id: int = field(default_factory=lambda: next(_ids))

    def _did(self, what: str) -> None:
        if self.depth:
            self.steps[-1].append(what)
        else:
            self.steps.append([what])

    def get_id(self) -> int:
        return self.id

    def get_width(self) -> int:
        return self.width

    def get_height(self) -> int:
        return self.height

    def get_layers(self) -> list[Layer]:
        return list(self.stack)

    def get_base_type(self) -> str:
        return self.base

    def get_precision(self) -> str:
        return self.precision

    def get_color_profile(self) -> None:
        return None

    def insert_layer(self, layer: Layer, parent: Any, place: int) -> None:
        self.stack.insert(place, layer)
        self.chosen = [layer]
        self._did(f"add {layer.name}")

    def remove_layer(self, layer: Layer) -> None:
        self.stack.remove(layer)
        self._did(f"remove {layer.name}")

    def get_selected_layers(self) -> list[Layer]:
        return list(self.chosen)

    def set_selected_layers(self, chosen: list[Layer]) -> None:
        self.chosen = list(chosen)

    def undo_group_start(self) -> None:
        if not self.depth:
            self.steps.append([])
        self.depth += 1

    def undo_group_end(self) -> None:
        assert self.depth > 0
        self.depth -= 1

    def attach_parasite(self, parasite: Any) -> None:
        self.parasites[parasite.name] = parasite

    def get_parasite(self, name: str) -> Any:
        return self.parasites.get(name)

    def get_selection(self) -> Any:
        assert self.marked is not None
        return types.SimpleNamespace(get_buffer=lambda: Buffer(self.marked[..., None]))


@dataclass
class Parasite:
    """Gimp.Parasite, with the one trap that it has in Python."""

    name: str
    data: bytes

    @classmethod
    def new(cls, name: str, flags: int, data: bytes) -> Parasite:
        if any(value > 127 for value in data):
            raise OverflowError("not in range -128 to 127")
        return cls(name, data)

    def get_data(self) -> bytes:
        return self.data


class Palette:
    """Gimp.Palette."""

    made: ClassVar[dict[str, list[tuple[str, tuple[float, ...]]]]] = {}

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def new(cls, name: str) -> Palette:
        assert name not in cls.made
        cls.made[name] = []
        return cls(name)

    @classmethod
    def get_by_name(cls, name: str) -> Palette | None:
        return cls(name) if name in cls.made else None

    def delete(self) -> None:
        del self.made[self.name]

    def add_entry(self, name: str, color: Any) -> None:
        self.made[self.name].append((name, color.rgba))


class Color:
    """Gegl.Color."""

    rgba: tuple[float, ...] = ()

    @classmethod
    def new(cls, name: str) -> Color:
        return cls()

    def set_rgba(self, *rgba: float) -> None:
        self.rgba = rgba


IMAGES: list[Image] = []


def modules() -> dict[str, types.ModuleType]:
    """What to put into sys.modules, so that `from gi.repository import Gegl, Gimp` finds the fakes."""
    gimp, gegl = types.ModuleType("Gimp"), types.ModuleType("Gegl")
    vars(gimp).update(Image=Image, Layer=Layer, Parasite=Parasite, Palette=Palette, get_images=lambda: list(IMAGES))
    vars(gimp).update(
        ImageBaseType=types.SimpleNamespace(RGB="RGB", GRAY="GRAY"),
        ImageType=types.SimpleNamespace(RGBA_IMAGE="RGBA"),
        LayerMode=types.SimpleNamespace(NORMAL="normal"),
        AddMaskType=types.SimpleNamespace(ALPHA="alpha"),
        Precision=types.SimpleNamespace(U8_NON_LINEAR="U8_NON_LINEAR", U8_LINEAR="U8_LINEAR"),
        Selection=types.SimpleNamespace(is_empty=lambda image: image.marked is None),
        displays_flush=lambda: None,
    )
    vars(gegl).update(Rectangle=Rectangle, Color=Color, AbyssPolicy=types.SimpleNamespace(NONE=0))
    gi, repository = types.ModuleType("gi"), types.ModuleType("gi.repository")
    vars(gi).update(require_version=lambda name, version: None, repository=repository)
    vars(repository).update(Gimp=gimp, Gegl=gegl)
    return {"gi": gi, "gi.repository": repository}
