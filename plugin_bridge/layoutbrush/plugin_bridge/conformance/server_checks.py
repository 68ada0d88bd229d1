"""What every server of the contract is held against: documents, renders, results, refusals."""

from __future__ import annotations

from itertools import pairwise

import grpc
import numpy as np

from layoutbrush import v1
from layoutbrush.plugin_bridge.conformance.bench import Array, Bench, Rendered, raw
from layoutbrush.plugin_bridge.conformance.checks import Skipped, check, expect, refusal
from layoutbrush.plugin_bridge.errors import RemoteError

UNKNOWN = 255
MESSAGE_LIMIT = 4 << 20


@check("info", "GetServerInfo names version, bundle, labels, limits and the engine in use")
def _info(bench: Bench) -> None:
    info = bench.info
    expect(info.server_version and info.bundle.name, "It has no version or no bundle.")
    ids = [label.id for label in info.bundle.labels]
    expect(len(ids) >= 2 and len(set(ids)) == len(ids), "It names fewer than two labels, or one twice.")
    expect(all(number < UNKNOWN for number in ids), "A label has the id 255, which means unknown.")
    names = [label.name for label in info.bundle.labels]
    expect(all(names) and len(set(names)) == len(names), "Labels have no name, or share one.")
    limits = info.limits
    expect(limits.max_side >= 256 and limits.max_layer_pixels >= 1 << 16, "It takes no photo of 256 x 256.")
    expect(limits.max_message_bytes >= MESSAGE_LIMIT, "It takes no messages of 4 MiB.")
    expect(any(engine.active for engine in info.engines), "No engine is active.")


@check("documents", "A document is opened, used, closed, and then gone with the reason to open it again")
def _documents(bench: Bench) -> None:
    document = bench.open_photo()
    expect(len(document) >= 16, "Its id can be guessed: it has fewer than 16 characters.")
    expect(document != bench.open_photo(), "Two documents have the same id.")
    bench.transport.call("CloseDocument", v1.CloseDocumentRequest(document_id=document))
    not_found = (grpc.StatusCode.NOT_FOUND, "DOCUMENT_NOT_FOUND")
    refusal(lambda: bench.render(document), "Rendering a closed document", *not_found)
    refusal(lambda: bench.render("nobody-opened-this"), "Rendering an unknown document", *not_found)


@check("events", "A render tells of the queue first and of the result last; progress never falls; one revision")
def _events(bench: Bench) -> None:
    rendered = bench.render(bench.open_photo(), warped_preview=True, coarse_preview=True)
    kinds = [kind for kind in rendered.kinds if kind != "chunk"]
    expect(kinds[0] == "queued", f"The first event is {kinds[0]}, not queued.")
    expect(kinds[-1] == "result" and kinds.count("result") == 1, "The result isn't the last event, or there are two.")
    done = [event.progress.done for event in rendered.events if event.HasField("progress")]
    expect(all(a <= b for a, b in pairwise(done)), "Progress falls.")
    expect(all(0 <= value <= 1 for value in done), "Progress leaves the range 0 to 1.")
    revisions = {event.revision for event in rendered.events}
    expect(len(revisions) == 1 and min(revisions) >= 1, f"The events bear the revisions {sorted(revisions)}.")
    plain = bench.render(bench.open_photo())
    expect("preview" not in plain.kinds, "Previews come that nobody asked for.")


@check("pixels", "Outside the mask every pixel of the result is the photo's, at any place and odd size")
def _pixels(bench: Bench) -> None:
    for x, y, extra in ((0, 0, 0), (-37, 1001, 5), (13, -7, 33)):
        photo = bench.photo(bench.side + extra, bench.side + 2 * extra + 1)
        document = bench.open_photo(photo, x, y)
        edit = v1.Edit(label_map=raw(v1.LAYER_KIND_EDITED_LABEL_MAP, bench.edited(photo), x, y))
        _check_pixels(bench.render(document, edit), photo, x, y)


