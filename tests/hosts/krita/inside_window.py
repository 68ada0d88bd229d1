"""A plug-in of its own inside a whole Krita: presses the docker's buttons and writes down what it finds.

SERVER, SLOW_SERVER, PHOTO and OUT come in the environment. Steps wait by handing conditions to a timer, so that Krita's
event loop runs as it does for a painter.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from krita import Extension, Krita
from PyQt5.QtCore import QPoint, Qt, QTimer
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QWidget

OUT = Path(os.environ.get("OUT", "."))
FACTS: dict[str, Any] = {}
STEP_SECONDS = 60
CANVASES = ("KisOpenGLCanvas2", "KisQPainterCanvas")
Condition = Callable[[], bool]


def scenario() -> Iterator[Condition]:
    """What a painter does; each yielded condition is waited for."""
    from layoutbrush_krita import layers

    krita = Krita.instance()
    yield lambda: krita.activeWindow() is not None
    window = krita.activeWindow()
    window.qwindow().resize(1500, 950)
    docker = next(d for d in krita.dockers() if d.objectName() == "layoutbrush")
    FACTS["visible_at_once"] = docker.isVisible()
    for other in krita.dockers():  # room for the docker in the pictures
        if other.objectName() not in ("layoutbrush", "KisLayerBox", "sharedtooldocker", "ToolBox"):
            other.setVisible(False)
    docker.setVisible(True)
    docker.raise_()
    FACTS["no_document"] = [docker.status.text(), docker.generate_button.isEnabled()]
    document = krita.openDocument(os.environ["PHOTO"])
    document.setBatchmode(True)
    window.showView(window.addView(document))
    yield lambda: docker.generate_button.isEnabled()

    docker.address.setText(os.environ["SERVER"])
    docker.test_button.click()
    yield lambda: bool(docker.palette_view.buttons)
    FACTS["connection"] = docker.connection.text()
    docker.labels_button.click()
    yield idle(docker)
    FACTS["button"] = docker.labels_button.text()
    labels = layers.label_layer(document)
    docker.palette_view.buttons[4].click()
    yield lambda: document.activeNode().name() == labels.name()
    color = window.activeView().foregroundColor()
    FACTS["brush"] = [round(255 * value) for value in color.components()[:3]]
    FACTS["water"] = list(next(label.color for label in docker.controller.palette.labels if label.id == 4))

    # A stroke of the ordinary brush, by the mouse; then a layer of the painter's own.
    canvas = next(w for w in window.qwindow().findChildren(QWidget) if w.metaObject().className() in CANVASES)
    canvas.activateWindow()
    before = whole(document, labels)
    while whole(document, labels) == before:  # a slow machine's canvas may not be ready for the first one
        yield from stroke(canvas)
        document.waitForDone()
    (OUT / "painted.bgra").write_bytes(whole(document, labels))
    mine = document.createNode("mine", "paintlayer")
    document.rootNode().addChildNode(mine, None)
    docker.generate_button.click()
    FACTS["at_work"] = [
        docker.cancel_button.isEnabled(),
        docker.generate_button.isEnabled(),
        docker.progress.isVisible(),
    ]
    yield idle(docker)
    FACTS["status"] = docker.status.text()
    FACTS["result"] = names(document)
    document.waitForDone()
    yield pause(0.5)
    FACTS["active"] = document.activeNode().name()
    window.qwindow().grab().save(str(OUT / "window.png"))
    docker.setFloating(True)
    docker.resize(400, 640)
    yield pause(0.3)
    docker.grab().save(str(OUT / "docker.png"))

    undo, redo = krita.action("edit_undo"), krita.action("edit_redo")
    for name, action in (("undone", undo), ("redone", redo), ("undone_again", undo), ("undone_before", undo)):
        action.trigger()
        document.waitForDone()
        yield pause(0.2)
        FACTS[name] = names(document)

    docker.address.setText(os.environ["SLOW_SERVER"])
    docker.generate_button.click()
    yield lambda: docker.progress.value() > 5
    docker.grab().save(str(OUT / "waiting.png"))
    (OUT / "rendering").touch()  # the test kills the server now
    yield idle(docker)
    FACTS["lost"] = [docker.status.text(), names(document), docker.generate_button.isEnabled()]
    docker.grab().save(str(OUT / "lost.png"))

    docker.address.setText(os.environ["SERVER"])
    docker.generate_button.click()
    yield idle(docker)
    FACTS["recovered"] = [docker.status.text(), names(document)]
    FACTS["settings"] = krita.readSetting("layoutbrush", "server", "")


def stroke(canvas: QWidget) -> Iterator[Condition]:
    """Press, draw and let go of the mouse, from the middle of the canvas to the right and down."""
    middle = canvas.rect().center()
    QTest.mouseMove(canvas, middle)
    yield pause(0.2)
    QTest.mousePress(canvas, Qt.LeftButton, Qt.NoModifier, middle)
    for step in range(12):
        yield pause(0.05)
        QTest.mouseMove(canvas, QPoint(middle.x() + 15 * step, middle.y() + 6 * step))
    QTest.mouseRelease(canvas, Qt.LeftButton, Qt.NoModifier, QPoint(middle.x() + 165, middle.y() + 66))
    yield pause(0.3)


def whole(document: Any, node: Any) -> bytes:
    """A layer's pixels over the canvas."""
    return bytes(node.pixelData(0, 0, document.width(), document.height()))


def idle(docker: Any) -> Condition:
    """True once nothing is waited for."""
    return lambda: not docker.controller.waiting


def pause(seconds: float) -> Condition:
    """True after some time."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def names(document: Any) -> list[str]:
    """Top layers, from the bottom up."""
    return [node.name() for node in document.topLevelNodes()]


class Driver(Extension):  # type: ignore[misc]  # Krita has no types
    """Runs the scenario once Krita has its window."""

    def setup(self) -> None:
        """Called by Krita."""

    def createActions(self, window: Any) -> None:
        """Called by Krita for each window."""
        self._steps = scenario()
        self._condition: Condition = lambda: True
        self._since = time.monotonic()
        self._timer = QTimer()
        self._timer.setInterval(30)
        self._timer.timeout.connect(self._go_on)
        QTimer.singleShot(1000, self._timer.start)

    def _go_on(self) -> None:
        try:
            if self._condition():
                self._condition, self._since = next(self._steps), time.monotonic()
            elif time.monotonic() - self._since > STEP_SECONDS:
                raise TimeoutError(f"a step took more than {STEP_SECONDS} s")
        except StopIteration:
            self._end()
        except Exception:  # noqa: BLE001  # told by the test
            FACTS["error"] = traceback.format_exc()
            self._end()

    def _end(self) -> None:
        self._timer.stop()
        (OUT / "facts.json").write_text(json.dumps(FACTS))
        for document in Krita.instance().documents():
            document.setModified(False)
            document.close()
        Krita.instance().action("file_quit").trigger()


Krita.instance().addExtension(Driver(Krita.instance()))
