"""Ten thousand assets of which a hundred are broken: each is a record with its reason, and the others are as ever."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from anomscan.cli.app import run
from anomscan.detectors.base import Scores
from anomscan.detectors.rcf import detector
from anomscan.detectors.rcf.detector import RcfDetector
from anomscan.detectors.rcf.forest import Forest
from anomscan.errors import AnomscanError, AssetError
from anomscan.jobs import work
from anomscan.reports.records import Record, read_records
from anomscan.store.store import Store
from anomscan.telemetry.series import Floats, Series
from fleets import DAY_US, config, layout, model

pytestmark = pytest.mark.slow

ASSETS, DAYS, EACH = 10_000, 40, 10


class OddError(Exception):
    """An exception of somebody else's, with more to say than a line holds."""

    def __str__(self) -> str:
        return "first line\nsecond line"


class SilentError(Exception):
    """One that says nothing."""


class Touchy(RcfDetector):
    """A forest that some assets break, each in the way that its id says."""

    def score_at(
        self, batch: Sequence[Series], shingle: int, rows: Sequence[NDArray[np.intp]]
    ) -> list[Floats | AnomscanError]:
        raised = {"odd": OddError(), "silent": SilentError(), "zero": ZeroDivisionError("division by zero")}
        for series in batch:
            if (way := way_of(series.asset)) in raised:
                raise raised[way]
        found = super().score_at(batch, shingle, rows)
        return [self._spoilt(series.asset, score) for series, score in zip(batch, found, strict=True)]

    def _spoilt(self, asset: str, score: Floats | AnomscanError) -> Any:
        match way_of(asset):
            case "short":
                return score[:-1]
            case "one":
                return score[:1]
            case "infinite":
                return np.where(np.arange(len(score))[:, None] == 30, np.inf, score)
            case "unknown":
                return AssetError(f"scores.csv holds no scores of asset '{asset}'")
        return score

    def contributions(self, series: Series, rows: NDArray[np.intp], shingle: int) -> Floats | None:
        if way_of(series.asset) == "blame":
            raise LookupError("no such variable")
        found = super().contributions(series, rows, shingle)
        return found[:-1] if way_of(series.asset) == "shares" else found


def unrendered(explained: Any, **more: Any) -> Record:
    """In the place of what makes a record."""
    if way_of(getattr(getattr(explained.result, "series", None), "asset", "")) == "mute":
        raise UnicodeEncodeError("utf-8", "\udc80", 0, 1, "surrogates not allowed")
    return RECORD_OF(explained, **more)


RECORD_OF = work.record_of
#: Part of an id, and what the record of such an asset must say.
WAYS = {
    "odd": "OddError: first line second line",
    "silent": "SilentError",
    "zero": "ZeroDivisionError: division by zero",
    "short": "scores of shape (37, 2) instead of (38, 2)",
    "infinite": "a score of inf is larger than",
    "unknown": "scores.csv holds no scores of asset",
    "blame": "LookupError: no such variable",
    "shares": "contributions are not a finite number for each variable",
    "mute": "UnicodeEncodeError: 'utf-8' codec can't encode",
}


def way_of(asset: str) -> str:
    """How an asset is broken; nothing if it is not."""
    return asset.split("-")[2] if asset.count("-") == 2 else ""


def names() -> tuple[list[str], list[str]]:
    """The ids of the good assets, and of the broken ones."""
    broken = [f"asset-{97 * (n * EACH + m):05d}-{way}" for n, way in enumerate(WAYS) for m in range(EACH)]
    taken = {name.rsplit("-", 1)[0] for name in broken}
    return [name for n in range(ASSETS) if (name := f"asset-{n:05d}") not in taken], broken


def filled(folder: Path, assets: list[str]) -> Path:
    """A folder with the telemetry of some assets, each as its id says, whoever else is there."""
    (folder / "anomscan.toml").write_text(config())
    model(folder / "models" / "rcf.forest")
    values = np.stack([np.random.default_rng(int(asset.split("-")[1])).random(DAYS) for asset in assets])
    values[:, 35] += 3  # each has something to report
    shape = layout()
    codes = pa.array(np.repeat(np.arange(len(assets), dtype=np.int32), DAYS))
    table = pa.table(
        [
            pa.DictionaryArray.from_arrays(codes, assets).dictionary_decode(),
            pa.array(np.tile(np.arange(DAYS) * DAY_US, len(assets)), pa.timestamp("us")),
            pa.array(values.ravel()),
            pa.nulls(values.size, pa.string()),
        ],
        schema=shape.schema,
    )
    with Store.create(folder / "anomscan-data").writer("fleet", shape, arrived_at=np.datetime64(0, "us")) as writer:
        writer.append(table)
        writer.commit()
    return folder


@pytest.fixture
def touchy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's detector is touchy, and some records cannot be made."""
    monkeypatch.setattr(detector, "RcfDetector", Touchy)
    monkeypatch.setattr(work, "record_of", unrendered)


def judged_days(path: Path) -> pa.Table:
    table = pq.read_table(path.with_name(path.name + ".scores.parquet"))
    return table.set_column(0, "asset", table["asset"].cast(pa.string()))


