"""Golden files: what an output of a fixed form looked like when somebody last read it."""

from __future__ import annotations

import os
from pathlib import Path


def hold(golden: Path, made: str) -> None:
    """Compare an output with its golden file; ``make golden`` writes the file instead."""
    if os.environ.get("UPDATE_GOLDEN") == "1":
        golden.write_bytes(made.encode())
    assert made.encode() == golden.read_bytes(), f"{golden.name} differs; if that is meant: make golden"
