"""A docker that says why the real one can't be shown, instead of a plug-in that is greyed out without a word."""

from __future__ import annotations

from krita import DockWidget
from PyQt5.QtWidgets import QLabel


def docker_with(sentence: str) -> type:
    """A docker class that shows a sentence."""

    class TroubleDocker(DockWidget):
        def __init__(self) -> None:
            super().__init__()
            self.setWindowTitle("Layoutbrush")
            label = QLabel(sentence)
            label.setWordWrap(True)
            self.setWidget(label)

        def canvasChanged(self, canvas: object) -> None:
            """Called by Krita; the sentence stays."""

    return TroubleDocker
