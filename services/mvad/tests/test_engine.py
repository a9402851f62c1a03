"""What is made of the engine's numbers, without a training."""

import io
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from series import one_table, rows, stamp

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the engine's own
    from anomscan_mvad import engine
    from anomscan_mvad.worker import Worker


def test_interpretation() -> None:
    names = ["a", "b", "c", "d"]
    shares = np.array([0.1, 0.4, 0.2, 0.3])
    attention = np.tile([0.002, -0.006, 0.0009, 0.004], (4, 1))
    found = engine._interpret(names, shares, attention, 3)
    assert [entry["variable"] for entry in found] == ["b", "d", "c"]
    assert [entry["contributionScore"] for entry in found] == pytest.approx([0.4 / 0.9, 0.3 / 0.9, 0.2 / 0.9])
    # What attention fell, or hardly rose, has not changed; the greatest rise comes first.
    assert {tuple(entry["correlationChanges"]["changedVariables"]) for entry in found} == {("d", "a")}


@pytest.mark.parametrize(
    ("count", "stride"),
    [(29, 1), (1_981, 1), (3_000, 1), (3_001, 2), (6_000, 2), (6_001, 3), (27_001, 10), (1_000_000, 10)],
)
def test_stride_by_rows(count: int, stride: int) -> None:
    assert engine.stride_of(count) == stride


@pytest.mark.parametrize(
    ("count", "asked", "used", "said"), [(3_000, 0, 1, ""), (3_001, 0, 2, "1 in 2"), (3_001, 1, 1, ""), (900, 5, 5, "")]
)
def test_a_coarser_stride_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    count: int,
    asked: int,
    used: int,
    said: str,
) -> None:
    taken = []

    def train(table: Any, window: int, stride: int, progress: Any) -> engine.Detector:
        taken.append((len(table), window, stride))
        return engine.Detector(progress)

    monkeypatch.setattr(engine, "train", train)
    monkeypatch.setattr(engine, "save", lambda *_: None)
    (tmp_path / "x.csv").write_text(one_table(rows(count)))
    with caplog.at_level(logging.WARNING):
        Worker(io.StringIO()).train(
            {
                "source": str(tmp_path / "x.csv"), "model": str(tmp_path / "model"), "schema": "OneTable",
                "start": stamp(0), "end": stamp(count), "window": 28, "stride": asked, "align": "Outer",
                "fill": "Linear", "padding": 0.0, "maxBytes": 10**7,
            }
        )  # fmt: skip
    assert taken == [(count, 28, used)]
    assert said in caplog.text
    assert bool(caplog.text) == bool(said)
    assert not said or ("model model" in caplog.text and "--stride 1" in caplog.text)
