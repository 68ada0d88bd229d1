"""What every folder of tests shares: where the optional data lies, and what is skipped without it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
