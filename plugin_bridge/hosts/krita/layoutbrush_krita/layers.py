"""Krita's documents and layers in the few terms that the plug-in needs. Wrappers are looked up anew at each use, never
kept: one of a closed document is a dangling pointer.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from typing import Any

from krita import Krita, ManagedColor, Selection
from PyQt5.QtCore import QByteArray, QTimer
from PyQt5.QtGui import QImage

from layoutbrush.plugin_bridge.host.palette import Color
from layoutbrush.plugin_bridge.host.problem import HostProblem
from layoutbrush.plugin_bridge.picture import Picture

LABELS = "Layoutbrush labels"
EXCLUDE = "Layoutbrush exclude"
PREVIEW = "Layoutbrush preview"
SRGB = "sRGB-elle-V2-srgbtrc.icc"
_SETTLE_MS = (0, 50, 200)
"""When after adding a layer Krita may have made it active."""
_ANNOTATION = "layoutbrush/labels"
_MODELS = {"RGBA": "RGB", "GRAYA": "greyscale"}
_DEPTHS = {"U8": "8-bit", "U16": "16-bit", "F16": "16-bit float", "F32": "32-bit float"}


def key_of(document: Any) -> str:
    """What tells a document from all others for as long as it is open."""
    return str(document.rootNode().uniqueId().toString())


def document_of(key: str) -> Any:
    """The open document of a key.

    Raises:
        HostProblem: it was closed.
    """
    for document in Krita.instance().documents():
        if key_of(document) == key:
            return document
    raise HostProblem("The document was closed.")


def nodes(parent: Any) -> Iterator[Any]:
    """All layers and masks below a node, from the bottom up."""
    for child in parent.childNodes():
        yield child
        yield from nodes(child)


def node_of(document: Any, unique_id: str) -> Any:
    """The layer of an id, None where it is gone."""
    return next((node for node in nodes(document.rootNode()) if node.uniqueId().toString() == unique_id), None)


def ours(node: Any) -> bool:
    """True for layers that the plug-in made for its own use."""
    return str(node.name()).startswith((LABELS, EXCLUDE, PREVIEW))


def label_layers(document: Any) -> list[Any]:
    """The label layers; the one in use last: the topmost that is visible, else the topmost."""
    found = [node for node in nodes(document.rootNode()) if str(node.name()).startswith(LABELS)]
    return sorted(found, key=lambda node: bool(node.visible()))


def label_layer(document: Any) -> Any:
    """The label layer in use, None where there is none."""
    found = label_layers(document)
    return found[-1] if found else None


def exclude_layer(document: Any) -> Any:
    """The layer that marks what must not be copied from, None where there is none."""
    found = [node for node in nodes(document.rootNode()) if node.name() == EXCLUDE and node.visible()]
    return found[-1] if found else None


def photo_layers(document: Any) -> list[Any]:
    """The layers that can be the photo, from the bottom up."""
    kinds = ("paintlayer", "grouplayer", "filelayer", "clonelayer", "vectorlayer")
    return [node for node in nodes(document.rootNode()) if node.type() in kinds and not ours(node)]


def is_direct(holder: Any) -> bool:
    """True for a document or layer whose bytes go over the wire as they are: 8-bit RGB of any profile."""
    return bool(holder.colorModel() == "RGBA" and holder.colorDepth() == "U8")


def check_space(document: Any) -> str:
    """What the painter should know about the document's colours; empty for 8-bit RGB.

    Raises:
        HostProblem: the document is neither RGB nor grey.
    """
    model, depth = document.colorModel(), document.colorDepth()
    if model not in _MODELS or depth not in _DEPTHS:
        raise HostProblem(
            f"This document is {model} ({depth}); Layoutbrush works on RGB and greyscale ones. "
            "Image, Convert Image Color Space makes one of it."
        )
    if is_direct(document):
        return ""
    return f"The document is {_DEPTHS[depth]} {_MODELS[model]}; the new layer is 8-bit sRGB."


def pixels_of(document: Any, unique_id: str) -> bytes:
    """The photo as 8-bit BGRA over the canvas: a layer with its own masks and effects, or, without an id, all that is
    visible but the plug-in's layers. Other depths are converted to sRGB by Krita, in a copy.
    """
    document.waitForDone()
    node = node_of(document, unique_id) if unique_id else None
    if unique_id and node is None:
        raise HostProblem("The layer chosen as the photo is gone. Choose another one.")
    width, height = document.width(), document.height()
    if node is not None and is_direct(node) and node.colorProfile() == document.colorProfile() and is_direct(document):
        return bytes(node.projectionPixelData(0, 0, width, height))
    place = _place(document, unique_id)
    copy = document.clone()
    try:
        copy.setBatchmode(True)
        if not is_direct(copy):
            copy.setColorSpace("RGBA", "U8", SRGB)
        if place is None:
            for own in [node for node in nodes(copy.rootNode()) if ours(node)]:
                own.remove()
            copy.refreshProjection()
            copy.waitForDone()
            return bytes(copy.pixelData(0, 0, width, height))
        copy.waitForDone()
        node = list(nodes(copy.rootNode()))[place]
        if not is_direct(node) or node.colorProfile() != copy.colorProfile():
            node.setColorSpace("RGBA", "U8", copy.colorProfile())
            copy.waitForDone()
        return bytes(node.projectionPixelData(0, 0, width, height))
    finally:
        copy.setModified(False)
        copy.close()


def _place(document: Any, unique_id: str) -> int | None:
    """A layer's place among all; a copy has the same order, and ids of its own."""
    if not unique_id:
        return None
    return [node.uniqueId().toString() for node in nodes(document.rootNode())].index(unique_id)


