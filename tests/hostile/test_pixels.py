"""Photos, label maps and masks in all their dress: they work as their owner expects, or are refused by name."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from layoutbrush.runtime.errors import DamagedData, InvalidArgument, LayoutbrushError, SizeMismatch, UnsupportedPixels
from layoutbrush.runtime.geometry import Bounds
from layoutbrush.runtime.layers import (
    ChannelOrder,
    DataType,
    Decoded,
    Encoding,
    LayerHeader,
    LayerKey,
    LayerKind,
    PixelFormat,
    PlaneOrder,
    decode,
)
from layoutbrush.runtime.limits import Limits

H, W = 66, 72
LIMITS = Limits()
RANDOM = np.random.default_rng(21)
COLORS = RANDOM.integers(0, 256, (H, W, 3), dtype=np.uint8)
IDS = RANDOM.integers(0, 15, (H, W), dtype=np.uint8)


def file(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png16(values: NDArray[np.uint16], color_type: int) -> bytes:
    """A 16-bit PNG, which Pillow can't write: color_type 0 grey, 2 RGB, 6 RGBA."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, color_type, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part)) for name, part in chunks
    )


def read(
    kind: LayerKind, data: bytes, encoding: Encoding = Encoding.PNG, form: PixelFormat | None = None, **header: Any
) -> Decoded:
    bounds = header.pop("bounds", Bounds(0, 0, W, H) if encoding is Encoding.RAW else None)
    described = LayerHeader(LayerKey(kind), encoding, len(data), bounds, form, "layer")
    described.check(LIMITS, None)
    return decode(described, data, LIMITS, range(15), None)


def photo(data: bytes, encoding: Encoding = Encoding.PNG) -> NDArray[np.uint8]:
    return read(LayerKind.PHOTO, data, encoding).pixels


def test_plain_photos() -> None:
    image = Image.fromarray(COLORS)
    assert np.array_equal(photo(file(image)), COLORS)
    fine = photo(file(image, "JPEG", quality=98, subsampling=0), Encoding.JPEG)
    assert np.abs(fine.astype(int) - COLORS).mean() < 4


def test_grey_photos_become_rgb() -> None:
    grey = Image.fromarray(COLORS[:, :, 0])
    for data, encoding in ((file(grey), Encoding.PNG), (file(grey, "JPEG"), Encoding.JPEG)):
        got = photo(data, encoding)
        assert got.shape == (H, W, 3)
        assert np.array_equal(got[:, :, 0], got[:, :, 2])
    assert np.array_equal(photo(file(Image.fromarray(COLORS[:, :, 0] > 99)))[:, :, 1] == 255, COLORS[:, :, 0] > 99)


def test_palette_photos_by_their_colours() -> None:
    palette = Image.fromarray(COLORS).quantize(16)
    assert np.array_equal(photo(file(palette)), np.asarray(palette.convert("RGB")))


def test_transparent_pixels_are_never_copied_from() -> None:
    alpha = RANDOM.integers(0, 256, (H, W), dtype=np.uint8)
    got = read(LayerKind.PHOTO, file(Image.fromarray(np.dstack([COLORS, alpha]))))
    assert np.array_equal(got.pixels, COLORS)
    assert got.opaque is not None
    assert np.array_equal(got.opaque, alpha >= 128)
    solid = np.full((H, W), 255, np.uint8)
    assert read(LayerKind.PHOTO, file(Image.fromarray(np.dstack([COLORS, solid])))).opaque is None


def test_sixteen_bit_photos_keep_their_upper_bits() -> None:
    deep = RANDOM.integers(0, 65536, (H, W, 3), dtype=np.uint16)
    got = photo(png16(deep, 2))
    assert np.abs(got.astype(int) - deep / 257.0).max() <= 1.0
    grey = photo(png16(deep[:, :, 0], 0))
    assert np.array_equal(grey[:, :, 1], np.rint(deep[:, :, 0] / 257.0))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", [Encoding.PNG, Encoding.JPEG])
def test_orientation_is_applied(orientation: int, kind: Encoding) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.repeat(np.repeat(COLORS[::8, ::8], 8, 0), 8, 1)[:H, :W])
    data = file(image, kind.name, exif=exif)
    got = photo(data, kind)
    with Image.open(io.BytesIO(data)) as stored:
        upright = ImageOps.exif_transpose(stored)
    assert got.shape[:2] == ((W, H) if orientation >= 5 else (H, W))
    assert np.array_equal(got, np.asarray(upright))