def _check_pixels(rendered: Rendered, photo: Array, x: int, y: int) -> None:
    layer, mask = rendered.result.layer, rendered.result.mask
    expect(layer.bounds == mask.bounds, "Result and mask have different bounds.")
    expect(mask.kind == v1.LAYER_KIND_MASK, "The mask isn't of the kind MASK.")
    top, left = layer.bounds.y - y, layer.bounds.x - x
    inside = left >= 0 and top >= 0 and left + layer.bounds.width <= photo.shape[1]
    expect(inside and top + layer.bounds.height <= photo.shape[0], f"The result at {x}, {y} leaves the photo.")
    pixels, chosen = rendered.pixels(layer), rendered.pixels(mask)[..., 0]
    expect(set(np.unique(chosen)) <= {0, 255} and chosen.any(), "The mask is empty, or holds other than 0 and 255.")
    under = photo[top : top + layer.bounds.height, left : left + layer.bounds.width]
    expect(np.array_equal(pixels[chosen == 0], under[chosen == 0]), f"At {x}, {y} a pixel outside the mask changed.")
    whole = np.zeros(photo.shape[:2], bool)
    whole[top : top + layer.bounds.height, left : left + layer.bounds.width] = chosen > 0
    expect(whole[24:40, 20:36].all(), "A pixel whose label changed isn't in the mask.")


@check("seed", "The same seed gives the same pixels")
def _seed(bench: Bench) -> None:
    document = bench.open_photo()
    first, again = (bench.render(document, seed=12) for _ in range(2))
    same = first.bytes_of(first.result.layer) == again.bytes_of(again.result.layer)
    expect(same, "Two renders with one seed differ.")
    refusal(lambda: bench.render(document, seed=1 << 31), "A seed of 2147483648", grpc.StatusCode.INVALID_ARGUMENT)


@check("encodings", "Raw and PNG results hold the same pixels, in every channel order; alpha is the mask")
def _encodings(bench: Bench) -> None:
    document = bench.open_photo()
    plain = bench.render(document)
    wanted, mask = plain.pixels(plain.result.layer), plain.pixels(plain.result.mask)
    for encoding in (v1.ENCODING_RAW, v1.ENCODING_PNG):
        orders = [v1.CHANNEL_ORDER_RGB, v1.CHANNEL_ORDER_RGBA]
        if encoding == v1.ENCODING_RAW:
            orders += [v1.CHANNEL_ORDER_BGR, v1.CHANNEL_ORDER_BGRA]
        for order in orders:
            rendered = bench.render(document, encoding=encoding, channel_order=order)
            name = f"{v1.Encoding.Name(encoding)} {v1.ChannelOrder.Name(order)}"
            expect(rendered.result.layer.encoding == encoding, f"{name}: the result is encoded otherwise.")
            got = rendered.pixels(rendered.result.layer)
            colors = got[..., 2::-1] if order in (v1.CHANNEL_ORDER_BGR, v1.CHANNEL_ORDER_BGRA) else got[..., :3]
            expect(np.array_equal(colors, wanted), f"{name}: the colours differ from RAW RGB.")
            if order in (v1.CHANNEL_ORDER_RGBA, v1.CHANNEL_ORDER_BGRA):
                expect(np.array_equal(got[..., 3:], mask), f"{name}: alpha isn't the mask.")


@check("formats", "Photos are read in every channel order, number type, plane order and with gaps between rows")
def _formats(bench: Bench) -> None:
    photo = bench.photo()
    for name, layer in _dressed(photo):
        document = bench.open(layer, raw(v1.LAYER_KIND_LABEL_MAP, bench.layout(photo)))
        try:
            _check_pixels(bench.render(document), photo, 0, 0)
        except RemoteError as error:
            expect(False, f"{name}: refused with {error.code.name}, {error}")


