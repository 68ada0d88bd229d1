"""Plug-ins' session and controller against a scripted server: threads, messages, several documents, loss, reentry."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from layoutbrush.plugin_bridge import Picture, Result
from layoutbrush.plugin_bridge.host import HostProblem, MaskUse, Palette, Server, Session, Snapshot, Wishes, label_layer
from layoutbrush.plugin_bridge.host.controller import Controller, Status
from layoutbrush.plugin_bridge.host.messages import Connected, Failed, Finished, Labelled, Message
from layoutbrush.plugin_bridge.host.snapshot import size_question
from layoutbrush.runtime.server import ServerOptions
from layoutbrush.runtime.testing import ScriptedEditor, ServerThread, scripted_backend

WIDTH, HEIGHT = 96, 80
WATER = 4


@pytest.fixture
def editor() -> ScriptedEditor:
    return ScriptedEditor()


@pytest.fixture
def server(editor: ScriptedEditor) -> Iterator[ServerThread]:
    with ServerThread(scripted_backend(editor), ServerOptions(port=0)) as running:
        yield running


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    yield session
    session.close()


def photo() -> Picture:
    """BGRA pixels, all different from their neighbours."""
    values = np.arange(WIDTH * HEIGHT * 4, dtype=np.uint32).astype(np.uint8)
    values[3::4] = 255
    return Picture(values.tobytes(), WIDTH, HEIGHT, "BGRA")


def scene(palette: Palette, water: bool = True) -> bytes:
    """The scripted server's own labels, with a square of water."""
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    ids[HEIGHT // 2 :] = 3
    if water:
        ids[20:40, 30:50] = WATER
    return label_layer.paint(ids.tobytes(), palette)


def poll(session: Session, *kinds: type) -> Message:
    """The next message of one of these kinds; others are passed over."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for message in session.poll():
            if isinstance(message, kinds):
                return message
        time.sleep(0.005)
    raise AssertionError("no such message came")


def palette_of(session: Session, server: ServerThread) -> Palette:
    session.test(Server(server.address))
    message = poll(session, Connected)
    assert isinstance(message, Connected)
    return message.palette


def test_render_of_a_snapshot(session: Session, server: ServerThread, editor: ScriptedEditor) -> None:
    palette = palette_of(session, server)
    wishes = Wishes(seed=77)
    session.generate(Server(server.address), "a", Snapshot(photo(), scene(palette), wishes=wishes))
    assert session.busy("a") and not session.busy("b")
    message = poll(session, Finished, Failed)
    assert isinstance(message, Finished) and message.key == "a" and not session.busy("a")
    result = message.result
    pixels = np.frombuffer(result.picture.data, np.uint8).reshape(result.picture.shape)
    mask = np.frombuffer(result.mask.data, np.uint8).reshape(result.mask.shape[:2])
    assert result.picture.channels == "BGRA" and (pixels[mask == 255] == [77, 77, 77, 255]).all()
    assert not pixels[..., 3][mask == 0].any()
    assert editor.requests[-1].seed == 77 and editor.opened == 1


def test_document_is_sent_once_and_again_when_the_photo_changes(
    session: Session, server: ServerThread, editor: ScriptedEditor
) -> None:
    palette, address = palette_of(session, server), Server(server.address)
    for _ in range(2):
        session.generate(address, "a", Snapshot(photo(), scene(palette)))
        assert isinstance(poll(session, Finished, Failed), Finished)
    assert editor.opened == 1
    other = Picture(bytes(reversed(photo().data)), WIDTH, HEIGHT, "RGBA")
    session.generate(address, "a", Snapshot(other, scene(palette)))
    assert isinstance(poll(session, Finished, Failed), Finished)
    assert editor.opened == 2


def test_labels_and_selection(session: Session, server: ServerThread, editor: ScriptedEditor) -> None:
    address = Server(server.address)
    session.segment(address, "a", photo())
    labelled = poll(session, Labelled, Failed)
    assert isinstance(labelled, Labelled) and set(labelled.labels.data) == {0, 3}
    assert labelled.colors.data == label_layer.paint(labelled.labels.data, labelled.palette)
    selection = np.zeros((HEIGHT, WIDTH), np.uint8)
    selection[5:9, 6:11] = 255
    chosen = Picture.gray(selection.tobytes(), WIDTH, HEIGHT)
    wishes = Wishes(MaskUse.SELECTION)
    for labels in (labelled.labels, None):
        session.generate(address, "a", Snapshot(photo(), None, labels=labels, selection=chosen, wishes=wishes))
        message = poll(session, Finished, Failed)
        assert isinstance(message, Finished)
        picture = message.result.picture
        assert (picture.x, picture.y, picture.width, picture.height) == (6, 5, 5, 4)


@pytest.mark.parametrize(
    ("snapshot", "part"),
    [
        (Snapshot(photo()), "no label layer"),
        (Snapshot(photo(), wishes=Wishes(MaskUse.SELECTION)), "Nothing is selected"),
        (Snapshot(photo(), b"1234"), "not of the canvas' size"),
        (Snapshot(photo(), bytes([1, 2, 250, 255]) * (WIDTH * HEIGHT)), "#fa0201"),
        (Snapshot(Picture(bytes(4 * 9), 3, 3, "BGRA"), bytes(4 * 9)), "at least"),
    ],
)
def test_what_can_not_be_rendered_is_told(
    session: Session, server: ServerThread, snapshot: Snapshot, part: str
) -> None:
    session.generate(Server(server.address), "a", snapshot)
    message = poll(session, Failed, Finished)
    assert isinstance(message, Failed) and part in message.sentence


def test_nobody_there(session: Session) -> None:
    session.generate(Server("127.0.0.1:9"), "a", Snapshot(photo(), bytes(4 * WIDTH * HEIGHT)))
    message = poll(session, Failed)
    assert isinstance(message, Failed) and "127.0.0.1:9" in message.sentence
    session.generate(Server(" "), "a", Snapshot(photo(), bytes(4 * WIDTH * HEIGHT)))
    message = poll(session, Failed)
    assert isinstance(message, Failed) and "address" in message.sentence


@dataclass
class Recorder:
    """A host that writes down what is asked of it."""

    palette: Palette
    keys: list[str] = field(default_factory=lambda: ["a", "b"])
    seen: list[tuple[str, str]] = field(default_factory=list)
    nested: Callable[[], object] = lambda: None
    extent: tuple[int, int] = (WIDTH, HEIGHT)
    answer: bool = False

    def documents(self) -> list[str]:
        return self.keys

    def size(self, key: str) -> tuple[int, int]:
        return self.extent

    def photo(self, key: str) -> Picture:
        return photo()

    def snapshot(self, key: str, wishes: Wishes) -> Snapshot:
        self.nested()
        return Snapshot(photo(), scene(self.palette), wishes=wishes, note="Converted.")

    def show_labels(self, key: str, labels: Picture, colors: Picture, palette: Palette) -> None:
        self.seen.append((key, "labels"))

    def show_preview(self, key: str, picture: Picture) -> None:
        self.seen.append((key, "preview"))

    def show_result(self, key: str, result: Result, title: str) -> None:
        self.nested()
        self.seen.append((key, title))

    def drop_preview(self, key: str) -> None:
        self.seen.append((key, "dropped"))

    def ask(self, question: str) -> bool:
        self.seen.append(("", question))
        return self.answer


@pytest.fixture
def recorder(session: Session, server: ServerThread) -> Recorder:
    return Recorder(palette_of(session, server))


@pytest.fixture
def controller(recorder: Recorder, session: Session, server: ServerThread) -> Controller:
    controller = Controller(recorder, session)
    controller.server = Server(server.address)
    return controller


def settle(controller: Controller, until: Callable[[], bool] | None = None) -> None:
    """Tick until nothing is waited for."""
    end = time.monotonic() + 30
    while until() is False if until else controller.waiting:
        assert time.monotonic() < end
        controller.tick()
        time.sleep(0.005)


def test_controller_shows_previews_then_the_result(controller: Controller, recorder: Recorder) -> None:
    controller.generate("a", Wishes(seed=3))
    assert controller.busy("a") and controller.waiting
    settle(controller)
    assert recorder.seen == [("a", "preview"), ("a", "preview"), ("a", "Layoutbrush (seed 3)")]
    assert controller.status("a").text.startswith("Done in") and controller.status("a").text.endswith("Converted.")
    assert controller.status("") == Status("Open a photo first.")


def test_controller_cancels_and_drops_the_preview(
    controller: Controller, recorder: Recorder, editor: ScriptedEditor
) -> None:
    editor.hold = threading.Event()
    controller.generate("a", Wishes())
    settle(controller, lambda: editor.started > 0)
    controller.cancel("a")
    settle(controller)
    assert recorder.seen == [("a", "dropped")] and controller.status("a").text == "Cancelled."


def test_controller_lets_go_of_closed_documents(
    controller: Controller, recorder: Recorder, editor: ScriptedEditor, session: Session
) -> None:
    editor.hold = threading.Event()
    controller.generate("a", Wishes())
    settle(controller, lambda: editor.started > 0)
    recorder.keys.remove("a")
    settle(controller)
    assert not session.jobs() and controller.status("a") == Status()
    editor.hold.set()
    time.sleep(0.05)
    controller.tick()
    assert recorder.seen == [], "nothing is done to a document that is gone"


def test_controller_is_not_confused_by_nested_calls(controller: Controller, recorder: Recorder) -> None:
    """Editors run their event loop inside of calls: a timer ticks, a button is pressed twice."""
    inside: list[tuple[bool, bool, bool]] = []

    def nested() -> None:
        controller.generate("a", Wishes(seed=99))
        inside.append((controller.busy("a"), controller.waiting, controller.tick() if inside else False))

    recorder.nested = nested
    controller.generate("a", Wishes(seed=1))
    settle(controller)
    assert inside == [(True, True, False), (True, True, False)]
    assert [title for _, title in recorder.seen if title.startswith("Layoutbrush")] == ["Layoutbrush (seed 1)"]


def test_controller_tells_what_the_editor_refuses(controller: Controller, recorder: Recorder) -> None:
    def broken() -> None:
        raise HostProblem("The layer is locked.")

    recorder.nested = broken
    controller.generate("a", Wishes())
    assert controller.status("a") == Status("The layer is locked.", trouble=True)
    assert not controller.waiting


def test_controller_asks_before_a_large_canvas_is_sent(controller: Controller, recorder: Recorder) -> None:
    recorder.extent = (6000, 4000)
    controller.generate("a", Wishes())
    assert recorder.seen == [("", size_question(6000, 4000))] and "24 megapixels" in recorder.seen[0][1]
    assert controller.status("a").text == "Nothing was sent." and not controller.waiting
    recorder.answer = True
    controller.generate("a", Wishes())
    assert controller.busy("a")
    settle(controller)
    assert size_question(5999, 4000) == ""


def test_encrypted_servers_by_their_address() -> None:
    assert Server("https://paint.example:443/").host_and_port == "paint.example:443"
    assert Server("https://paint.example:443").encrypted and not Server("paint.example:443").encrypted
