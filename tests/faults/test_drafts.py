"""What goes wrong around drafts, and what is left of the server afterwards."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest

from layoutbrush import v1
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.server import ServerOptions
from layoutbrush.runtime.testing import ScriptedDrafter, ServerThread, scripted_backend, until

BOX = v1.Box(label="tree", x=8, y=8, width=32, height=48)
CLIENTS, ORDERS = 8, 25
EXPECTED = {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INVALID_ARGUMENT,
}


class Studio:
    """A server with a drafter that follows a script, and a stub."""

    def __init__(self, server: ServerThread, drafter: ScriptedDrafter, stub: v1.LayoutbrushServiceStub) -> None:
        self.server = server
        self.drafter = drafter
        self.stub = stub

    def order(self, count: int = 4, timeout: float | None = None) -> Any:
        """Order drafts; iterate over what comes back."""
        extent = v1.Extent(width=64, height=64)
        return self.stub.GenerateDrafts(
            v1.GenerateDraftsRequest(extent=extent, boxes=[BOX], count=count), timeout=timeout
        )

    def idle(self) -> None:
        """Wait until nothing works and nothing waits."""
        assert self.server.running is not None
        admission = self.server.running.core.admission
        until(lambda: (admission.working, admission.waiting) == (0, 0))


@pytest.fixture
def studio() -> Iterator[Any]:
    """Makes studios; arguments of ServerOptions by name."""
    with ExitStack() as stack:

        def make(drafter: ScriptedDrafter, **options: Any) -> Studio:
            backend = scripted_backend(drafter=drafter)
            server = stack.enter_context(ServerThread(backend, ServerOptions(port=0, **options)))
            channel = stack.enter_context(grpc.insecure_channel(server.address))
            return Studio(server, drafter, v1.LayoutbrushServiceStub(channel))

        yield make


def code(call: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as ended:
        list(call)
    return ended.value.code()


def test_a_client_that_goes_away_ends_its_drafts(studio: Any) -> None:
    at = studio(ScriptedDrafter(hold=threading.Event(), free=1))
    call = at.order(count=64)
    for response in call:
        if response.HasField("draft"):
            break
    call.cancel()
    at.idle()
    assert (at.drafter.drawn, at.drafter.finished) == (1, 0)
    at.drafter.hold.set()
    assert sum(response.HasField("draft") for response in at.order(count=2)) == 2


def test_time_runs_out_at_work_and_in_the_queue(studio: Any) -> None:
    at = studio(ScriptedDrafter(hold=threading.Event()))
    working, waiting = at.order(timeout=0.3), at.order(timeout=0.3)
    assert {code(working), code(waiting)} == {grpc.StatusCode.DEADLINE_EXCEEDED}
    at.idle()
    at.drafter.hold.set()
    assert list(at.order())[-1].progress.done == 1


def test_a_full_queue_says_when_to_come_back(studio: Any) -> None:
    at = studio(ScriptedDrafter(hold=threading.Event()), limits=Limits(max_waiting=1))
    calls = [at.order() for _ in range(2)]
    for call in calls:
        assert next(call).HasField("queued")
    assert code(at.order()) is grpc.StatusCode.RESOURCE_EXHAUSTED
    at.drafter.hold.set()
    for call in calls:
        assert sum(response.HasField("draft") for response in call) == 4
    at.idle()


def test_an_unexpected_error_ends_one_order_and_nothing_else(studio: Any, caplog: pytest.LogCaptureFixture) -> None:
    at = studio(ScriptedDrafter(raises=ZeroDivisionError("a secret")))
    seen: list[Any] = []
    with caplog.at_level(logging.ERROR), pytest.raises(grpc.RpcError) as failed:
        seen.extend(at.order())
    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in str(failed.value.details())
    at.idle()
    assert sum(response.HasField("draft") for response in at.order(count=1)) == 1


def test_a_draining_server_finishes_what_it_has_begun(studio: Any) -> None:
    at = studio(ScriptedDrafter(step_seconds=0.05))
    call = at.order(count=4)
    assert next(call).HasField("queued")
    at.server.drain(20.0)
    assert sum(response.HasField("draft") for response in call) == 4
    assert code(at.order()) is grpc.StatusCode.UNAVAILABLE


def restless(at: Studio, chance: random.Random, codes: list[Any]) -> None:
    """One client that orders, changes its mind, runs out of time and makes mistakes."""
    for _ in range(ORDERS):
        call = at.order(chance.choice([1, 3, 64, 65]), chance.choice([0.005, 0.05, 20.0]))
        cancel_at = chance.choice([0, 1, 4, 999])
        try:
            if cancel_at == 0:
                call.cancel()
            for number, _ in enumerate(call, start=1):
                if number >= min(cancel_at, 30):
                    call.cancel()
        except grpc.RpcError as ended:
            codes.append(ended.code())


def test_nothing_is_left_after_a_storm(studio: Any, caplog: pytest.LogCaptureFixture) -> None:
    at = studio(ScriptedDrafter(step_seconds=0.001), workers=2, limits=Limits(max_waiting=4))
    codes: list[Any] = []
    with caplog.at_level(logging.ERROR):
        threads = [threading.Thread(target=restless, args=(at, random.Random(n), codes)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120.0)
        at.idle()
    assert set(codes) <= EXPECTED
    assert caplog.records == []  # no incidents
    assert sum(response.HasField("draft") for response in at.order()) == 4
