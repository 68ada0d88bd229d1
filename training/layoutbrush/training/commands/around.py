"""What the commands here have around their work: the extra that they need, threads, errors as a sentence, progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def reported(work: Callable[[], int], threads: int = 0, outcome: str = "") -> int:
    """The exit status of ``work``: its own; 1 after an error of what it was given, which is printed behind ``outcome``;
    2 where the extra `training` is missing. ``threads``: of torch, 0 for all cores.
    """
    try:
        import torch

        from layoutbrush.runtime.errors import LayoutbrushError
        from layoutbrush.training.data.photo import DataError
        from layoutbrush.training.drafts.config import DraftConfigError
        from layoutbrush.training.metrics.features import FeatureError
        from layoutbrush.training.stages.options import OptionError
        from layoutbrush.training.stages.warp_cache import CacheError
        from layoutbrush.training.trainer.weights import WeightsError
    except ImportError as error:
        print(f"This needs the extra: pip install 'layoutbrush[training]' (missing: {error.name}).", file=sys.stderr)
        return 2
    if threads:
        torch.set_num_threads(threads)
    known = (CacheError, DataError, DraftConfigError, FeatureError, LayoutbrushError, OptionError, WeightsError)
    try:
        return work()
    except (*known, OSError) as error:
        print(f"{outcome}{error}", file=sys.stderr)
        return 1


def check_size(size: int) -> None:
    """Raises OptionError for a side of crops that is no multiple of 16."""
    from layoutbrush.training.stages.options import OptionError

    if size < 16 or size % 16:
        raise OptionError(f"size: should be a multiple of 16, not {size}")


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on the error output; call what it gives once for each of ``total``."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task(what, total=total)
        yield lambda: bar.advance(line)
