"""What a plugin is held against: it is run once for each script of a server, and judged by what it sent.

A plugin under test is a command that makes one edit with the server that it is given: the plugin's own code, driven by
a few lines of its author's (open a picture of 64 pixels and more a side, change a label, generate). HOST:PORT replaces
`{server}` in the command, and is in the environment as LAYOUTBRUSH_SERVER; LAYOUTBRUSH_SCRIPT holds the name of the
script, so that a driver can press Cancel in `cancel`. A plugin that speaks Connect or gRPC-Web gets the address of a
gateway for `{url}`, also as LAYOUTBRUSH_URL.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from layoutbrush import v1
from layoutbrush.plugin_bridge.conformance.checks import Failed, Skipped, Verdict, expect
from layoutbrush.plugin_bridge.conformance.scripted_server import Met, Script, ScriptedServer

SMALL_SIDE = 48
_LOOK_SECONDS = 0.1
_TERM_SECONDS = 5.0
"""From SIGTERM to SIGKILL."""
_SETTLE_SECONDS = 10.0
"""The last calls come to their end on the server so long after the plugin did, at most."""


@dataclass(frozen=True)
class Run:
    """A plugin that has been run. `stopped`: it had to be ended, because it did not end by itself."""

    server: ScriptedServer
    status: int
    output: str
    stopped: bool


@dataclass(frozen=True)
class Scenario:
    """A script for the server, and the judge of what the plugin made of it."""

    name: str
    promise: str
    script: Script
    judge: Callable[[Run], None]


def _edits(run: Run) -> list[Met]:
    return run.server.calls("Render")


def _plain(run: Run) -> None:
    expect(run.status == 0, f"It ended with status {run.status}: {run.output[-200:]}")
    expect(run.server.calls("OpenDocument"), "It opened no document.")
    expect(_edits(run), "It rendered nothing.")
    expect(all(met.ended == "answered" for met in _edits(run)), "A render was broken off.")


def _tidy(run: Run) -> None:
    _plain(run)
    opened = len(run.server.calls("OpenDocument"))
    closed = len(run.server.calls("CloseDocument"))
    expect(closed == opened, f"It opened {opened} documents and closed {closed}.")


def _busy(run: Run) -> None:
    edits = _edits(run)
    expect(len(edits) > 1, "It did not come again after the server said when to.")
    for earlier, later in pairwise(edits):
        if earlier.ended == "refused":
            waited = later.at - earlier.ended_at
            wanted = run.server.script.retry_after_s
            expect(waited >= wanted * 0.9, f"It came again after {waited:.2f} s; it was told {wanted:.2f} s.")
            expect(_same(earlier, later), "It came again with another edit.")
    expect(edits[-1].ended == "answered", "It gave up.")


def _overrun(run: Run) -> None:
    edits = _edits(run)
    expect(len(edits) <= 20, f"It asked a server that stays busy {len(edits)} times.")
    expect(not run.stopped, "It never gave up on a server that stays busy.")


def _forgets(run: Run) -> None:
    edits = _edits(run)
    expect(len(edits) > 1, "It did not try again after the server had forgotten the document.")
    expect(len(run.server.calls("OpenDocument")) > 1, "It did not open the document again.")
    expect(_same(edits[0], edits[-1]), "The edit was lost: another one came after the document was opened again.")
    expect(edits[-1].ended == "answered", "It gave up.")


def _refused(run: Run) -> None:
    expect(not run.stopped, "It did not end.")
    edits = _edits(run)
    expect(edits, "It rendered nothing.")
    repeated = sum(_same(edits[0], met) for met in edits[1:])
    expect(not repeated, f"It sent an edit that was refused as invalid {repeated} more times.")


def _cancel(run: Run) -> None:
    edits = _edits(run)
    expect(edits, "It rendered nothing.")
    if run.stopped:
        raise Skipped("The driver does not press Cancel where LAYOUTBRUSH_SCRIPT=cancel.")
    expect(all(met.ended == "cancelled" for met in edits), "It went on with a render that the user had cancelled.")


def _large(run: Run) -> None:
    expect(run.server.calls("GetServerInfo"), "It did not ask for the server's limits.")
    for met in run.server.calls("OpenDocument") + run.server.calls("UploadLayer"):
        layers = met.request.layers if met.method == "OpenDocument" else [met.request.layer]
        for layer in layers:
            sent = len(layer.data)
            side = max(layer.bounds.width, layer.bounds.height)
            expect(not sent or side <= SMALL_SIDE, f"It sent a layer of {side} pixels; the server takes {SMALL_SIDE}.")


SCENARIOS = (
    Scenario("edit", "It opens a photo, renders, and takes the result", Script(), _plain),
    Scenario("tidy", "It closes the documents that it opened", Script(), _tidy),
    Scenario("messages", "Its messages stay below the server's limit", Script(max_message_bytes=4 << 20), _plain),
    Scenario("busy", "A busy server is asked again, not before the time that it named", Script(busy=2), _busy),
    Scenario("overrun", "A server that stays busy is given up in the end", Script(busy=10_000), _overrun),
    Scenario("forgotten", "A forgotten document is opened again, and the edit not lost", Script(forgets=1), _forgets),
    Scenario("refused", "What was refused as invalid is not sent again", Script(refuses=10_000), _refused),
    Scenario("cancel", "Cancel ends the render on the server", Script(slow=True), _cancel),
    Scenario("too-large", "A picture above the server's limit is not sent", Script(max_side=SMALL_SIDE), _large),
)


def hold_plugin(
    command: str, scenarios: Sequence[Scenario] = SCENARIOS, seconds: float = 60.0, slow_seconds: float = 10.0
) -> Iterator[Verdict]:
    """Run the plugin once a scenario and judge it. `seconds`: after which it is ended; `slow_seconds`: where the server
    never answers, counted from the render on.
    """
    for scenario in scenarios:
        started = time.monotonic()
        outcome, remark = "passed", ""
        with ScriptedServer(scenario.script) as server:
            run = _run(command, scenario, server, seconds, slow_seconds)
            try:
                if scenario.name != "too-large":  # there it is its judge who looks at sizes
                    expect(not server.complaints, " ".join(server.complaints[:3]))
                scenario.judge(run)
            except Skipped as skipped:
                outcome, remark = "skipped", str(skipped)
            except Failed as failed:
                outcome, remark = "failed", str(failed)
        yield Verdict(scenario.name, scenario.promise, outcome, remark, time.monotonic() - started)


def _run(command: str, scenario: Scenario, server: ScriptedServer, seconds: float, slow_seconds: float) -> Run:
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(_gateway(server.address)) if "{url}" in command else ""
        words = [word.replace("{server}", server.address).replace("{url}", url) for word in shlex.split(command)]
        known = {"LAYOUTBRUSH_SERVER": server.address, "LAYOUTBRUSH_URL": url, "LAYOUTBRUSH_SCRIPT": scenario.name}
        run = _ended(words, {**os.environ, **known}, server, seconds, slow_seconds)
        _settle(server)
        return run


@contextlib.contextmanager
def _gateway(address: str) -> Iterator[str]:
    from layoutbrush.plugin_bridge.gateway.testing import GatewayThread

    with GatewayThread(address) as web:
        yield web.url.rstrip("/")


def _ended(
    words: Sequence[str], environment: dict[str, str], server: ScriptedServer, seconds: float, slow_seconds: float
) -> Run:
    """Run a command to its end, or end it when its time is over."""
    process = subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    stopped, awaited, end = False, server.script.slow, time.monotonic() + seconds
    while True:
        try:
            output, _ = process.communicate(timeout=_LOOK_SECONDS)
            break
        except subprocess.TimeoutExpired:
            if awaited and server.calls("Render"):
                awaited, end = False, time.monotonic() + slow_seconds
            if time.monotonic() < end:
                continue
            os.killpg(process.pid, signal.SIGKILL if stopped else signal.SIGTERM)
            stopped, awaited, end = True, False, time.monotonic() + _TERM_SECONDS
    return Run(server, process.returncode, output, stopped)


def _settle(server: ScriptedServer) -> None:
    """Let the last calls come to their end on the server."""
    end = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < end and any(not met.ended_at for met in server.met):
        time.sleep(0.01)


def _same(first: Met, second: Met) -> bool:
    """True where two renders ask for the same, on whatever document."""
    one, other = v1.RenderRequest(), v1.RenderRequest()
    one.CopyFrom(first.request)
    other.CopyFrom(second.request)
    one.document_id = other.document_id = ""
    return one == other
