"""Engines in order of preference: a failure changes over once, and no request is lost."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from layoutbrush.runtime.bundle import Bundle
from layoutbrush.runtime.engines import open_engine
from layoutbrush.runtime.engines.fallback import FallbackEngine
from layoutbrush.runtime.engines.protocol import Array, Arrays
from layoutbrush.runtime.errors import Internal, NotFound


class _Engine:
    """Answers with its name's length; fails from run number `fails_from` on."""

    def __init__(self, name: str, fails_from: int = 1 << 30) -> None:
        self.name, self.note = name, f"note of {name}"
        self.fails_from, self.runs = fails_from, 0

    def run(self, graph: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Arrays:
        if graph == "none":
            raise NotFound("The bundle has no such graph.", graph)
        self.runs += 1
        if self.runs >= self.fails_from:
            raise Internal("The graph failed.")
        return {"size": np.array(len(self.name))}


def test_the_first_serves_as_long_as_it_works() -> None:
    first = _Engine("first")
    engine = FallbackEngine(first, lambda: pytest.fail("not needed"))
    assert engine.run("graph", {})["size"] == 5
    assert (engine.name, engine.note) == ("first", "note of first")


def test_a_failure_is_answered_by_the_second_from_then_on() -> None:
    first, second = _Engine("first", fails_from=2), _Engine("second")
    engine = FallbackEngine(first, lambda: second)
    assert [int(engine.run("graph", {})["size"]) for _ in range(3)] == [5, 6, 6]
    assert (first.runs, second.runs, engine.name) == (2, 2, "second")


def test_wrong_requests_do_not_change_engines() -> None:
    engine = FallbackEngine(_Engine("first"), lambda: _Engine("second"))
    with pytest.raises(NotFound):
        engine.run("none", {})
    assert engine.name == "first"


def test_the_last_engines_failure_is_raised() -> None:
    engine = FallbackEngine(_Engine("first", 1), lambda: _Engine("second", 1))
    with pytest.raises(Internal):
        engine.run("graph", {})


def test_threads_that_fail_together_open_the_second_once() -> None:
    opened: list[_Engine] = []
    barrier = threading.Barrier(4)

    class _Together(_Engine):
        def run(self, graph: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()) -> Arrays:
            barrier.wait()
            raise Internal("The graph failed.")

    def open_second() -> _Engine:
        opened.append(_Engine("second"))
        return opened[-1]

    engine = FallbackEngine(_Together("first"), open_second)
    answers: list[Arrays] = []
    threads = [threading.Thread(target=lambda: answers.append(engine.run("graph", {}))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert len(opened) == 1


def test_auto_opens_something_on_every_machine() -> None:
    engine = open_engine(Bundle.load("scenes"), threads=1)
    assert engine.name in ("tensorrt", "onnxruntime-cuda", "onnxruntime-cpu")
