"""What every test of training starts from: one thread and a seed, whatever ran before it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

NEEDED = "needs the training extra"


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Small networks on a busy machine spend their time waiting for each other, and threads add up in another order.

    The commands set both for good, as a process of their own may.
    """
    torch = pytest.importorskip("torch", reason=NEEDED)
    before = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        torch.set_num_threads(1)
        yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Tests that draw without a seed of their own draw the same in every run and order."""
    pytest.importorskip("torch", reason=NEEDED).manual_seed(0)
