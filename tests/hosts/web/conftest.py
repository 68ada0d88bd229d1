"""Where pictures to look at are kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def pictures(repository: Path) -> Path:
    """LAYOUTBRUSH_TEST_OUTPUT, by default `build/test-output` in the checkout."""
    base = Path(os.environ.get("LAYOUTBRUSH_TEST_OUTPUT", repository / "build" / "test-output"))
    folder = base / "web"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
