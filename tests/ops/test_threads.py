"""The pool of threads: calls at once, calls in a forked child, and a result that does not depend on the number."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from layoutbrush.runtime.ops import native
from layoutbrush.runtime.ops.cases import keyword_arguments, sampling_cases

pytestmark = pytest.mark.skipif(not native.available(), reason="the native library is not built")

FORKED = """
import os, warnings
warnings.simplefilter("ignore")  # newer Pythons warn of any fork beside threads: that is what is tried here
from layoutbrush.runtime.ops import native
from layoutbrush.runtime.ops.cases import keyword_arguments, sampling_cases
arguments = keyword_arguments(next(c for c in sampling_cases("fast") if c.name == "smooth_features"))
before, _ = native.key_index_sampling(**arguments, threads=3)
child = os.fork()
if child == 0:
    again, _ = native.key_index_sampling(**arguments, threads=3)
    os._exit(0 if (again == before).all() else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_calls_at_once_do_not_disturb_each_other() -> None:
    cases = [keyword_arguments(case) for case in sampling_cases("fast")]
    alone = [native.key_index_sampling(**arguments, threads=1)[0] for arguments in cases]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda arguments: native.key_index_sampling(**arguments, threads=3)[0], cases * 3))
    for found, expected in zip(together, alone * 3, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_forked_child_starts_threads_of_its_own() -> None:
    assert subprocess.run([sys.executable, "-c", FORKED], timeout=60, check=False).returncode == 0


def test_a_variant_can_be_forced_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYOUTBRUSH_ISA", "portable")
    assert native.best_isa() == "portable"
    monkeypatch.setenv("LAYOUTBRUSH_ISA", "no such")
    assert native.best_isa() == native.supported_isas()[-1]