@pytest.mark.usefixtures("touchy")
def test_of_ten_thousand_assets_ninety_are_broken_in_nine_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good, broken = names()
    assert (len(good), len(broken), len(WAYS)) == (ASSETS - 90, 90, 9)
    (tmp_path / "all").mkdir()
    (tmp_path / "good").mkdir()
    monkeypatch.chdir(filled(tmp_path / "good", good))
    assert run(["-q", "scan", "--all", "-o", "r.jsonl"]) == 0
    assert capsys.readouterr() == ("", "")
    monkeypatch.chdir(filled(tmp_path / "all", good + broken))
    assert run(["scan", "--all", "-o", "r.jsonl"]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 21
    assert errors[-1] == "error: ... and 70 more failed assets"
    assert err.splitlines()[-1] == f"{ASSETS:,} assets: {ASSETS - 90:,} with findings, 90 failed"

    expected, found = (tmp_path / name / "r.jsonl" for name in ("good", "all"))
    lines = found.read_bytes().splitlines(keepends=True)
    assert b"".join(line for line in lines if b'"error": null' in line) == expected.read_bytes()
    records = list(read_records(found))
    assert [record.asset for record in records] == sorted(good + broken)
    failed = {record.asset: record for record in records if record.error is not None}
    assert sorted(failed) == sorted(broken)
    for asset, record in failed.items():
        assert WAYS[way_of(asset)] in str(record.error), record.error
        assert "\n" not in str(record.error)
        assert (record.spans, record.anomalies, sum(record.verdicts.values())) == ([], [], 0)
    assert judged_days(found).equals(judged_days(expected))
    assert pc.count_distinct(judged_days(found)["asset"]).as_py() == len(good)
    facts = json.loads(found.with_name("r.jsonl.run.json").read_text())
    assert (facts["assets"], facts["with_findings"], facts["failed"]) == (ASSETS, ASSETS - 90, 90)

    # The next night, with scores kept of the others, it is the same once more.
    before = found.read_bytes()
    assert run(["-q", "scan", "--all", "-o", "r.jsonl", "--resume"]) == 4
    assert run(["-q", "scan", "--all", "-o", "r.jsonl"]) == 4
    assert found.read_bytes() == before
    assert judged_days(found).equals(judged_days(expected))


@pytest.mark.usefixtures("touchy")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_where_all_are_broken_each_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], workers: str
) -> None:
    _, broken = names()
    monkeypatch.chdir(filled(tmp_path, broken))
    assert run(["-q", "scan", "--all", "-o", "-", "--workers", workers]) == 4
    records = list(read_records(capsys.readouterr().out.splitlines()))
    assert [record.asset for record in records] == sorted(broken)
    assert all(WAYS[way_of(record.asset)] in str(record.error) for record in records)


@pytest.mark.usefixtures("touchy")
def test_asked_for_by_name_they_fail_beside_those_that_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good, broken = names()
    monkeypatch.chdir(filled(tmp_path, good[:20] + broken))
    wanted = [*good[:2], *broken[::EACH], "nobody", "", "Nobody"]
    asked = [part for asset in wanted for part in ("--asset", asset)]
    assert run(["-q", "scan", *asked, "-o", "-"]) == 4
    records = {record.asset: record.error for record in read_records(capsys.readouterr().out.splitlines())}
    assert list(records) == sorted(wanted)
    assert [asset for asset, error in records.items() if error is None] == good[:2]
    for asset in broken[::EACH]:
        assert WAYS[way_of(asset)] in str(records[asset])
    for asset in ("nobody", "", "Nobody"):
        assert records[asset] == f"source 'fleet' has no asset '{asset}' in the store"


def test_a_value_that_is_infinite_leaves_its_days_without_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sources refuse it; a store written by other means may hold one."""
    good, _ = names()
    monkeypatch.chdir(filled(tmp_path, good[:3]))
    table = pa.table(
        [[good[1]], pa.array([25 * DAY_US], pa.timestamp("us")), [float("inf")], pa.nulls(1, pa.string())],
        schema=layout().schema,
    )
    store = Store.open("anomscan-data")
    with store.writer("fleet", layout(), arrived_at=np.datetime64(1, "us")) as writer:
        writer.append(table)
        writer.commit()
    assert run(["-q", "scan", "--all", "-o", "-"]) == 0
    _, record, _ = read_records(capsys.readouterr().out.splitlines())
    assert record.error is None
    assert record.verdicts["no-data"] == 3


class Wordy(Touchy):
    """One that has a note on each asset."""

    def __init__(self, name: str, forest: Forest, path: Path) -> None:
        super().__init__(name, forest, path)
        self.capabilities = replace(self.capabilities, frozen=False)

    def score(
        self, batch: Sequence[Series], shingle: int, rows: Sequence[slice] | None = None
    ) -> list[Scores | AnomscanError]:
        found = super().score(batch, shingle, rows)
        return [replace(scores, notes=("seen",)) if isinstance(scores, Scores) else scores for scores in found]


def test_notes_of_many_assets_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(detector, "RcfDetector", Wordy)
    good, _ = names()
    monkeypatch.chdir(filled(tmp_path, good[:1500]))
    monkeypatch.setattr("anomscan.jobs.run.LEAST_ROWS", 100)
    assert run(["-q", "scan", "--all", "-o", "r.jsonl"]) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert warnings[:-1] == [f"warning: asset '{asset}': seen" for asset in sorted(good[:1500])[:20]]
    assert warnings[-1] == "warning: ... and 1,480 more such notes"