def _dressed(photo: Array) -> list[tuple[str, v1.Layer]]:
    """The same photo as other hosts send it."""
    height, width = photo.shape[:2]
    opaque = np.dstack([photo, np.full((height, width), 255, np.uint8)])
    planar, gap = raw(v1.LAYER_KIND_PHOTO, photo), raw(v1.LAYER_KIND_PHOTO, photo)
    planar.data, planar.format.plane_order = photo.transpose(2, 0, 1).tobytes(), v1.PLANE_ORDER_PLANAR
    gap.format.row_stride = width * 3 + 13
    gap.data = b"".join(row.tobytes() + bytes(13) for row in photo)
    bgra = raw(v1.LAYER_KIND_PHOTO, opaque[..., [2, 1, 0, 3]])
    bgra.format.channel_order = v1.CHANNEL_ORDER_BGRA
    return [
        ("RGBA", raw(v1.LAYER_KIND_PHOTO, opaque)),
        ("BGRA", bgra),
        ("planes", planar),
        ("a row stride", gap),
        ("UINT16", raw(v1.LAYER_KIND_PHOTO, photo.astype(np.uint16) * 257)),
        ("FLOAT32", raw(v1.LAYER_KIND_PHOTO, photo.astype(np.float32) / np.float32(255))),
    ]


@check("unknown", "255 in a label map means unknown and is taken")
def _unknown(bench: Bench) -> None:
    photo = bench.photo()
    layout = bench.layout(photo)
    layout[:10] = UNKNOWN
    document = bench.open(raw(v1.LAYER_KIND_PHOTO, photo), raw(v1.LAYER_KIND_LABEL_MAP, layout))
    edited = layout.copy()
    edited[24:40, 20:36] = UNKNOWN
    edit = v1.Edit(label_map=raw(v1.LAYER_KIND_EDITED_LABEL_MAP, edited))
    expect("result" in bench.render(document, edit).kinds, "There is no result.")


@check("masks", "A mask of the host replaces the difference of the label maps, or bounds it")
def _masks(bench: Bench) -> None:
    document = bench.open_photo()
    mask = raw(v1.LAYER_KIND_MASK, np.full((8, 12), 255, np.uint8), 30, 30)
    edit = bench.request(document).edit
    edit.mask.CopyFrom(mask)
    bounds = bench.render(document, edit).result.mask.bounds
    expect(bounds == mask.bounds, "REPLACE: the result isn't where the mask is.")
    edit.mask_use = v1.MASK_USE_BOUND
    bounds = bench.render(document, edit, grow=0.0).result.mask.bounds
    expect((bounds.x, bounds.width, bounds.height) == (30, 6, 8), "BOUND: the result isn't the common part.")


@check("tiles", "Tiles are painted over the latest revision; over an older one they are refused as stale")
def _tiles(bench: Bench) -> None:
    document, other = bench.open_photo(), bench.ids()[1]

    def paint(base: int, x: int) -> Rendered:
        tile = raw(v1.LAYER_KIND_EDITED_LABEL_MAP, np.full((8, 8), other, np.uint8), x, 40)
        return bench.render(document, v1.Edit(tiles=v1.TileEdit(base_revision=base, tiles=[tile])), grow=0.0)

    first = paint(0, 8).events[0].revision
    second = paint(first, 40)
    expect(second.events[0].revision > first, "The revision doesn't grow.")
    bounds = second.result.mask.bounds
    expect((bounds.x, bounds.width) == (8, 40), "The earlier tile is lost.")
    stale = (grpc.StatusCode.FAILED_PRECONDITION, "STALE_REVISION")
    refusal(lambda: paint(first, 20), "Painting over an old revision", *stale)
    bounds = paint(0, 20).result.mask.bounds
    expect((bounds.x, bounds.width) == (20, 8), "Revision 0 isn't the document's own label map.")


@check(
    "result_tiles", "A result in tiles has the pixels of the whole one, each once; tiles nobody asked for don't come"
)
def _result_tiles(bench: Bench) -> None:
    document = bench.open_photo()
    whole = bench.render(document, seed=5)
    expect("tile" not in whole.kinds, "Tiles come that nobody asked for.")
    parted = bench.render(document, seed=5, tiles=True)
    if "tile" not in parted.kinds:
        raise Skipped("The server sends the result whole.")
    layer, mask = parted.result.layer, parted.result.mask
    expect(not layer.data_size and not mask.data_size, "The pixels come again with the result.")
    expect(layer.bounds == whole.result.layer.bounds, "The result has other bounds than the whole one.")
    for name, wanted in (("layer", whole.result.layer), ("mask", whole.result.mask)):
        pixels = whole.pixels(wanted)
        found, times = np.zeros_like(pixels), np.zeros(pixels.shape[:2], np.uint8)
        for event in parted.events:
            if event.HasField("tile"):
                tile = getattr(event.tile, name)
                top, left = tile.bounds.y - wanted.bounds.y, tile.bounds.x - wanted.bounds.x
                place = np.s_[top : top + tile.bounds.height, left : left + tile.bounds.width]
                found[place] = parted.pixels(tile)
                times[place] += 1
        expect((times == 1).all(), "The tiles leave a gap, or overlap.")
        expect(np.array_equal(found, pixels), f"The tiles' {name} differs from the whole one.")


