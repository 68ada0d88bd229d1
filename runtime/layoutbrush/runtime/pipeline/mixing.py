"""Mixing: which part of an edit draws from which photo (US 11,636,570, FIG. 8).

An edit's mask is split into parts. Each part is warped on its own, with keys from regions of one label of one photo
alone; what no source names is one part more, which draws from the photo itself as in any edit. The parts are fused by
the edited layout into one picture, which is refined once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from layoutbrush.runtime.errors import InvalidArgument, SizeMismatch
from layoutbrush.runtime.geometry import Bounds, Extent
from layoutbrush.runtime.manifest import UNKNOWN_LABEL, Label, in_words
from layoutbrush.runtime.pipeline.events import BoolMap, EditRequest, Source
from layoutbrush.runtime.pipeline.mask import Mask
from layoutbrush.runtime.pipeline.scene import Prepared


@dataclass(frozen=True, eq=False)
class Part:
    """Pixels of an edit that one warp fills.

    `mask`: over the edit's own mask's bounds. `prepared`: the photo that is drawn from. `label`: what is drawn from
    there; None = what the edited label map says, from the photo itself. `usable`: bool, of that photo's size, where it
    may be drawn from; None = anywhere but what the edit excludes. `place`: where that photo lies over the edited one,
    None = not said.
    """

    mask: Mask
    prepared: Prepared
    label: int | None = None
    usable: BoolMap | None = None
    place: Bounds | None = None


def check_sources(prepared: Prepared, request: EditRequest, labels: Sequence[Label]) -> None:
    """Refuse sources that can't be. `labels`: the bundle's, to name them.

    Raises:
        InvalidArgument: a source has no target or an empty one, a map of another size, or a reference that isn't there;
            the field is named.
    """
    for number, source in enumerate(request.sources):
        fields = f"sources[{number}]"
        photo = _photo(prepared, request, source, fields)
        for name, values, size in (
            ("region", source.region, prepared.extent),
            ("source_region", source.source_region, photo.extent),
        ):
            if values is not None and values.shape != size.shape:
                found = Extent.of_shape(values.shape)
                raise SizeMismatch(f"It is {found}, the photo is {size}.", f"{fields}.{name}")
            if values is not None and not values.any():
                raise InvalidArgument("The region is empty.", f"{fields}.{name}")
        if source.region is None and source.label is None:
            raise InvalidArgument("A source needs a label or a region to fill.", f"{fields}.label")
        if source.region is None and source.label is not None and not (request.edited == source.label).any():
            words = in_words(source.label, labels)
            raise InvalidArgument(f"The edited label map has no pixel of {words}.", f"{fields}.label")
        if source.place is not None and (not source.reference or source.place.empty):
            raise InvalidArgument("A reference alone has a place, of at least one pixel.", f"{fields}.place")


def split(prepared: Prepared, request: EditRequest, mask: Mask, labels: Sequence[Label]) -> list[Part]:
    """Return the parts of an edit, a partition of its mask; the photo's own, where there is one, comes first. `labels`:
    the bundle's, to name them.

    Raises:
        InvalidArgument: a source has nothing to fill, or its photo nothing to fill it with; the field is named.
    """
    owner = np.zeros(mask.pixels.shape, np.uint8)
    edited = request.edited[mask.bounds.slices]
    for number, source in enumerate(request.sources, 1):
        region = edited == source.label if source.region is None else source.region[mask.bounds.slices]
        owner[region & mask.pixels] = 0 if _is_plain(source) else number
    rest = mask.pixels & (owner == 0)
    parts = [Part(Mask(mask.bounds, rest), prepared)] if rest.any() else []
    for number, source in enumerate(request.sources, 1):
        mine = mask.pixels & (owner == number)
        parts += _parts(prepared, request, source, Mask(mask.bounds, mine), labels, f"sources[{number - 1}]")
    return parts


def _parts(
    prepared: Prepared, request: EditRequest, source: Source, mask: Mask, labels: Sequence[Label], fields: str
) -> Iterator[Part]:
    """The parts of one source: one for each label that it draws from."""
    photo = _photo(prepared, request, source, fields)
    edited = request.edited[mask.bounds.slices]
    if not mask.pixels.any():
        return  # the mask, or a later source, leaves nothing of it: an edit may still do the rest
    if source.source_label is not None:
        wanted = {source.source_label: mask.pixels}
    else:
        wanted = {int(label): mask.pixels & (edited == label) for label in np.unique(edited[mask.pixels])}
    for label, pixels in wanted.items():
        usable = _usable(photo, request, source, label)
        if not usable.any():
            name = f'The reference "{source.reference}"' if source.reference else "The photo"
            field = f"{fields}.reference" if source.reference else f"{fields}.source_label"
            raise InvalidArgument(f"{name} has no pixel of {in_words(label, labels)} to draw from.", field)
        yield Part(Mask(mask.bounds, pixels), photo, label, usable, source.place)


def _is_plain(source: Source) -> bool:
    """True where a source says no more than that its target is to be made anew."""
    return not source.reference and source.source_label is None and source.source_region is None


def _photo(prepared: Prepared, request: EditRequest, source: Source, fields: str) -> Prepared:
    if not source.reference:
        return prepared
    photo = request.references.get(source.reference)
    if photo is None:
        raise InvalidArgument(f'There is no reference "{source.reference}".', f"{fields}.reference")
    return photo


def _usable(photo: Prepared, request: EditRequest, source: Source, wanted: int) -> BoolMap:
    """Where the photo may be drawn from; maybe nowhere."""
    usable = np.ones(photo.extent.shape, np.bool_) if wanted == UNKNOWN_LABEL else photo.layout == wanted
    if source.source_region is not None:
        usable &= source.source_region
    if not source.reference and request.exclude is not None:
        usable &= ~request.exclude
    return usable
