"""What takes more memory than there is is refused before it is taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anomscan import memory
from anomscan.config import RcfSettings, TrainSettings
from anomscan.detectors.rcf.training import train
from anomscan.errors import InputError
from fleets import daily, layout


def system(root: Path, available: int, limit: str, taken: int) -> Path:
    (root / "proc").mkdir()
    (root / "proc" / "meminfo").write_text(f"MemTotal: 999999 kB\nMemAvailable:   {available} kB\nCached: 1 kB\n")
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/memory.max").write_text(f"{limit}\n")
    (root / "sys/fs/cgroup/memory.current").write_text(f"{taken}\n")
    return root


@pytest.mark.parametrize(
    ("limit", "taken", "free"), [("max", 5, 2048), ("5000", 4000, 1000), ("5000", 6000, 0), ("9999999", 1, 2048)]
)
def test_the_smaller_of_the_machine_and_the_control_group_counts(tmp_path, limit, taken, free):
    assert memory.free_bytes(system(tmp_path, 2, limit, taken)) == free


def test_this_machine_has_some():
    assert memory.free_bytes() is None or memory.free_bytes() > 0


def test_a_forest_that_is_too_large_says_how_large(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 3 << 30)
    variables = tuple(f"v{number}" for number in range(10_000))
    fleet = [daily("a", np.random.default_rng(0).random((60, len(variables))), variables)]
    model = tmp_path / "rcf.forest"
    asked = (RcfSettings(model=model), TrainSettings(samples=50, min_std=0, max_std=9))
    with pytest.raises(
        InputError,
        match=r"a forest of 300 trees of 44 points with 70,000 numbers each takes about [\d.]+ GB of memory, and "
        r"3\.0 GB are free \(lower trees or sample_size, or take fewer variables\)",
    ):
        train(lambda: iter([fleet]), layout(variables), *asked, shingle=7, through=None)
    assert not model.exists()
