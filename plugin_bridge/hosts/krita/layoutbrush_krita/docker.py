"""The docker: widgets around `controller.Controller`. Waiting happens in the session's threads; a timer polls them."""

from __future__ import annotations

from typing import Any

from krita import DockWidget, Krita
from PyQt5.QtCore import QCoreApplication, Qt, QTimer
from PyQt5.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from layoutbrush.plugin_bridge.host.controller import Controller
from layoutbrush.plugin_bridge.host.palette import Label, Palette
from layoutbrush.plugin_bridge.host.session import Session
from layoutbrush.plugin_bridge.host.snapshot import MaskUse, Server, Wishes

from . import layers
from .host import EVERYTHING, KritaHost
from .palette_view import PaletteView

TICK_MS = 60
_GROUP = "layoutbrush"
_MOST_SEED = (1 << 31) - 1


class LayoutbrushDocker(DockWidget):
    """What the painter sees. One for each window of Krita."""

    def __init__(self) -> None:
        super().__init__()
        self.setWindowTitle("Layoutbrush")
        self.host = KritaHost()
        self.controller = Controller(self.host, Session())
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        self._build()
        self._load()
        QCoreApplication.instance().aboutToQuit.connect(self.controller.close)
        self.refresh()

    def canvasChanged(self, canvas: Any) -> None:
        """Called by Krita when another document comes to the front, or none is left."""
        self.photo.show_document(Krita.instance().activeDocument(), self.host.photo_choices.get(self.key(), ""))
        self.refresh()

    def key(self) -> str:
        """The document in front; empty where there is none."""
        document = Krita.instance().activeDocument()
        return layers.key_of(document) if document is not None else ""

    def refresh(self) -> None:
        """Show how things stand for the document in front."""
        key = self.key()
        status, connection = self.controller.status(key), self.controller.connection
        busy = self.controller.busy(key)
        self.connection.setText(connection.text)
        self.connection.setStyleSheet(_style(connection.trouble))
        self.status.setText(status.text)
        self.status.setStyleSheet(_style(status.trouble))
        self.progress.setVisible(busy)
        self.progress.setValue(round(1000 * (status.done or 0.0)))
        self.generate_button.setEnabled(bool(key) and not busy)
        self.labels_button.setEnabled(bool(key) and not busy)
        self.cancel_button.setEnabled(busy)
        document = Krita.instance().activeDocument()
        painted = layers.label_layer(document) if document is not None else None
        self.labels_button.setText("Refresh labels" if painted else "Find labels")
        self.show_labels.setEnabled(painted is not None)
        self.show_labels.blockSignals(True)
        self.show_labels.setChecked(painted is not None and painted.visible())
        self.show_labels.blockSignals(False)
        self.palette_view.show_palette(self.controller.palette)

    def wishes(self) -> Wishes:
        """What is set in the docker."""
        return Wishes(
            mask_use=MaskUse(self.mask_use.currentData()),
            seed=self.seed.value(),
            grow=self.grow.value() / 100,
        )

    def test(self) -> None:
        """Test the connection."""
        self._save()
        self.controller.test()
        self._go_on()

    def find_labels(self) -> None:
        """Make a label layer, or a fresh one."""
        self._save()
        self.controller.segment(self.key())
        self._go_on()

    def generate(self) -> None:
        """Render the document in front."""
        self._save()
        self.controller.generate(self.key(), self.wishes())
        self._go_on()

    def cancel(self) -> None:
        """End the work on the document in front."""
        self.controller.cancel(self.key())
        self.refresh()

    def pick(self, label: Label) -> None:
        """Paint with a label from now on: its colour in front, the label layer active."""
        window, document = Krita.instance().activeWindow(), Krita.instance().activeDocument()
        view = window.activeView() if window else None
        if view is None or document is None:
            return
        layer = layers.label_layer(document)
        profile = (layer or document).colorProfile() if layers.is_direct(layer or document) else layers.SRGB
        view.setForeGroundColor(layers.managed_color(profile, label.color))
        if layer is not None:
            document.setActiveNode(layer)

    def _go_on(self) -> None:
        self._timer.start()
        self.refresh()

    def _tick(self) -> None:
        if self.controller.tick():
            self.refresh()
        if not self.controller.waiting:
            self._timer.stop()
            self.refresh()

    def _set_label_visibility(self, visible: bool) -> None:
        document = Krita.instance().activeDocument()
        layer = layers.label_layer(document) if document is not None else None
        if layer is not None:
            layer.setVisible(visible)
            document.refreshProjection()

    def _set_photo(self) -> None:
        if key := self.key():
            self.host.photo_choices[key] = self.photo.currentData() or ""

    def _set_another_seed(self) -> None:
        self.seed.setValue(self.seed.value() + 1 if self.seed.value() < _MOST_SEED else 0)

    def _load(self) -> None:
        read = Krita.instance().readSetting
        self.address.setText(read(_GROUP, "server", Server().address))
        self.token.setText(read(_GROUP, "token", ""))
        self.controller.palette = Palette.load(read(_GROUP, "palette", ""))
        self._save()

    def _save(self) -> None:
        server = Server(self.address.text().strip(), self.token.text().strip())
        self.controller.server = server
        write = Krita.instance().writeSetting
        write(_GROUP, "server", server.address)
        write(_GROUP, "token", server.token)
        write(_GROUP, "palette", self.controller.palette.dump())

    def _build(self) -> None:
        """Make the widgets, from the top down in the order of use."""
        self.address, self.token = QLineEdit(), QLineEdit()
        self.address.setToolTip("HOST:PORT, or https://HOST:PORT of an encrypted server")
        self.token.setEchoMode(QLineEdit.Password)
        self.token.setPlaceholderText("if it wants one")
        self.test_button = _button("Test", self.test, "Ask the server what it is")
        self.connection, self.status = _text(), _text()
        self.labels_button = _button("Find labels", self.find_labels, "Make a layer that shows what is where")
        self.show_labels = QCheckBox("Show")
        self.show_labels.toggled.connect(self._set_label_visibility)
        self.palette_view = PaletteView(self.pick)
        self.photo = PhotoChoice()
        self.photo.activated.connect(self._set_photo)
        self.mask_use = QComboBox()
        self.mask_use.addItem("what I repainted", MaskUse.CHANGED.value)
        self.mask_use.addItem("the whole selection", MaskUse.SELECTION.value)
        for choice in (self.photo, self.mask_use):
            choice.setSizeAdjustPolicy(QComboBox.AdjustToMinimumContentsLengthWithIcon)
            choice.setMinimumContentsLength(8)
        self.mask_use.setToolTip("A selection always bounds what may change.")
        self.seed, self.grow = QSpinBox(), QSpinBox()
        self.seed.setRange(0, _MOST_SEED)
        self.grow.setRange(0, 100)
        self.grow.setValue(10)
        self.grow.setSuffix(" %")
        self.grow.setToolTip("How far beyond the repainted area pixels may change")
        another = QToolButton()
        another.setText("Another")
        another.setToolTip("Another fill of the same labels")
        another.clicked.connect(self._set_another_seed)
        self.generate_button = _button("Generate", self.generate, "Render into a new layer")
        self.cancel_button = _button("Cancel", self.cancel, "End this render")
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.setMaximumHeight(10)
        self.setWidget(self._arranged(another))

    def _arranged(self, another: QWidget) -> QWidget:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.AllNonFixedFieldsGrow)
        form.addRow("Photo", self.photo)
        form.addRow("Change", self.mask_use)
        form.addRow("Grow by", self.grow)
        form.addRow("Seed", _row(self.seed, another))
        server = QFormLayout()
        server.addRow("Server", _row(self.address, self.test_button))
        server.addRow("Token", self.token)
        column = QVBoxLayout()
        column.setContentsMargins(6, 6, 6, 6)
        for part in (
            server,
            self.connection,
            _row(self.labels_button, self.show_labels),
            self.palette_view,
            form,
            _row(self.generate_button, self.cancel_button),
            self.progress,
            self.status,
        ):
            column.addLayout(part) if isinstance(part, QFormLayout) else column.addWidget(part)
        column.addStretch(1)
        inner, scrolled = QWidget(), QScrollArea()
        inner.setLayout(column)
        scrolled.setWidget(inner)
        scrolled.setWidgetResizable(True)
        scrolled.setFrameShape(QScrollArea.NoFrame)
        scrolled.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        return scrolled


class PhotoChoice(QComboBox):
    """Which layer is the photo; its list is made anew whenever it is opened."""

    def show_document(self, document: Any, choice: str) -> None:
        """List a document's layers, with `choice` (an id, EVERYTHING, or empty for the lowest layer) as the current."""
        self.clear()
        self.addItem("lowest visible layer", "")
        self.addItem("all that is visible", EVERYTHING)
        for node in reversed(layers.photo_layers(document) if document is not None else []):
            self.addItem(node.name(), node.uniqueId().toString())
        self.setCurrentIndex(max(self.findData(choice), 0))

    def showPopup(self) -> None:
        """Qt calls this when the list opens."""
        self.show_document(Krita.instance().activeDocument(), self.currentData() or "")
        super().showPopup()


def _button(text: str, action: Any, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setMinimumWidth(60)
    button.clicked.connect(lambda _checked: action())
    return button


def _text() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Preferred)
    return label


def _row(first: QWidget, second: QWidget) -> QWidget:
    row, layout = QWidget(), QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(first, 1)
    layout.addWidget(second)
    row.setLayout(layout)
    return row


def _style(trouble: bool) -> str:
    return "color: #e07a5f; font-weight: bold;" if trouble else ""
