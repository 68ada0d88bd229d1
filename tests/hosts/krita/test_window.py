"""The docker in a whole Krita under Xvfb: what a painter sees and presses, undo, and a server that is killed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from layoutbrush.plugin_bridge import Client
from layoutbrush.plugin_bridge.host import Palette, label_layer

if TYPE_CHECKING:
    from tests.hosts.krita.conftest import Home, SlowServer

DRIVER = """[Desktop Entry]
Type=Service
ServiceTypes=Krita/PythonPlugin
X-KDE-Library=inside_window
X-Python-2-Compatible=false
Name=Drives the docker
"""


@pytest.fixture(scope="module")
def facts(
    home: Home,
    screen: str,
    server: str,
    slow_server: SlowServer,
    photo: Path,
    pictures: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """What the script found out; one run of Krita for all tests here. Its screenshots are kept."""
    out = tmp_path_factory.mktemp("out")
    (home.plugins / "inside_window").mkdir()
    shutil.copy(Path(__file__).parent / "inside_window.py", home.plugins / "inside_window" / "__init__.py")
    (home.plugins / "inside_window.desktop").write_text(DRIVER)
    with (home.path / ".config/kritarc").open("a") as settings:
        settings.write("enable_inside_window=true\n")
    more = {"SERVER": server, "SLOW_SERVER": slow_server.address, "PHOTO": str(photo), "OUT": str(out)}
    killed_when = (out / "rendering", slow_server.process)
    done = home.run(["krita", "--nosplash"], killed_when=killed_when, DISPLAY=screen, **more)
    for name in ("window.png", "docker.png", "waiting.png", "lost.png"):
        if (out / name).exists():
            shutil.copy(out / name, pictures / name)
    facts = home.facts(out, done)
    facts["status_of_krita"] = done.returncode
    facts["painted"] = (out / "painted.bgra").read_bytes()
    return facts


def test_docker_is_there_after_the_import(facts: dict[str, Any], pictures: Path) -> None:
    assert facts["visible_at_once"]
    assert facts["no_document"] == ["Open a photo first.", False]
    with Image.open(pictures / "window.png") as image:
        assert image.width > 1000 and len(image.convert("RGB").getcolors(1 << 24) or ()) > 1000


def test_palette_takes_exact_colours_to_the_brush(facts: dict[str, Any]) -> None:
    assert "stand-in" in facts["connection"]
    assert facts["button"] == "Refresh labels"
    assert facts["brush"] == facts["water"][::-1]


def test_antialiased_stroke_is_read_as_labels(facts: dict[str, Any], server: str, photo: Path) -> None:
    """What Krita's own brush left on the label layer: a body in the label's colour, and rims that are blends."""
    with Client(server) as client:
        palette = Palette.of(client.info().bundle.labels)
    with Image.open(photo) as image:
        width, height = image.size
    reading = label_layer.read(facts["painted"], width, height, palette)
    assert reading.strays == () and reading.blended > 20
    red, green, blue = palette.colors[4]
    body = sum(facts["painted"][i : i + 4] == bytes([blue, green, red, 255]) for i in range(0, 4 * width * height, 4))
    assert body > 500
    assert body < reading.ids.count(4) < body + reading.blended, "of the rim, about half is water"


def test_generate_keeps_the_editor_free_and_lands_below_the_labels(facts: dict[str, Any]) -> None:
    assert facts["at_work"] == [True, False, True]
    assert facts["status"].startswith("Done in")
    assert facts["result"][1:] == ["Layoutbrush (seed 0)", "Layoutbrush labels", "mine"]
    assert facts["active"] == "mine", "the painter's layer stays the active one"


def test_one_undo_takes_the_result_away(facts: dict[str, Any]) -> None:
    photo, result, labels, mine = facts["result"]
    assert facts["undone"] == facts["undone_again"] == [photo, labels, mine]
    assert facts["redone"] == [photo, result, labels, mine]
    assert facts["undone_before"] == [photo, labels], "the next undo is the painter's own step"


def test_killed_server_is_survived_and_told(facts: dict[str, Any]) -> None:
    text, layers, enabled = facts["lost"]
    assert "went away" in text or "layoutbrush serve" in text
    assert layers == facts["undone_before"] and enabled
    assert facts["recovered"][0].startswith("Done in") and len(facts["recovered"][1]) == len(layers) + 1
    assert facts["settings"]
    assert facts["status_of_krita"] == 0


def test_screenshots_are_kept(facts: dict[str, Any], pictures: Path) -> None:
    assert {"window.png", "docker.png", "waiting.png", "lost.png"} <= {path.name for path in pictures.iterdir()}
