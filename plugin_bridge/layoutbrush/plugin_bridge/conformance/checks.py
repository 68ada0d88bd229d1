"""The table of checks: a name, the promise of the contract that is checked, and the function that does it.

A check raises `Failed` with one sentence where the promise is broken, and `Skipped` where the server says that it
doesn't offer that. Checks are added with the decorator `check`, in the order of their modules.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc

from layoutbrush.plugin_bridge.conformance.bench import Bench
from layoutbrush.plugin_bridge.conformance.transports import Transport
from layoutbrush.plugin_bridge.errors import RemoteError


class Failed(Exception):
    """A promise is broken; the message says which, for the author of the server or plugin."""


class Skipped(Exception):
    """The subject doesn't offer that; the message says so."""


@dataclass(frozen=True)
class Check:
    """`name`: for the report. `promise`: what is checked, one sentence."""

    name: str
    promise: str
    run: Callable[[Bench], None]


@dataclass(frozen=True)
class Verdict:
    """What came of a check. `outcome`: "passed", "failed" or "skipped". `remark`: why."""

    check: str
    promise: str
    outcome: str
    remark: str = ""
    seconds: float = 0.0


CHECKS: list[Check] = []


def check(name: str, promise: str) -> Callable[[Callable[[Bench], None]], Callable[[Bench], None]]:
    """Add a function to the table."""

    def add(run: Callable[[Bench], None]) -> Callable[[Bench], None]:
        CHECKS.append(Check(name, promise, run))
        return run

    return add


def expect(condition: object, sentence: str) -> None:
    """Fail with that sentence unless the condition holds."""
    if not condition:
        raise Failed(sentence)


def refusal(call: Callable[[], Any], what: str, code: grpc.StatusCode, reason: str = "") -> RemoteError:
    """Make a call that must be refused in that way."""
    try:
        answer = call()
        if isinstance(answer, Iterator):
            for _ in answer:
                pass
    except RemoteError as error:
        expect(error.code is code, f"{what}: answered {error.code.name}, should be {code.name}.")
        expect(not reason or error.reason == reason, f"{what}: reason {error.reason!r}, should be {reason}.")
        expect(error.message.strip(), f"{what}: the error has no sentence for a person.")
        inner = [w for w in ("Traceback", "site-packages", "0x", "Error(", "<class") if w in error.message]
        expect(not inner, f"{what}: the error shows the server's inner life: {error.message[:80]!r}.")
        return error
    raise Failed(f"{what}: was not refused.")


def hold(transport: Transport, checks: Iterable[Check] | None = None) -> Iterator[Verdict]:
    """Hold a server against the checks, each with documents of its own."""
    for item in CHECKS if checks is None else checks:
        started = time.monotonic()
        outcome, remark = "passed", ""
        bench = Bench(transport)
        try:
            item.run(bench)
        except Skipped as skipped:
            outcome, remark = "skipped", str(skipped)
        except Failed as failed:
            outcome, remark = "failed", str(failed)
        except RemoteError as error:
            outcome, remark = "failed", f"The server refused what it should take: {error.code.name}, {error}"
        except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError, AssertionError) as error:
            outcome, remark = "failed", f"The answer makes no sense ({type(error).__name__}: {error})."
        finally:
            bench.close()
        yield Verdict(item.name, item.promise, outcome, remark, time.monotonic() - started)
