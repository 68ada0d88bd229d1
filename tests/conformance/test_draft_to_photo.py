"""From boxes to a photo, on the command line and on the wire: draft, find a photo like it, paint it or draw from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image

from layoutbrush import v1
from layoutbrush.plugin_bridge import Box, Client, Picture, Reference, Source
from layoutbrush.plugin_bridge.commands import draft, edit, segment
from layoutbrush.runtime.commands import find_references
from layoutbrush.runtime.server import ServerOptions, open_backend
from layoutbrush.runtime.testing import ServerThread, until

HEIGHT, WIDTH = 96, 144
SKY, GRASS = 0, 3
BOXES = (Box("sky", 0, 0, 90, 40), Box("grass", 0, 40, 90, 20), Box("grass", 9, 20, 18, 40))


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photos whose upper half is one colour (sky, says the stand-in) and whose lower half is another one (grass)."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 40, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        pixels[: HEIGHT // 2, :, 2] += 180
        pixels[HEIGHT // 2 :, :, 1] += 180
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def server(photos: Path) -> Iterator[str]:
    options = ServerOptions(port=0, bundle="stand-in", references=str(photos))
    with ServerThread(open_backend(options), options) as running:
        yield running.address


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    objects = [{"label": box.label, "bbox": [box.x, box.y, box.width, box.height]} for box in BOXES]
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps({"width": 90, "height": 60, "objects": objects}))
    return path


def painted(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """The boxes as a label map."""
    labels = np.zeros((height, width), np.uint8)
    labels[round(height * 2 / 3) :] = GRASS
    labels[round(height / 3) :, round(width / 10) : round(width * 3 / 10)] = GRASS
    return labels


def is_sky(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(pixels[..., 2] > pixels[..., 1])


def test_on_the_command_line(
    server: str, photos: Path, boxes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drafts, sized = tmp_path / "drafts", tmp_path / "sized"
    assert draft.run(draft.Config(boxes, drafts, count=4, server=server)) == 0
    layout = drafts / "layouts" / "draft-3.png"
    capsys.readouterr()
    wanted = find_references.Config(photos, layout, count=1, index=tmp_path / "index", bundle="stand-in", json=True)
    assert find_references.run(wanted) == 0
    photo = photos / json.loads(capsys.readouterr().out)[0]["name"]

    assert draft.run(draft.Config(boxes, sized, like=photo, server=server)) == 0
    layout, result = sized / "layouts" / "draft-0.png", tmp_path / "result.png"
    np.testing.assert_array_equal(read(layout), painted())
    shown = tmp_path / "shown.png"
    assert segment.run(segment.Config(sized / "draft-0.png", shown, server=server)) == 0
    assert set(np.unique(read(shown))) == {SKY, GRASS}  # a draft's layout may be found in its picture, too
    assert edit.run(edit.Config(photo, layout, result, grow=0.0, server=server)) == 0
    before, after = read(photo), read(result)
    changed = painted() != np.repeat([SKY, GRASS], HEIGHT // 2).astype(np.uint8)[:, None]
    np.testing.assert_array_equal(after[~changed], before[~changed])
    assert (is_sky(after) == (painted() == SKY))[changed].mean() > 0.9
    assert draft.run(draft.Config(boxes, sized, like=photo, size="4x4", server=server)) == 1
    assert "--size and --like" in capsys.readouterr().err


def test_a_draft_as_the_photo_drawn_from_one_that_was_found(
    server: str, photos: Path, boxes: Path, tmp_path: Path
) -> None:
    drafts, result = tmp_path / "drafts", tmp_path / "result.png"
    assert draft.run(draft.Config(boxes, drafts, size="144x96", server=server)) == 0
    layout = drafts / "layouts" / "draft-0.png"
    config = edit.Config(
        drafts / "draft-0.png",
        layout,
        result,
        layout=layout,
        reference=(photos / "0.png",),
        take=("sky", "grass"),
        server=server,
    )
    assert edit.run(config) == 0
    assert (is_sky(read(result)) == (painted() == SKY)).mean() > 0.9
    colors = read(result).reshape(-1, 3).astype(int)
    assert colors.max(axis=1).mean() > 150  # the photo's blue and green, not the draft's tints
    assert colors[:, 0].max() <= 45


def test_on_the_wire(server: str) -> None:
    """What the editor in the browser does: boxes, drafts, photos that look like one, an edit that draws from one."""
    with Client(server) as client, grpc.insecure_channel(server) as channel:
        stub = v1.LayoutbrushServiceStub(channel)
        first = client.draft(BOXES, 90, 60, count=2, layout_size=(WIDTH, HEIGHT)).drafts()[1]
        assert first.label_map is not None
        request = v1.FindReferencesRequest(
            label_map=first.label_map.layer(v1.LAYER_KIND_EDITED_LABEL_MAP),
            picture=first.picture.layer(v1.LAYER_KIND_PHOTO),
            count=1,
        )
        found = until_ranked(stub, request)
        photo, labels = fetched(stub, found.references[0].name)
        sketch = Picture(np.full((HEIGHT, WIDTH, 3), 128, np.uint8).tobytes(), WIDTH, HEIGHT)
        references = [Reference("found", photo, labels)]
        sources = [Source(label=label, reference="found") for label in (SKY, GRASS)]
        with client.open(sketch, first.label_map, references=references) as document:
            result = document.edit(first.label_map, sources=sources).result()
        pixels = np.frombuffer(result.picture.data, np.uint8).reshape(result.picture.shape)
        assert pixels.shape == (HEIGHT, WIDTH, 3)
        assert (is_sky(pixels) == (painted() == SKY)).mean() > 0.9


def until_ranked(stub: Any, request: v1.FindReferencesRequest) -> v1.FindReferencesResponse:
    """Ask until the server has looked through its folder."""
    answers: list[v1.FindReferencesResponse] = []

    def ranked() -> bool:
        answers.append(stub.FindReferences(request))
        return not answers[-1].pending

    until(ranked)
    return answers[-1]


def fetched(stub: Any, name: str) -> tuple[Picture, Picture]:
    """A photo and its label map."""
    layers: dict[str, Picture] = {}
    for response in stub.FetchReference(v1.FetchReferenceRequest(name=name)):
        kind = str(response.WhichOneof("event"))
        if kind in ("photo", "label_map"):
            layer = getattr(response, kind)
            layers[kind] = Picture.received(layer, layer.data)
    return layers["photo"], layers["label_map"]
