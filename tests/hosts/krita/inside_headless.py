"""Run by kritarunner inside Krita: drives the plug-in without its widgets and writes down what it finds.

kritarunner -s inside_headless -f main, with SERVER, SLOW_SERVER, PHOTO and OUT in the environment.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from krita import InfoObject, Krita, Selection
from PyQt5.QtCore import QByteArray, QCoreApplication

OUT = Path(os.environ.get("OUT", "."))
FACTS: dict[str, Any] = {}


def main(args: object = None) -> None:
    """Called by kritarunner."""
    try:
        Krita.instance().setBatchmode(True)
        scenario()
    except Exception:  # noqa: BLE001  # told by the test
        FACTS["error"] = traceback.format_exc()
    (OUT / "facts.json").write_text(json.dumps(FACTS))


def scenario() -> None:
    """All that is tried, in an order that lets later steps use earlier ones."""
    import layoutbrush_krita  # noqa: F401  # finds the vendored packages
    from layoutbrush_krita import layers
    from layoutbrush_krita.host import EVERYTHING, KritaHost

    from layoutbrush.plugin_bridge.events import Result
    from layoutbrush.plugin_bridge.host.controller import Controller
    from layoutbrush.plugin_bridge.host.session import Session
    from layoutbrush.plugin_bridge.host.snapshot import MaskUse, Server, Wishes
    from layoutbrush.plugin_bridge.picture import Picture

    host = KritaHost()
    previews: list[list[int]] = []
    show = host.show_preview

    def counted(key: str, picture: Any) -> None:
        previews.append([picture.x, picture.y, picture.width, picture.height])
        show(key, picture)

    host.show_preview = counted
    controller = Controller(host, Session())
    controller.server = Server(os.environ["SERVER"])

    def finish(until: Callable[[], bool] = lambda: not controller.waiting) -> None:
        end = time.monotonic() + 60
        while not until():
            assert time.monotonic() < end, "the work did not end"
            controller.tick()
            QCoreApplication.processEvents()
            time.sleep(0.01)

    # Connection: nobody there, then the server.
    controller.server = Server("127.0.0.1:9")
    controller.test()
    finish()
    FACTS["nobody"] = [controller.connection.text, controller.connection.trouble]
    controller.server = Server(os.environ["SERVER"])
    controller.test()
    finish()
    FACTS["connection"] = [controller.connection.text, controller.connection.trouble]
    FACTS["names"] = [label.name for label in controller.palette.labels]

    # Labels, painting, a render.
    document = opened()
    key = layers.key_of(document)
    photo_before = whole(document, document.topLevelNodes()[0])
    controller.generate(key, Wishes())
    finish()
    FACTS["without_labels"] = [controller.status(key).text, controller.status(key).trouble]
    controller.segment(key)
    finish()
    painted = layers.label_layer(document)
    (OUT / "labels.bgra").write_bytes(whole(document, painted))
    FACTS["label_layer"] = [painted.name(), painted.opacity(), document.annotationTypes()]
    water = next(label for label in controller.palette.labels if label.name == "water")
    paint(painted, water.color, 100, 91, 61, 43)
    controller.generate(key, Wishes(seed=5))
    finish()
    FACTS["status"] = [controller.status(key).text, controller.status(key).trouble]
    FACTS["nodes"] = tree(document)
    result = next(node for node in layers.nodes(document.rootNode()) if node.name().startswith("Layoutbrush (seed"))
    (OUT / "result.bgra").write_bytes(whole(document, result))
    FACTS["result"] = [result.name(), result.opacity(), result.blendingMode(), result.visible()]
    (OUT / "selection.gray").write_bytes(
        bytes(result.childNodes()[0].selection().pixelData(0, 0, document.width(), document.height()))
    )
    FACTS["previews"] = list(previews)
    FACTS["photo_untouched"] = whole(document, document.topLevelNodes()[0]) == photo_before

    # Saved, opened again: layers and the photo's own labels are there.
    document.waitForDone()
    FACTS["saved"] = document.saveAs(str(OUT / "saved.kra"))
    again = Krita.instance().openDocument(str(OUT / "saved.kra"))
    again.setBatchmode(True)
    FACTS["nodes_again"] = tree(again)
    FACTS["labels_again"] = layers.remembered_labels(again) == layers.remembered_labels(document)
    again.close()

    # The photo may be another layer, or all that is visible but the plug-in's own layers.
    host.photo_choices[key] = result.uniqueId().toString()
    chosen = [host.photo(key).data == whole(document, result)]
    host.photo_choices[key] = EVERYTHING
    (OUT / "everything.bgra").write_bytes(host.photo(key).data)
    host.photo_choices[key] = "gone"
    controller.generate(key, Wishes())
    FACTS["chosen"] = [*chosen, controller.status(key).text, tree(document) == FACTS["nodes"]]
    del host.photo_choices[key]

    # A selection bounds the change; the whole selection may be made anew.
    select(document, 110, 95, 11, 13)
    controller.generate(key, Wishes(seed=6))
    finish()
    FACTS["bounded"] = opaque_bounds(document, topmost(document, "Layoutbrush (seed 6)"))
    controller.generate(key, Wishes(seed=7, mask_use=MaskUse.SELECTION))
    finish()
    FACTS["selected"] = opaque_bounds(document, topmost(document, "Layoutbrush (seed 7)"))
    document.setSelection(None)

    # A colour of no label is told; nothing is rendered.
    count = len(tree(document))
    paint(painted, (255, 0, 255), 10, 12, 9, 9)
    controller.generate(key, Wishes(seed=8))
    finish()
    FACTS["stray"] = [controller.status(key).text, len(tree(document)) - count]
    paint(painted, water.color, 10, 12, 9, 9)

    # Two documents at once: each gets its own.
    other = opened()
    other_key = layers.key_of(other)
    controller.segment(other_key)
    finish()
    paint(layers.label_layer(other), water.color, 31, 150, 40, 20)
    controller.generate(key, Wishes(seed=9))
    controller.generate(other_key, Wishes(seed=10))
    finish()
    FACTS["apart"] = [
        [node.name() for node in layers.nodes(one.rootNode()) if node.name().startswith("Layoutbrush (seed")][-1]
        for one in (document, other)
    ]

    # A large canvas is asked about.
    questions: list[str] = []
    host.size = lambda key: (9000, 4000)

    def ask(question: str) -> bool:
        questions.append(question)
        return False

    host.ask = ask
    controller.generate(key, Wishes(seed=11))
    FACTS["large"] = [questions, controller.status(key).text, controller.busy(key)]
    del host.size

    # Cancelled, and closed, in mid-render.
    controller.server = Server(os.environ["SLOW_SERVER"])
    count = len(tree(document))
    controller.generate(key, Wishes(seed=12))
    controller.generate(other_key, Wishes(seed=13))
    both = (key, other_key)  # the server renders one at a time; the other one waits
    finish(lambda: any((controller.status(k).done or 0) > 0.01 for k in both))
    finish(lambda: any("aiting behind" in controller.status(k).text for k in both))
    FACTS["waiting"] = sorted(controller.status(k).text for k in both)
    begun = time.monotonic()
    controller.cancel(key)
    finish(lambda: not controller.busy(key))
    FACTS["cancelled"] = [controller.status(key).text, len(tree(document)) - count, time.monotonic() - begun]
    other.setModified(False)
    other.close()
    del other
    finish()
    FACTS["closed"] = [controller.busy(other_key), controller.status(other_key).text]
    controller.server = Server(os.environ["SERVER"])

    # Other depths are converted, in a copy; other models are refused by name.
    FACTS["depths"] = {}
    for model, depth in (("RGBA", "U16"), ("RGBA", "F32"), ("GRAYA", "U8"), ("CMYKA", "U8")):
        deep = opened()
        deep.setColorSpace(model, depth, "")
        deep.waitForDone()
        deep_key = layers.key_of(deep)
        controller.segment(deep_key)
        finish()
        facts: list[Any] = [controller.status(deep_key).text]
        FACTS["depths"][f"{model} {depth}"] = facts
        if layer := layers.label_layer(deep):
            paint(layer, water.color, 20, 21, 50, 40)
            controller.generate(deep_key, Wishes(seed=14))
            finish()
            made = topmost(deep, "Layoutbrush (seed 14)")
            facts += [controller.status(deep_key).text, made.colorDepth(), deep.colorModel(), deep.colorDepth()]
            facts += [opaque_bounds(deep, made)]
        deep.setModified(False)
        deep.close()

    # A preview of half the size is stretched over its bounds.
    small = bytes(value for i in range(12) for value in (20 * i, 255 - 20 * i, i, 255))
    stretched = layers.new_layer(document, "stretched")
    layers.put_pixels(stretched, Picture(small, 8, 6, "BGRA", x=-3, y=7, pixel_width=4, pixel_height=3))
    large = bytes(stretched.pixelData(-3, 7, 8, 6))
    wanted = b"".join(small[4 * (y // 2 * 4 + x // 2) :][:4] for y in range(6) for x in range(8))
    bounds = stretched.bounds()
    FACTS["stretched"] = [large == wanted, bounds.x(), bounds.y(), bounds.width(), bounds.height()]

    # A preview that comes to nothing is taken away; one that the painter has undone is made again.
    names_before = tree(document)
    preview = Picture(small, 4, 3, "BGRA", x=9, y=8, pixel_width=4, pixel_height=3)
    show(key, preview)
    FACTS["preview"] = [node.name() for node in document.topLevelNodes()]
    host.drop_preview(key)
    host.drop_preview(key)
    FACTS["dropped"] = tree(document) == names_before
    show(key, preview)
    topmost(document, "Layoutbrush preview").remove()
    host.show_result(key, Result(preview, Picture.gray(bytes(12), 4, 3, 9, 8)), "Made again")
    again = topmost(document, "Made again")
    FACTS["made_again"] = [bytes(again.pixelData(9, 8, 4, 3)) == small, len(tree(document)) - len(names_before)]
    again.remove()

    # 8-bit RGB of another profile: the same bytes go and come, the profile stays.
    other = opened()
    other.setColorProfile("sRGB-elle-V2-g10.icc")
    other.waitForDone()
    other_key = layers.key_of(other)
    controller.segment(other_key)
    finish()
    paint(layers.label_layer(other), water.color, 100, 91, 61, 43)
    controller.generate(other_key, Wishes(seed=5))
    finish()
    made = topmost(other, "Layoutbrush (seed 5)")
    FACTS["profile"] = [other.colorProfile(), made.colorProfile(), controller.status(other_key).text]
    (OUT / "profile.bgra").write_bytes(whole(other, made))
    other.setModified(False)
    other.close()

    # Labels found again: a new layer, the painted one is hidden and keeps its pixels.
    kept = whole(document, painted)
    controller.segment(key)
    finish()
    fresh = layers.label_layer(document)
    FACTS["refreshed"] = [fresh.name(), painted.name(), painted.visible(), whole(document, painted) == kept]
    (OUT / "fresh.bgra").write_bytes(whole(document, fresh))
    fresh.remove()
    painted.setVisible(True)
    document.waitForDone()

    # Layered files for `layoutbrush edit-file`.
    FACTS["exported"] = [document.exportImage(str(OUT / f"layered.{kind}"), InfoObject()) for kind in ("psd", "ora")]
    document.setModified(False)
    controller.close()


def opened() -> Any:
    """The photo as a new document."""
    document = Krita.instance().openDocument(os.environ["PHOTO"])
    document.setBatchmode(True)
    return document


def paint(layer: Any, color: tuple[int, int, int], x: int, y: int, width: int, height: int) -> None:
    """A hard stroke, as a brush leaves it."""
    red, green, blue = color
    layer.setPixelData(QByteArray(bytes([blue, green, red, 255]) * (width * height)), x, y, width, height)


def select(document: Any, x: int, y: int, width: int, height: int) -> None:
    """Select a rectangle."""
    selection = Selection()
    selection.select(x, y, width, height, 255)
    document.setSelection(selection)


def whole(document: Any, node: Any) -> bytes:
    """A layer's pixels over the canvas."""
    return bytes(node.pixelData(0, 0, document.width(), document.height()))


def topmost(document: Any, start: str) -> Any:
    """The layer whose name begins so."""
    return next(node for node in reversed(document.topLevelNodes()) if node.name().startswith(start))


def opaque_bounds(document: Any, node: Any) -> list[int]:
    """Left, top, right, bottom of what is not clear."""
    alpha, width = whole(document, node)[3::4], document.width()
    places = [index for index, value in enumerate(alpha) if value]
    columns = [place % width for place in places]
    return [min(columns), places[0] // width, max(columns), places[-1] // width]


def tree(document: Any) -> list[Any]:
    """Names and kinds of the layers, from the bottom up."""
    return [[n.name(), n.type(), [c.type() for c in n.childNodes()]] for n in document.topLevelNodes()]
