from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from anomscan.retrying import Backoff
from servers.azurite import Azurite


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """The first pause before another attempt is short."""
    monkeypatch.setattr("anomscan.detectors.azure.client._BACKOFF", Backoff(0.02, 30.0))


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of what the real service answered."""
    root = Path(__file__).parents[3]
    folder = Path(os.environ.get("ANOMSCAN_FIXTURES", root / "../shared/fixtures")) / "azure"
    if not folder.is_dir():
        pytest.skip(f"there are no recordings of the service in {folder}")
    return folder


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """A blob service; a test that wants it fails where it cannot start."""
    with Azurite() as server:
        yield server
