from __future__ import annotations

import csv
import datetime as dt
import math
import os
from pathlib import Path

import numpy as np
import pytest

from anomscan.cli.app import run

CONFIG = """
[defaults]
source = "fleet"
detector = "replay"
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "1D"
columns = { asset = "asset_id", timestamp = "date", values = ["prt7"], health = "health_status" }
[detectors.rcf]
kind = "rcf"
trees = 50
sample_size = 64
model = "models/rcf.forest"
[detectors.replay]
kind = "recorded"
path = "scores.csv"
[train]
samples = 60
[scan]
window = 60
shingle = 3
[report]
asset_url = "https://example.com/assets/{asset}"
"""
#: Of the telemetry of nights; the last one is yesterday, so that the source is not stale.
NIGHTLY_DAYS = 200
YESTERDAY = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
NIGHTLY = """
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "1D"
columns = { asset = "asset_id", timestamp = "date", values = ["prt7"], health = "health_status" }
[detectors.chart]
kind = "control-chart"
[defaults]
detector = "chart"
"""
START = dt.date(2016, 1, 1)
DAY = dt.timedelta(days=1)


class Place:
    """A folder with a configuration, telemetry and recorded scores, and a command line that runs in it."""

    def __init__(self, folder: Path, capsys) -> None:
        self.folder = folder
        self._capsys = capsys
        self.write("anomscan.toml", CONFIG)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def table(self, name: str, header: list[str], rows: list[list[object]]) -> Path:
        path = self.folder / name
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows)
        return path

    def telemetry(self, rows: list[list[object]]) -> Path:
        return self.table("telemetry.csv", ["asset_id", "date", "prt7", "health_status"], rows)

    def scores(self, rows: list[list[object]]) -> Path:
        return self.table("scores.csv", ["asset", "timestamp", "score"], rows)

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """Run a command line: exit code, stdout, stderr."""
        self._capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        return code, out, err

    def good(self, *arguments: object) -> str:
        """Run a command line that must succeed; its stdout."""
        code, out, err = self(*arguments)
        assert code == 0, err
        return out


def calm(day: int, asset: int = 0) -> float:
    return round(0.8 + 0.02 * math.sin(day / 3 + asset), 6)


def example_rows(assets=("a", "b"), days: int = 120) -> list[list[object]]:
    fleet = enumerate(assets)
    return [[asset, START + day * DAY, calm(day, number), "Ok"] for number, asset in fleet for day in range(days)]


def example_scores(assets=("a", "b"), days: int = 120, spikes=(("a", 100), ("a", 104))) -> list[list[object]]:
    return [
        [asset, START + day * DAY, 9.0 if (asset, day) in spikes else 1 + 0.01 * (day % 5)]
        for asset in assets
        for day in range(days)
    ]


@pytest.fixture
def place(tmp_path, monkeypatch, capsys):
    """An empty place; the command line runs in it, and what its .env file brings is gone with it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    before = dict(os.environ)
    yield Place(tmp_path, capsys)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def fetched(place):
    """A place with two assets of 120 days in its store; asset a has high scores on days 100 and 104."""
    place.telemetry(example_rows())
    place.scores(example_scores())
    place.good("fetch")
    return place


@pytest.fixture
def nightly(place):
    """A place with a function that writes telemetry up to so many days ago; asset S3 drops by a fifth 20 days ago."""
    place.write("anomscan.toml", NIGHTLY)
    random = np.random.default_rng(4)
    values = 0.8 + random.normal(0, 0.03, NIGHTLY_DAYS) + random.normal(0, 0.01, (6, NIGHTLY_DAYS))
    values[3, -20:] *= 0.8

    def until(days_ago: int) -> None:
        place.telemetry(
            [
                [f"S{asset}", str(YESTERDAY - dt.timedelta(days=NIGHTLY_DAYS - 1 - day)), round(value, 6), "Ok"]
                for asset, line in enumerate(values.tolist())
                for day, value in enumerate(line[: NIGHTLY_DAYS - days_ago])
            ]
        )

    place.until = until
    return place


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole commands are slow, all together: what is quick tests their parts."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slow)
