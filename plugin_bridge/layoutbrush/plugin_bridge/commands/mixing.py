"""What `edit` and `edit-folder` draw from other photos: the flags --reference, --reference-layout, --take and --place.

    --take LABEL[:REF[:LABEL_THERE]]

LABEL is a name or an id: all of it in the edited label map is drawn from the reference number REF (1 where left out),
from its LABEL_THERE (the same label where left out). Without --take, what the edit paints is drawn from the one
reference, as far as that has the label.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from layoutbrush.plugin_bridge import Client, Document, Picture, Reference, Source
from layoutbrush.plugin_bridge.commands.files import Photo, Problem, read_labels, read_photo
from layoutbrush.plugin_bridge.commands.rendering import (
    Options,
    Rendered,
    Task,
    map_picture,
    photo_picture,
    render,
    render_in,
)
from layoutbrush.plugin_bridge.events import Event

UNKNOWN = 255
Labels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Place = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class ReferencePhoto:
    """`layout`: its label map, uint8 (H, W); None = the server segments. `place`: x, y, width, height of the whole
    reference over the photo; None = the server chooses.
    """

    photo: Photo
    layout: Labels | None = None
    place: Place | None = None


@dataclass(frozen=True)
class Take:
    """`label` (name or id) from the reference `number`, from 1, and there from `there`; empty = the same label."""

    label: str
    number: int = 1
    there: str = ""


def read_references(
    photos: Sequence[Path], layouts: Sequence[Path] = (), places: Sequence[str] = ()
) -> list[ReferencePhoto]:
    """Read reference photos with their label maps; layouts and places are one for each photo, or none.

    Raises:
        Problem: names the file or flag at fault.
    """
    for flag, values in (("--reference-layout", layouts), ("--place", places)):
        if len(values) not in (0, len(photos)):
            raise Problem(f"{flag}: give one for each --reference ({len(photos)}), or none.")
    found = []
    for index, path in enumerate(photos):
        photo = read_photo(path)
        layout = read_labels(layouts[index]) if layouts else None
        if layout is not None and layout.shape != photo.colors.shape[:2]:
            sizes = [f"{values.shape[1]} x {values.shape[0]}" for values in (layout, photo.colors)]
            raise Problem(f"--reference-layout: {layouts[index].name} is {sizes[0]} pixels, {path.name} is {sizes[1]}.")
        found.append(ReferencePhoto(photo, layout, _place(places[index]) if places else None))
    return found


def _place(text: str) -> Place:
    try:
        x, y, width, height = (int(number) for number in text.split(","))
    except ValueError:
        raise Problem(f"--place: {text!r} isn't X,Y,WIDTH,HEIGHT in whole pixels.") from None
    if width < 1 or height < 1:
        raise Problem(f"--place: {text!r} is empty.")
    return x, y, width, height


def parse_takes(texts: Sequence[str], references: int) -> list[Take]:
    """Read the values of --take.

    Raises:
        Problem: one can't be read, or names a reference that isn't there.
    """
    takes = []
    for text in texts:
        label, _, rest = text.partition(":")
        number, _, there = rest.partition(":")
        if not label or (number and not number.isdecimal()):
            raise Problem(f"--take: {text!r} isn't LABEL, LABEL:REF or LABEL:REF:LABEL_THERE (REF a number from 1).")
        if not number and references > 1:
            raise Problem(f"--take: {text!r} must say which of the {references} references, as in {label}:1.")
        if not 1 <= int(number or 1) <= references:
            raise Problem(f"--take: {text!r} asks for reference {number or 1}, there {_are(references)}.")
        takes.append(Take(label, int(number or 1), there))
    if references > 1 and not takes:
        raise Problem("--take: with several references, say which label comes from which, as in --take sky:2.")
    return takes


def _are(count: int) -> str:
    return "is none" if count == 0 else "is one" if count == 1 else f"are {count}"


def mixed(
    client: Client,
    task: Task,
    options: Options,
    references: Sequence[ReferencePhoto],
    takes: Sequence[Take],
    heard: Callable[[Event], None] = lambda _: None,
) -> Rendered:
    """Edit a photo with references; see `rendering.render`.

    Raises:
        Problem: a label isn't the bundle's, or the reference has nothing of what is painted.
        RemoteError: the server's answer.
    """
    if not references:
        return render(client, task, options, heard)
    named = [
        Reference(str(number), photo_picture(reference.photo), map_picture(reference.layout))
        for number, reference in enumerate(references, 1)
    ]
    with client.open(photo_picture(task.photo), map_picture(task.layout), references=named) as document:
        sources = draws(client, document, task.edited, task.layout, task.mask, options.bound, references, takes)
        return render_in(document, task, replace(options, sources=tuple(sources)), heard)


def draws(
    client: Client,
    document: Document,
    edited: Labels,
    layout: Labels | None,
    mask: Mask | None,
    bound: bool,
    references: Sequence[ReferencePhoto],
    takes: Sequence[Take],
) -> list[Source]:
    """The sources of an edit: what --take names or, without it, what is painted. `layout`: None = the server's.

    Raises:
        Problem: a label isn't the bundle's, or the reference has nothing of what is painted.
        RemoteError: the server can't segment.
    """
    if takes:
        return _taken(takes, references, {label.name: label.id for label in client.info().bundle.labels})
    if mask is not None and not bound:
        return _painted(document, edited, mask, references[0])
    before = layout if layout is not None else _array(document.segment(store=True))
    changed = edited != before
    return _painted(document, edited, changed if mask is None else changed & mask, references[0])


def _taken(takes: Sequence[Take], references: Sequence[ReferencePhoto], names: Mapping[str, int]) -> list[Source]:
    """The sources that --take names. `names`: ids of the bundle's labels.

    Raises:
        Problem: the bundle has no such label.
    """
    return [
        Source(
            label=_label(take.label, names),
            reference=str(take.number),
            source_label=_label(take.there, names) if take.there else None,
            place=references[take.number - 1].place,
        )
        for take in takes
    ]


def _label(text: str, names: Mapping[str, int]) -> int:
    if text.isdecimal() and int(text) in names.values():
        return int(text)
    if text not in names:
        known = ", ".join(f"{number} {name}" for name, number in sorted(names.items(), key=lambda item: item[1]))
        raise Problem(f"--take: the bundle has no label {text!r}; it has {known}.")
    return names[text]


def _painted(document: Document, edited: Labels, regions: Mask, reference: ReferencePhoto) -> list[Source]:
    """The sources of an edit without --take: what it paints, as far as the reference has the label."""
    there = reference.layout if reference.layout is not None else _array(document.segment(True, "1"))
    wanted = np.unique(edited[regions])
    found = [int(label) for label in np.intersect1d(wanted, there) if label != UNKNOWN]
    if wanted.size and not found:
        raise Problem("--reference: it has none of the labels that the edit paints; --take says which to draw from.")
    return [
        Source(region=map_picture(regions & (edited == label)), reference="1", place=reference.place) for label in found
    ]


def _array(picture: Picture) -> Labels:
    return np.frombuffer(picture.data, np.uint8).reshape(picture.shape[:2])
