"""What every folder of tests shares: where the optional data lies, and what is skipped without it."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

# The same examples in every run, so that a run says something of the change and nothing of luck. To look for new ones:
# HYPOTHESIS_PROFILE=search pytest tests/unit
hypothesis.settings.register_profile("same", derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("search", derandomize=False, deadline=None, max_examples=3000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The optional folder of data sets and tasks: LAYOUTBRUSH_SHARED, by default `../shared` beside the repository.

    It is not part of the repository; a test that asks for it is skipped where it is absent.
    """
    folder = Path(os.environ.get("LAYOUTBRUSH_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip("no data sets: set LAYOUTBRUSH_SHARED to the folder that holds data/ and eval/")
    return folder
