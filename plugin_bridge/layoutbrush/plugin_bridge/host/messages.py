"""What a session tells its host, polled from the user interface's thread. `key`: which document of the host."""

from __future__ import annotations

from dataclasses import dataclass

from layoutbrush.plugin_bridge.events import Result
from layoutbrush.plugin_bridge.host.palette import Palette
from layoutbrush.plugin_bridge.picture import Picture


@dataclass(frozen=True)
class Connected:
    """The server answers. `sentence`: what it is, for people."""

    sentence: str
    palette: Palette


@dataclass(frozen=True)
class Unreachable:
    """The test of the connection failed. `sentence`: why, for people."""

    sentence: str


@dataclass(frozen=True)
class Advanced:
    """Work goes on. `text`: what is done, for people. `done`: 0 to 1."""

    key: str
    text: str
    done: float


@dataclass(frozen=True)
class Labelled:
    """The label map of the photo (GRAY), as asked for. `colors`: the same as a painted layer."""

    key: str
    labels: Picture
    colors: Picture
    palette: Palette


@dataclass(frozen=True)
class Previewed:
    """A picture on the way: opaque, perhaps smaller than its bounds."""

    key: str
    picture: Picture


@dataclass(frozen=True)
class Finished:
    """The result. `note`: what the painter should know besides, may be empty."""

    key: str
    result: Result
    note: str = ""


@dataclass(frozen=True)
class Failed:
    """There is no result. `sentence`: why, for people."""

    key: str
    sentence: str


@dataclass(frozen=True)
class Cancelled:
    """The painter's wish was followed."""

    key: str


Message = Connected | Unreachable | Advanced | Labelled | Previewed | Finished | Failed | Cancelled