def test_bounds_are_those_of_the_upright_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = file(Image.fromarray(COLORS), exif=exif)
    assert read(LayerKind.PHOTO, data, bounds=Bounds(3, 4, H, W)).bounds == Bounds(3, 4, H, W)
    with pytest.raises(SizeMismatch):
        read(LayerKind.PHOTO, data, bounds=Bounds(3, 4, W, H))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_is_no_reason_to_refuse() -> None:
    data = file(Image.fromarray(COLORS), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert photo(data, Encoding.JPEG).shape == (H, W, 3)


REFUSED = {
    "CMYK": (file(Image.fromarray(COLORS).convert("CMYK"), "JPEG"), Encoding.JPEG, "CMYK"),
    "GIF": (file(Image.fromarray(COLORS), "GIF"), Encoding.PNG, "a GIF"),
    "BMP": (file(Image.fromarray(COLORS), "BMP"), Encoding.PNG, "a BMP"),
    "TIFF": (file(Image.fromarray(COLORS), "TIFF"), Encoding.JPEG, "a TIFF"),
    "WebP": (file(Image.fromarray(COLORS), "WEBP"), Encoding.PNG, "a WebP"),
    "JPEG called PNG": (file(Image.fromarray(COLORS), "JPEG"), Encoding.PNG, "a JPEG"),
    "PNG called JPEG": (file(Image.fromarray(COLORS)), Encoding.JPEG, "a PNG"),
    "text": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", Encoding.PNG, "no picture file"),
    "zip": (b"PK\x03\x04" + b"\0" * 60, Encoding.PNG, "a zip"),
    "pickle": (b"\x80\x04\x95" + b"\0" * 60, Encoding.PNG, "no picture file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name: str) -> None:
    data, encoding, words = REFUSED[name]
    with pytest.raises(UnsupportedPixels, match=words) as refused:
        photo(data, encoding)
    assert refused.value.field == "layer.data"


@pytest.mark.parametrize("encoding", [Encoding.PNG, Encoding.JPEG])
def test_truncated_at_every_length(encoding: Encoding) -> None:
    data = file(Image.fromarray(COLORS), encoding.name)
    ends = sorted({*range(1, 64), *range(64, len(data) - 16, len(data) // 40)})
    for end in ends:
        with pytest.raises((DamagedData, UnsupportedPixels)):
            photo(data[:end], encoding)


def test_flipped_bytes_never_surprise() -> None:
    """A damaged file is read, as far as its format can't tell, or refused by our own error."""
    for encoding in (Encoding.PNG, Encoding.JPEG):
        data = file(Image.fromarray(COLORS), encoding.name)
        for place in range(0, len(data), max(1, len(data) // 150)):
            for bit in (0, 7):
                damaged = bytearray(data)
                damaged[place] ^= 1 << bit
                with contextlib.suppress(LayoutbrushError):
                    assert photo(bytes(damaged), encoding).dtype == np.uint8


def test_label_maps_by_value_or_index() -> None:
    assert np.array_equal(read(LayerKind.LABEL_MAP, file(Image.fromarray(IDS))).pixels, IDS)
    indexed = Image.new("P", (W, H))
    indexed.putdata(IDS.ravel().tolist())
    indexed.putpalette([value for index in range(16) for value in (255 - index, index, 7 * index)])
    assert np.array_equal(read(LayerKind.LABEL_MAP, file(indexed)).pixels, IDS)
    assert np.array_equal(read(LayerKind.LABEL_MAP, file(indexed, bits=4)).pixels, IDS)
    deep = png16(IDS.astype(np.uint16), 0)
    assert np.array_equal(read(LayerKind.LABEL_MAP, deep).pixels, IDS)
    with pytest.raises(InvalidArgument, match="Label 300"):
        read(LayerKind.LABEL_MAP, png16(np.full((H, W), 300, np.uint16), 0))
    for image in (Image.fromarray(COLORS), _with_alpha()):
        with pytest.raises(UnsupportedPixels, match="one channel"):
            read(LayerKind.LABEL_MAP, file(image))


def _with_alpha() -> Image.Image:
    image = Image.fromarray(IDS)
    image.putalpha(255)
    return image


def test_masks_in_grey() -> None:
    values = RANDOM.integers(0, 256, (H, W), dtype=np.uint8)
    expected = values >= 128
    image = Image.fromarray(values)
    for data in (file(image), file(image.convert("RGB")), file(image.convert("RGBA")), file(image.convert("P"))):
        assert np.array_equal(read(LayerKind.MASK, data).pixels, expected)
    assert np.array_equal(read(LayerKind.MASK, file(Image.fromarray(expected))).pixels, expected)
    deep = values.astype(np.uint16) * 257
    assert np.array_equal(read(LayerKind.MASK, png16(deep, 0)).pixels, deep >= 32768)
    with pytest.raises(UnsupportedPixels, match="colours"):
        read(LayerKind.MASK, file(Image.fromarray(COLORS)))
    clear = image.convert("RGBA")
    clear.putalpha(40)
    with pytest.raises(UnsupportedPixels, match="transparent"):
        read(LayerKind.MASK, file(clear))


TYPES = {
    DataType.UINT8: COLORS,
    DataType.UINT16: COLORS.astype("<u2") * 257,
    DataType.UINT16_TO_32768: np.rint(COLORS / 255.0 * 32768).astype("<u2"),
    DataType.FLOAT16: (COLORS / 255.0).astype("<f2"),
    DataType.FLOAT32: (COLORS / 255.0).astype("<f4"),
}


@pytest.mark.parametrize("numbers", TYPES)
@pytest.mark.parametrize("planes", PlaneOrder)
@pytest.mark.parametrize("order", ChannelOrder)
@pytest.mark.parametrize("gap", [0, 6])
def test_raw_photos_in_every_layout(numbers: DataType, planes: PlaneOrder, order: ChannelOrder, gap: int) -> None:
    rgb = TYPES[numbers]
    half = np.zeros((H, W, 1), rgb.dtype)
    half[:, W // 2 :] = numbers.maximum
    picked = {
        ChannelOrder.GRAY: rgb[:, :, :1],
        ChannelOrder.GRAY_ALPHA: np.dstack([rgb[:, :, :1], half]),
        ChannelOrder.RGB: rgb,
        ChannelOrder.RGBA: np.dstack([rgb, half]),
        ChannelOrder.BGR: rgb[:, :, ::-1],
        ChannelOrder.BGRA: np.dstack([rgb[:, :, ::-1], half]),
    }[order]
    planar = planes is PlaneOrder.PLANAR
    rows = np.moveaxis(picked, 2, 0).reshape(-1, W) if planar else picked.reshape(H, -1)
    data = b"".join(row.tobytes() + b"\xaa" * gap for row in rows)
    stride = rows.shape[1] * rows.dtype.itemsize + gap if gap else 0
    form = PixelFormat(order, numbers, planes, stride)
    got = read(LayerKind.PHOTO, data, Encoding.RAW, form)
    expected = np.repeat(COLORS[:, :, :1], 3, axis=2) if order.channels < 3 else COLORS
    assert np.array_equal(got.pixels, expected)
    if order.has_alpha:
        assert got.opaque is not None
        assert got.opaque[:, W // 2 :].all()
        assert not got.opaque[:, : W // 2].any()


def test_floats_are_clamped_but_must_be_numbers() -> None:
    form = PixelFormat(ChannelOrder.RGB, DataType.FLOAT32)
    values = np.zeros((H, W, 3), "<f4")
    values[0, 0], values[0, 1] = 1.5, -3.0
    got = read(LayerKind.PHOTO, values.tobytes(), Encoding.RAW, form).pixels
    assert (got[0, 0, 0], got[0, 1, 0]) == (255, 0)
    for bad in (np.nan, np.inf, -np.inf):
        values[5, 5, 1] = bad
        with pytest.raises(InvalidArgument, match="not numbers"):
            read(LayerKind.PHOTO, values.tobytes(), Encoding.RAW, form)


def test_values_above_photoshop_range_are_named() -> None:
    form = PixelFormat(ChannelOrder.RGB, DataType.UINT16_TO_32768)
    values = np.full((H, W, 3), 32769, "<u2")
    with pytest.raises(InvalidArgument, match="32768"):
        read(LayerKind.PHOTO, values.tobytes(), Encoding.RAW, form)