@check("refusals", "Bad values are refused by code, field and sentence, and the document lives on")
def _refusals(bench: Bench) -> None:
    document, bad = bench.open_photo(), grpc.StatusCode.INVALID_ARGUMENT
    free = next(number for number in range(UNKNOWN) if number not in {label.id for label in bench.info.bundle.labels})
    wrong = raw(v1.LAYER_KIND_EDITED_LABEL_MAP, np.full((8, 8), free, np.uint8), 20, 20)
    error = refusal(lambda: bench.render(document, v1.Edit(label_map=wrong)), "An unknown label", bad, "UNKNOWN_LABEL")
    expect(error.field.startswith("edit.label_map"), f"An unknown label: the field is {error.field!r}.")
    torn = raw(v1.LAYER_KIND_PHOTO, bench.photo())
    torn.data = torn.data[:-1]
    expect(refusal(lambda: bench.open(torn), "A layer with a byte too few", bad).field, "A torn layer: no field named.")
    outside = raw(v1.LAYER_KIND_EDITED_LABEL_MAP, np.zeros((8, 8), np.uint8), 5000, 0)
    refusal(lambda: bench.render(document, v1.Edit(label_map=outside)), "A label map outside the photo", bad)
    no_png = v1.Layer(kind=v1.LAYER_KIND_PHOTO, encoding=v1.ENCODING_PNG, data=b"\x89PNG\r\n\x1a\nno")
    refusal(lambda: bench.open(no_png), "A broken PNG", bad)
    expect("result" in bench.render(document).kinds, "The document was lost.")


@check("limits", "What is larger than a limit is refused on its header, before any pixel came")
def _limits(bench: Bench) -> None:
    side = bench.info.limits.max_side + 1
    large = raw(v1.LAYER_KIND_PHOTO, np.zeros((1, 1, 3), np.uint8))
    large.bounds.width, large.bounds.height, large.data_size = side, 64, side * 64 * 3
    refusal(lambda: bench.open(large), "A photo above max_side", grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED")


@check("segmentation", "Segment finds a label map of the photo's size, in ids of the bundle")
def _segmentation(bench: Bench) -> None:
    if not bench.info.capabilities.segmentation:
        raise Skipped("The server says that it can't.")
    photo = bench.photo()
    document = bench.open(raw(v1.LAYER_KIND_PHOTO, photo, 3, 4))
    request = v1.SegmentRequest(document_id=document, store=True)
    found = [e.label_map for e in bench.transport.stream("Segment", request) if e.HasField("label_map")]
    expect(len(found) == 1, f"{len(found)} label maps came.")
    bounds = found[0].bounds
    expect((bounds.x, bounds.y, bounds.width, bounds.height) == (3, 4, photo.shape[1], photo.shape[0]), "Wrong bounds.")
    known = {label.id for label in bench.info.bundle.labels} | {UNKNOWN}
    expect(set(found[0].data) <= known, "It holds ids that aren't the bundle's.")
    tile = raw(v1.LAYER_KIND_EDITED_LABEL_MAP, np.full((16, 16), bench.ids()[1], np.uint8), 20, 24)
    mask = raw(v1.LAYER_KIND_MASK, np.full((8, 8), 255, np.uint8), 24, 28)
    expect(
        "result" in bench.render(document, v1.Edit(label_map=tile, mask=mask)).kinds, "It can't be edited after that."
    )
