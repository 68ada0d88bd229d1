"""What one render needs, taken from a host's document at one moment: bytes only, so that any thread may hold it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from layoutbrush.plugin_bridge.host.problem import HostProblem
from layoutbrush.plugin_bridge.picture import Picture

LARGE_PIXELS = 24_000_000
"""Canvases from here on are asked about before they are sent."""


@dataclass(frozen=True)
class Server:
    """`address`: HOST:PORT, or https://HOST:PORT of an encrypted one. `token`: where the server wants one."""

    address: str = "127.0.0.1:50051"
    token: str = ""

    @property
    def encrypted(self) -> bool:
        """True where the address asks for TLS."""
        return self.address.startswith(("https://", "grpcs://"))

    @property
    def host_and_port(self) -> str:
        """HOST:PORT."""
        return self.address.split("://", 1)[-1].rstrip("/")


class MaskUse(Enum):
    """Where the picture may change."""

    CHANGED = "changed"
    """Where the painted labels differ from the photo's; a selection bounds it."""
    SELECTION = "selection"
    """In the whole selection, painted or not."""


@dataclass(frozen=True)
class Wishes:
    """What the painter set. `seed`: 0 to 2147483647. `grow`: share by which the repainted area is grown, 0 to 1."""

    mask_use: MaskUse = MaskUse.CHANGED
    seed: int = 0
    grow: float = 0.10


@dataclass(frozen=True)
class Snapshot:
    """`photo`: raw pixels at their place on the canvas. All other pictures lie where the photo lies.

    `painted`: the label layer as it is painted, four bytes a pixel in the `order` BGRA or RGBA, straight alpha; None =
    there is none. `labels`: ids of the photo before painting (GRAY); None = the server finds them. `selection`: mask of
    the host (GRAY, 128 and more = selected). `exclude`: what must not be copied from, likewise. `note`: what the
    painter should know of the result, such as a conversion of colours; may be empty.
    """

    photo: Picture
    painted: bytes | None = None
    order: str = "BGRA"
    labels: Picture | None = None
    selection: Picture | None = None
    exclude: Picture | None = None
    wishes: Wishes = field(default_factory=Wishes)
    note: str = ""

    def check(self) -> None:
        """Refuse what can't be rendered before anything is sent.

        Raises:
            HostProblem: says what to do.
        """
        pixels = self.photo.width * self.photo.height
        if self.painted is not None and len(self.painted) != 4 * pixels:
            raise HostProblem("The label layer is not of the canvas' size.")
        if self.wishes.mask_use is MaskUse.SELECTION and self.selection is None:
            raise HostProblem("Nothing is selected. Select what shall be made anew, or render what you repainted.")


def size_question(width: int, height: int) -> str:
    """What to ask before a canvas of this size is sent; empty for sizes that need no question."""
    if width * height < LARGE_PIXELS:
        return ""
    return (
        f"The canvas has {width} x {height} pixels ({width * height / 1e6:.0f} megapixels). About "
        f"{width * height * 4 / 1e6:.0f} MB go to the server, and a render takes longer. Go on?"
    )
