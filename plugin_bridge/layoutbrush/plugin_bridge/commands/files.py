"""Picture files of the commands: photos, label maps and masks in, layers and photos out.

What would be read as something else without a word (16 bits a channel, CMYK, colours as label ids) is refused by name.
"""

from __future__ import annotations

import os
import struct
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 64 * 1024 * 1024
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM")
_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L")


class Problem(Exception):
    """What a command can't do; the message is one sentence that names the file or flag at fault."""


class FileProblem(Problem):
    """A file that can't be used."""


@dataclass(frozen=True, eq=False)
class Photo:
    """`colors`: uint8 (H, W, 3) RGB, upright. `alpha`: uint8 (H, W), None where the file has none. `profile`: ICC."""

    colors: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    profile: bytes | None = None

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """RGB or, with alpha, RGBA: uint8 (H, W, 3 or 4)."""
        return self.colors if self.alpha is None else np.dstack([self.colors, self.alpha])


def read_photo(path: Path) -> Photo:
    """Return a photo: EXIF orientation applied, grey and palettes as RGB, alpha kept.

    Raises:
        FileProblem: not a picture, truncated, CMYK, more than 8 bits a channel, or too large.
    """
    with _decoded(path) as image:
        if image.mode in _DEEP_MODES or _png_depth(path) == 16:
            raise FileProblem(f"{path.name} has more than 8 bits a channel; save it with 8.")
        if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA"):
            raise FileProblem(f"{path.name} is a {image.mode} picture; save it as RGB.")
        upright = ImageOps.exif_transpose(image)
        profile = upright.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
        clear = "A" in upright.mode or "transparency" in upright.info
        values = np.asarray(upright.convert("RGBA" if clear else "RGB"))
    colors = np.ascontiguousarray(values[..., :3])
    return Photo(colors, np.ascontiguousarray(values[..., 3]) if clear else None, profile)


def read_labels(path: Path) -> NDArray[np.uint8]:
    """Return a label map, uint8 (H, W) of ids; a palette picture by its indices.

    Raises:
        FileProblem: not a picture of one 8-bit channel.
    """
    with _decoded(path) as image:
        if image.mode not in ("L", "P"):
            sentence = f"{path.name} is no label map: it must have one 8-bit channel of label ids, and is {image.mode}."
            raise FileProblem(sentence)
        return np.array(image, np.uint8)


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Return a mask, bool (H, W): True where the picture is at least half white.

    Raises:
        FileProblem: not a picture, or of more than 8 bits a channel.
    """
    with _decoded(path) as image:
        if image.mode in _DEEP_MODES:
            raise FileProblem(f"{path.name} has more than 8 bits a channel; save it with 8.")
        return np.array(image.convert("L"), np.uint8) >= 128


def write_png(path: Path, pixels: NDArray[np.uint8], profile: bytes | None = None) -> None:
    """Write uint8 (H, W), (H, W, 3) or (H, W, 4) as PNG; the file is there whole or not at all.

    Raises:
        FileProblem: the folder can't be written to.
    """
    _save(path, Image.fromarray(pixels), profile)


def write_labels(path: Path, labels: NDArray[np.uint8], colors: Mapping[int, tuple[int, int, int]]) -> None:
    """Write uint8 (H, W) of label ids as an 8-bit PNG: by palette where `colors` has any, else grey.

    Raises:
        FileProblem: the folder can't be written to.
    """
    image = Image.fromarray(labels)
    if colors:
        image = Image.frombytes("P", image.size, image.tobytes())
        image.putpalette([value for i in range(256) for value in colors.get(i, (i, i, i))])
    _save(path, image, None)


def _save(path: Path, image: Image.Image, profile: bytes | None) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".png", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                image.save(stream, "PNG", compress_level=3, icc_profile=profile)
            Path(draft).chmod(0o644)
            Path(draft).replace(path)
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        raise FileProblem(f"{path} can't be written: {error.strerror or 'no room or no permission'}.") from error


def check_output(path: Path) -> None:
    """Refuse a name that is not a PNG's: other kinds would change pixels outside the mask.

    Raises:
        FileProblem: says so.
    """
    if path.suffix.lower() != ".png":
        raise FileProblem(f"{path.name}: results are PNG files, so that nothing outside the mask changes.")


def check_size(values: NDArray[np.generic], photo: Photo, flag: str) -> None:
    """Refuse a map that is not of the photo's size.

    Raises:
        FileProblem: names the flag and both sizes.
    """
    if values.shape[:2] != photo.colors.shape[:2]:
        mine, its = (f"{a.shape[1]} x {a.shape[0]}" for a in (values, photo.colors))
        raise FileProblem(f"{flag} is {mine} pixels, the photo (upright) is {its}.")


@contextmanager
def _decoded(path: Path) -> Iterator[Image.Image]:
    """Open and decode one of the known kinds."""
    try:
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(stream, formats=_FORMATS)
            if image.width * image.height > MAX_PIXELS:
                raise FileProblem(f"{path.name} has {image.width} x {image.height} pixels; the limit is 64 megapixels.")
            image.load()
    except FileNotFoundError as error:
        raise FileProblem(f"There is no file {path}.") from error
    except IsADirectoryError as error:
        raise FileProblem(f"{path} is a folder.") from error
    except UnidentifiedImageError as error:
        raise FileProblem(f"{path.name} is not a picture of a known kind ({', '.join(_FORMATS)}).") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise FileProblem(f"{path.name} is damaged or truncated.") from error
    with image:
        yield image


def _png_depth(path: Path) -> int:
    """Return the bits a channel of a PNG, 0 for any other file: Pillow opens 16-bit RGB as 8-bit without a word."""
    with path.open("rb") as stream:
        head = stream.read(26)
    if len(head) < 26 or head[:8] != b"\x89PNG\r\n\x1a\n":
        return 0
    depth: int = struct.unpack(">B", head[24:25])[0]
    return depth