def layer_pixels(document: Any, node: Any) -> bytes:
    """The plain pixels of one of the plug-in's own layers, 8-bit BGRA over the canvas.

    Raises:
        HostProblem: it has other pixels, such as after a conversion of the document.
    """
    if not is_direct(node):
        raise HostProblem(f"The layer {node.name()} is no longer 8-bit RGB. Find the labels again.")
    return bytes(node.pixelData(0, 0, document.width(), document.height()))


def selection_mask(document: Any) -> Picture | None:
    """The selection over the canvas, None where nothing is selected."""
    selection = document.selection()
    if selection is None:
        return None
    width, height = document.width(), document.height()
    return Picture.gray(bytes(selection.pixelData(0, 0, width, height)), width, height)


def new_layer(document: Any, name: str, mask_name: str = "") -> Any:
    """A paint layer of 8-bit RGB that isn't in the document yet, with an empty selection mask where one is named.

    It is built in a scratch document and copied, because each layer that is put below another one makes a step in the
    undo history of its document.
    """
    profile = document.colorProfile() if is_direct(document) else SRGB
    scratch = Krita.instance().createDocument(
        document.width(), document.height(), "Layoutbrush", "RGBA", "U8", profile, document.resolution()
    )
    try:
        scratch.setBatchmode(True)
        layer = scratch.createNode(name, "paintlayer")
        if mask_name:
            mask = scratch.createSelectionMask(mask_name)
            mask.setSelection(Selection())
            layer.addChildNode(mask, None)
        return layer.clone()
    finally:
        scratch.setModified(False)
        scratch.close()


def add_result_layer(document: Any, layer: Any) -> None:
    """Put a layer into the document: below the label layer, so that labels can be seen on it; else on top.

    Krita makes it the active one a moment later; the painter's own is made active again.
    """
    active, key = document.activeNode(), key_of(document)
    labels = label_layer(document)
    top = document.topLevelNodes()
    ids = [node.uniqueId().toString() for node in top]
    place = ids.index(labels.uniqueId().toString()) if labels and labels.uniqueId().toString() in ids else 0
    document.rootNode().addChildNode(layer, top[place - 1] if place > 0 else None)
    if active is not None:
        wanted, instead_of = active.uniqueId().toString(), layer.uniqueId().toString()
        for milliseconds in _SETTLE_MS:
            QTimer.singleShot(milliseconds, lambda: _activate(key, wanted, instead_of))


def _activate(key: str, wanted: str, instead_of: str) -> None:
    """Make a layer active, if the other one is, and both are still there."""
    with contextlib.suppress(HostProblem):
        document = document_of(key)
        active, node = document.activeNode(), node_of(document, wanted)
        if node is not None and active is not None and active.uniqueId().toString() == instead_of:
            document.setActiveNode(node)


def put_pixels(layer: Any, picture: Picture) -> None:
    """Write BGRA pixels at their place; a reduced preview is stretched over its bounds."""
    data = picture.data
    if (picture.pixel_width, picture.pixel_height) not in ((0, 0), (picture.width, picture.height)):
        data = _stretched(picture)
    layer.setPixelData(QByteArray(data), picture.x, picture.y, picture.width, picture.height)


def clear_pixels(layer: Any) -> None:
    """Make a layer transparent."""
    bounds = layer.bounds()
    size = 4 * bounds.width() * bounds.height()
    if size:
        layer.setPixelData(QByteArray(bytes(size)), bounds.x(), bounds.y(), bounds.width(), bounds.height())


def put_selection(layer: Any, mask: Picture) -> None:
    """Give a layer's selection mask its selection."""
    selection = Selection()
    selection.setPixelData(QByteArray(mask.data), mask.x, mask.y, mask.width, mask.height)
    for child in layer.childNodes():
        if child.type() == "selectionmask":
            child.setSelection(selection)


def remember_labels(document: Any, labels: Picture) -> None:
    """Keep the photo's own label map with the document; it is saved in its .kra file, too."""
    head = f"{labels.width} {labels.height}\n".encode()
    document.setAnnotation(
        _ANNOTATION, "Label map of the photo (Layoutbrush)", QByteArray(head + zlib.compress(labels.data, 1))
    )


def remembered_labels(document: Any) -> Picture | None:
    """What `remember_labels` kept, None where there is nothing of the canvas' size."""
    if _ANNOTATION not in document.annotationTypes():
        return None
    try:
        head, body = bytes(document.annotation(_ANNOTATION)).split(b"\n", 1)
        width, height = (int(word) for word in head.split())
        data = zlib.decompress(body)
    except (ValueError, zlib.error):
        return None
    if (width, height) != (document.width(), document.height()) or len(data) != width * height:
        return None
    return Picture.gray(data, width, height)


def managed_color(profile: str, color: Color) -> ManagedColor:
    """A colour by its bytes in an 8-bit RGB profile, so that the brush leaves exactly these."""
    managed = ManagedColor("RGBA", "U8", profile)
    red, green, blue = color
    managed.setComponents([blue / 255, green / 255, red / 255, 1.0])
    return managed


def _stretched(picture: Picture) -> bytes:
    small = QImage(
        picture.data, picture.pixel_width, picture.pixel_height, 4 * picture.pixel_width, QImage.Format_ARGB32
    )
    image = small.scaled(picture.width, picture.height)
    bits = image.constBits()
    bits.setsize(image.byteCount())
    return bytes(bits)
