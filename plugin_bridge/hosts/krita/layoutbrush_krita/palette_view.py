"""The palette: a button for each label, with its colour and name."""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtCore import QSize, Qt
from PyQt5.QtGui import QColor, QIcon, QPixmap
from PyQt5.QtWidgets import QButtonGroup, QGridLayout, QLabel, QSizePolicy, QToolButton, QWidget

from layoutbrush.plugin_bridge.host.palette import Label, Palette

COLUMNS = 3
_SWATCH = QSize(14, 14)


class PaletteView(QWidget):
    """`picked`: called with the label whose button was pressed."""

    def __init__(self, picked: Callable[[Label], None]) -> None:
        super().__init__()
        self._picked = picked
        self._shown: Palette | None = None
        self.buttons: dict[int, QToolButton] = {}
        self._group = QButtonGroup(self)
        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        self.setLayout(self._grid)

    def show_palette(self, palette: Palette) -> None:
        """Show the labels of a palette; does nothing where they are shown already."""
        if palette == self._shown:
            return
        self._shown, self.buttons = palette, {}
        while self._grid.count():
            self._grid.takeAt(0).widget().deleteLater()
        if not palette.labels:
            hint = QLabel("The labels appear here once the server has answered.")
            hint.setWordWrap(True)
            self._grid.addWidget(hint, 0, 0)
            return
        for index, label in enumerate(palette.paints):
            button = self._button(label)
            self.buttons[label.id] = button
            self._grid.addWidget(button, index // COLUMNS, index % COLUMNS)

    def _button(self, label: Label) -> QToolButton:
        swatch = QPixmap(_SWATCH)
        swatch.fill(QColor(*label.color))
        button = QToolButton()
        button.setIcon(QIcon(swatch))
        button.setIconSize(_SWATCH)
        button.setText(label.name)
        button.setToolTip(f"Paint {label.name} ({label.html})")
        button.setToolButtonStyle(Qt.ToolButtonTextBesideIcon)
        button.setCheckable(True)
        button.setAutoRaise(True)
        button.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Fixed)
        button.clicked.connect(lambda _checked: self._picked(label))
        self._group.addButton(button)
        return button
