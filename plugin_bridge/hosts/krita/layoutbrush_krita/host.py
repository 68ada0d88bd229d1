"""Krita as a host: what `layoutbrush.plugin_bridge.host.controller` asks of an editor, done to Krita's documents."""

from __future__ import annotations

from typing import Any

from krita import Krita
from PyQt5.QtWidgets import QMessageBox

from layoutbrush.plugin_bridge.events import Result
from layoutbrush.plugin_bridge.host.palette import Palette
from layoutbrush.plugin_bridge.host.problem import HostProblem
from layoutbrush.plugin_bridge.host.snapshot import Snapshot, Wishes
from layoutbrush.plugin_bridge.picture import Picture

from . import layers

EVERYTHING = "everything"
"""Choice of the photo: all that is visible."""
LABEL_OPACITY = 128


class KritaHost:
    """`photo_choices`: by document, the id of the layer that is the photo, or EVERYTHING; the lowest layer else."""

    def __init__(self) -> None:
        self.photo_choices: dict[str, str] = {}
        self._previews: dict[str, str] = {}

    def documents(self) -> list[str]:
        """See `controller.Host`."""
        return [layers.key_of(document) for document in Krita.instance().documents()]

    def size(self, key: str) -> tuple[int, int]:
        """See `controller.Host`."""
        document = layers.document_of(key)
        return document.width(), document.height()

    def photo(self, key: str) -> Picture:
        """See `controller.Host`."""
        document = layers.document_of(key)
        layers.check_space(document)
        choice = self.photo_choices.get(key, "") or self._lowest(document)
        pixels = layers.pixels_of(document, "" if choice == EVERYTHING else choice)
        return Picture(pixels, document.width(), document.height(), "BGRA")

    def snapshot(self, key: str, wishes: Wishes) -> Snapshot:
        """See `controller.Host`."""
        document = layers.document_of(key)
        note = layers.check_space(document)
        painted, exclude = layers.label_layer(document), layers.exclude_layer(document)
        marked = layers.layer_pixels(document, exclude)[3::4] if exclude else None
        return Snapshot(
            photo=self.photo(key),
            painted=layers.layer_pixels(document, painted) if painted else None,
            labels=layers.remembered_labels(document),
            selection=layers.selection_mask(document),
            exclude=Picture.gray(marked, document.width(), document.height()) if marked else None,
            wishes=wishes,
            note=note,
        )

    def show_labels(self, key: str, labels: Picture, colors: Picture, palette: Palette) -> None:
        """See `controller.Host`. A label layer from before is hidden, not changed."""
        document = layers.document_of(key)
        before = layers.label_layers(document)
        layer = layers.new_layer(document, f"{layers.LABELS} {len(before) + 1}" if before else layers.LABELS)
        layers.put_pixels(layer, colors)
        layer.setOpacity(LABEL_OPACITY)
        document.rootNode().addChildNode(layer, None)
        for old in before:
            old.setVisible(False)
        layers.remember_labels(document, labels)
        document.setActiveNode(layers.label_layer(document))
        document.refreshProjection()

    def show_preview(self, key: str, picture: Picture) -> None:
        """See `controller.Host`."""
        document = layers.document_of(key)
        layers.put_pixels(self._layer(document, key), picture)
        document.refreshProjection()

    def show_result(self, key: str, result: Result, title: str) -> None:
        """See `controller.Host`. The preview's layer becomes the result's, so that one undo takes it away."""
        document = layers.document_of(key)
        layer = self._layer(document, key)
        layers.clear_pixels(layer)
        layers.put_pixels(layer, result.picture)
        layers.put_selection(layer, result.mask)
        layer.setName(self._free_name(document, title))
        self._previews.pop(key, None)
        document.refreshProjection()

    def drop_preview(self, key: str) -> None:
        """See `controller.Host`. The layer is emptied first: an undo of its removal shows nothing strange."""
        unique_id = self._previews.pop(key, "")
        document = layers.document_of(key)
        layer = layers.node_of(document, unique_id) if unique_id else None
        if layer is not None:
            layers.clear_pixels(layer)
            layer.remove()
            document.refreshProjection()

    def ask(self, question: str) -> bool:
        """See `controller.Host`."""
        window = Krita.instance().activeWindow()
        parent = window.qwindow() if window else None
        return bool(QMessageBox.question(parent, "Layoutbrush", question) == QMessageBox.Yes)

    def _layer(self, document: Any, key: str) -> Any:
        """The preview's layer, made where there is none (any more)."""
        found = layers.node_of(document, self._previews.get(key, ""))
        if found is not None:
            return found
        layer = layers.new_layer(document, layers.PREVIEW, "Layoutbrush mask")
        unique_id = layer.uniqueId().toString()
        layers.add_result_layer(document, layer)
        self._previews[key] = unique_id
        found = layers.node_of(document, unique_id)
        if found is None:
            raise HostProblem("Krita did not take the new layer.")
        return found

    @staticmethod
    def _lowest(document: Any) -> str:
        found = layers.photo_layers(document)
        visible = [node for node in found if node.visible()] or found
        if not visible:
            raise HostProblem("The document has no layer that could be the photo.")
        return str(visible[0].uniqueId().toString())

    @staticmethod
    def _free_name(document: Any, title: str) -> str:
        taken = {node.name() for node in layers.nodes(document.rootNode())}
        number, name = 1, title
        while name in taken:
            number += 1
            name = f"{title}, {number}"
        return name
