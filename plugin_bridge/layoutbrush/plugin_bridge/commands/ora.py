"""OpenRaster files: layers are read, and one is put in between. All other members keep their bytes, packed as they are.

The list of layers, stack.xml, gets one line more and is otherwise left as it is written. OpenRaster knows no masks of
layers: the new layer's alpha is its mask.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from layoutbrush.plugin_bridge.commands.files import MAX_PIXELS, FileProblem
from layoutbrush.plugin_bridge.commands.layered import FileLayer, NewLayer, Place, on_canvas

STACK = "stack.xml"
_CENTRAL, _LOCAL, _END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"
_PNG = b"\x89PNG\r\n\x1a\n"
_DATE = 33
"""1980-01-01, as ZIP files count days."""


@dataclass(frozen=True)
class _Entry:
    """A layer's line. `at`: its first byte in stack.xml."""

    source: str
    at: int


class OraFile:
    """An OpenRaster file in memory.

    Raises:
        FileProblem: no such file, damaged, or of a kind that can't be edited.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self._data = data
        self._name = name
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                self._infos = archive.infolist()
                self._start = archive.start_dir
                self._stack = archive.read(STACK)
                kind = archive.read("mimetype").strip()
        except (zipfile.BadZipFile, KeyError, OSError, zlib.error, NotImplementedError) as error:
            raise FileProblem(f"{name} is no OpenRaster file, or it is damaged.") from error
        if kind != b"image/openraster":
            raise FileProblem(f"{name} is no OpenRaster file.")
        self.width = self.height = 0
        self._entries: list[_Entry] = []
        self._found: list[FileLayer] = []
        self._parse()

    @property
    def layers(self) -> tuple[FileLayer, ...]:
        """See `LayeredFile`."""
        return tuple(self._found)

    def pixels(self, layer: FileLayer) -> NDArray[np.uint8]:
        """See `LayeredFile`."""
        image = self._image(layer)
        place = Place(layer.place.x, layer.place.y, image.width, image.height)
        return on_canvas(np.asarray(image.convert("RGBA")), place, self.width, self.height)

    def with_layer(self, new: NewLayer, above: FileLayer) -> bytes:
        """See `LayeredFile`. The new layer has the colour profile of the one below."""
        profile = self._image(above).info.get("icc_profile")
        source = self._free_name()
        picture = io.BytesIO()
        pixels = np.dstack([new.pixels, new.mask])
        Image.fromarray(pixels).save(picture, "PNG", compress_level=3, icc_profile=profile)
        at = self._entries[above.index].at
        line = (
            f"<layer name={quoteattr(new.name)} src={quoteattr(source)} x={quoteattr(str(new.x))} "
            f'y={quoteattr(str(new.y))} opacity="1.0" visibility="visible" composite-op="svg:src-over"/>'
        )
        space = self._stack[self._stack.rfind(b"\n", 0, at) : at]
        stack = self._stack[:at] + line.encode() + (space if not space.strip() else b"") + self._stack[at:]
        return self._rebuilt({STACK: stack, source: picture.getvalue()})

    def _parse(self) -> None:
        """Read stack.xml; its first layer is the topmost."""
        found: list[tuple[dict[str, str], int]] = []
        parser = expat.ParserCreate()

        def start(tag: str, attributes: dict[str, str]) -> None:
            if tag == "image":
                self.width, self.height = int(attributes["w"]), int(attributes["h"])
            elif tag == "layer":
                found.append((attributes, parser.CurrentByteIndex))

        def refuse(*_: object) -> None:
            raise FileProblem(f"{self._name}: its {STACK} has a document type, which no OpenRaster file needs.")

        parser.StartElementHandler = start
        parser.StartDoctypeDeclHandler = refuse
        try:
            parser.Parse(self._stack, True)
            if not 0 < self.width * self.height <= MAX_PIXELS:
                raise FileProblem(f"{self._name} has {self.width} x {self.height} pixels; the limit is 64 megapixels.")
            for index, (attributes, at) in enumerate(reversed(found)):
                self._entries.append(_Entry(attributes["src"], at))
                place = Place(int(attributes.get("x", 0)), int(attributes.get("y", 0)), 0, 0)
                name = attributes.get("name", "").replace("\0", "")
                self._found.append(FileLayer(index, name, attributes.get("visibility") != "hidden", place))
        except (expat.ExpatError, KeyError, ValueError) as error:
            raise FileProblem(f"{self._name} is damaged: its {STACK} can't be read.") from error

    def _image(self, layer: FileLayer) -> Image.Image:
        source = self._entries[layer.index].source
        try:
            with zipfile.ZipFile(io.BytesIO(self._data)) as archive:
                data = archive.read(source)
            if data[:8] == _PNG and data[24] == 16:
                raise FileProblem(f'{self._name}: the layer "{layer.name}" has 16 bits a channel; save it with 8.')
            image = Image.open(io.BytesIO(data), formats=("PNG",))
            if image.width * image.height > MAX_PIXELS:
                raise FileProblem(f'{self._name}: the layer "{layer.name}" is larger than 64 megapixels.')
            image.load()
        except (KeyError, OSError, SyntaxError, ValueError, UnidentifiedImageError, zipfile.BadZipFile) as error:
            raise FileProblem(f'{self._name}: the pixels of the layer "{layer.name}" are damaged.') from error
        return image

    def _free_name(self) -> str:
        taken = {info.filename for info in self._infos}
        number = 1
        while (name := f"data/layoutbrush{number}.png") in taken:
            number += 1
        return name

    def _rebuilt(self, changed: dict[str, bytes]) -> bytes:
        """The archive with some members new; all others byte for byte, in their order."""
        out, central = io.BytesIO(), []
        left = dict(changed)
        ends = [*sorted(info.header_offset for info in self._infos), self._start]
        place = self._start
        for info in self._infos:
            size, record = self._central_record(place)
            place += size
            at = out.tell()
            if info.filename in left:
                central.append(_write_member(out, info.filename, left.pop(info.filename)))
                continue
            end = ends[ends.index(info.header_offset) + 1]
            out.write(self._data[info.header_offset : end])
            central.append(record[:42] + struct.pack("<I", at) + record[46:])
        central += [_write_member(out, name, data) for name, data in left.items()]
        start = out.tell()
        out.write(b"".join(central))
        length = out.tell() - start
        out.write(_END + struct.pack("<HHHHIIH", 0, 0, len(central), len(central), length, start, 0))
        return out.getvalue()

    def _central_record(self, place: int) -> tuple[int, bytes]:
        if self._data[place : place + 4] != _CENTRAL:
            raise FileProblem(f"{self._name} is damaged: its list of members can't be read.")
        name, extra, comment = struct.unpack_from("<HHH", self._data, place + 28)
        size = 46 + name + extra + comment
        return size, self._data[place : place + size]


def _write_member(out: io.BytesIO, name: str, data: bytes) -> bytes:
    """Write a member; returns its record for the list at the end."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    method, body = (8, packed) if len(packed) < len(data) else (0, data)
    path = name.encode()
    common = struct.pack(
        "<HHHHHIIIHH", 20, 1 << 11, method, 0, _DATE, zlib.crc32(data), len(body), len(data), len(path), 0
    )
    at = out.tell()
    out.write(_LOCAL + common + path + body)
    return _CENTRAL + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0o100644 << 16, at) + path
