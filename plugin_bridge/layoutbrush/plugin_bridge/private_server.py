"""A server of one's own: started as a process, its address read from the line it prints, gone when its owner goes."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, Queue
from typing import IO

_LISTENING = re.compile(r"listening on (\S+:\d+)")
START_SECONDS = 120.0
"""Longest wait for a server to be ready; loading the networks takes a second or two, a cold disk more."""

STOP_SECONDS = 10.0


class ServerProblem(Exception):
    """The server could not be started; the message is for people."""


@contextmanager
def private_server(
    bundle: str = "scenes", threads: int = 0, extra: Sequence[str] = (), start_seconds: float = START_SECONDS
) -> Iterator[str]:
    """Run `layoutbrush serve` on a free port of this machine; yield its address HOST:PORT, then stop it.

    Raises:
        ServerProblem: it ended early or was not ready in time; holds the last lines that it wrote.
    """
    command = [sys.executable, "-m", "layoutbrush.runtime.cli", "serve", "--host", "127.0.0.1", "--port", "0"]
    command += ["--bundle", bundle, "--threads", str(threads), "--follow-stdin", *extra]
    with tempfile.TemporaryFile("w+") as log:
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, text=True)
        try:
            yield _address(process, log, start_seconds)
        finally:
            _stop(process)


def _address(process: subprocess.Popen[str], log: IO[str], seconds: float) -> str:
    lines: Queue[str] = Queue()
    threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    try:
        while line := lines.get(timeout=seconds):
            if found := _LISTENING.search(line):
                return found.group(1)
    except Empty:
        raise ServerProblem(f"The server was not ready after {seconds:.0f} seconds.") from None
    process.wait()
    raise ServerProblem(f"The server did not start. {_last_words(log)}")


def _read(stream: IO[str], lines: Queue[str]) -> None:
    """Pass lines on; an empty one at the end. Reads on until then, so that the server never waits for a full pipe."""
    for line in stream:
        lines.put(line)
    lines.put("")


def _last_words(log: IO[str], lines: int = 3) -> str:
    log.seek(0)
    text = [line.strip() for line in log if line.strip()]
    return " ".join(text[-lines:])


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
