"""What is kept of renders that are polled: bounded in age and bytes, with a clock that stands still."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from layoutbrush import v1
from layoutbrush.runtime.errors import RenderNotFound, ResourceExhausted
from layoutbrush.runtime.limits import Limits
from layoutbrush.runtime.service.polling import Polling


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Render:
    """A render of `events` events of `size` bytes, that waits before the last one until it may go on."""

    def __init__(self, events: int = 3, size: int = 0) -> None:
        self.events = events
        self.size = size
        self.go_on = asyncio.Event()
        self.closed = False

    async def responses(self) -> AsyncGenerator[v1.RenderResponse, None]:
        try:
            for number in range(self.events):
                if number == self.events - 1:
                    await self.go_on.wait()
                yield v1.RenderResponse(chunk=v1.LayerChunk(offset=number, data=bytes(self.size)), revision=7)
        finally:
            self.closed = True


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def ask(render_id: str, after: int = 0, wait_ms: int = 0) -> v1.PollRenderRequest:
    return v1.PollRenderRequest(render_id=render_id, after=after, wait_ms=wait_ms)


async def test_a_render_that_nobody_polls_ends() -> None:
    clock, render = Clock(), Render()
    polling = Polling(Limits(), idle_seconds=60.0, clock=clock)
    render_id = (await polling.start("document", render.responses())).render_id
    clock.now += 59
    assert len((await polling.poll(ask(render_id))).events) >= 1
    clock.now += 59
    polling.expire()
    assert len(polling) == 1
    clock.now += 2
    polling.expire()
    await settle()
    assert render.closed
    with pytest.raises(RenderNotFound):
        await polling.poll(ask(render_id))


async def test_a_poll_that_waits_keeps_its_render() -> None:
    clock, render = Clock(), Render(events=2)
    polling = Polling(Limits(), idle_seconds=60.0, clock=clock)
    render_id = (await polling.start("document", render.responses())).render_id
    waiting = asyncio.create_task(polling.poll(ask(render_id, 1, 20_000)))
    await settle()
    clock.now += 1000
    polling.expire()
    render.go_on.set()
    answer = await waiting
    assert ([event.chunk.offset for event in answer.events], answer.next, answer.finished) == ([1], 2, True)
    await polling.aclose()


async def test_ending_a_poll_leaves_the_render_alone() -> None:
    render = Render(events=2)
    polling = Polling(Limits())
    render_id = (await polling.start("document", render.responses())).render_id
    waiting = asyncio.create_task(polling.poll(ask(render_id, 1, 20_000)))
    await settle()
    waiting.cancel()
    await settle()
    assert not render.closed
    await polling.aclose()
    assert render.closed


async def test_finished_renders_make_room_for_bytes_and_numbers() -> None:
    clock = Clock()
    polling = Polling(Limits(max_polled_renders=2), max_bytes=250_000, clock=clock)
    ids = []
    for _ in range(2):
        render = Render(events=2, size=50_000)
        render.go_on.set()
        ids.append((await polling.start("document", render.responses())).render_id)
        await settle()
    with pytest.raises(ResourceExhausted) as full:  # both finished just now, and may yet be asked for
        await polling.start("document", Render().responses())
    assert full.value.retry_after_s > 0
    clock.now += 10
    large = Render(events=4, size=50_000)
    large.go_on.set()
    newest = (await polling.start("document", large.responses())).render_id
    await settle()
    assert polling.nbytes < 250_000
    assert (await polling.poll(ask(newest))).finished
    for render_id in ids:
        with pytest.raises(RenderNotFound):
            await polling.poll(ask(render_id))


async def test_acknowledged_events_free_their_bytes() -> None:
    render = Render(events=3, size=1000)
    render.go_on.set()
    polling = Polling(Limits())
    render_id = (await polling.start("document", render.responses())).render_id
    await settle()
    held = polling.nbytes
    await polling.poll(ask(render_id, 2))
    assert polling.nbytes == pytest.approx(held / 3, rel=0.1)
    assert (await polling.poll(ask(render_id, 3))).finished
    assert polling.nbytes == 0
