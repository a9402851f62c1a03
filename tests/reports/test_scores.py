from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anomscan.errors import InputError
from anomscan.reports.scores import ScoreFile

START = np.datetime64("2017-01-01", "us")
ASSETS = ["007", "a", "b", "日本"]


def table(assets: list[str], days: int = 5) -> pa.Table:
    n = len(assets) * days
    score = np.arange(n, dtype=float)
    score[::4] = np.nan
    return pa.table(
        {
            "asset": np.repeat(assets, days).tolist(),
            "timestamp": np.tile(START + np.arange(days) * np.timedelta64(1, "D"), len(assets)),
            "score": pa.array(score, from_pandas=True),
            "cutoff": np.full(n, 9.0),
            "verdict": ["ok", "skipped"] * (n // 2),
        }
    )


@pytest.mark.parametrize("row_group_size", [3, 10, 1000])
def test_each_asset_gets_its_own_rows(tmp_path: Path, row_group_size: int) -> None:
    path = tmp_path / "r.jsonl.scores.parquet"
    whole = table(ASSETS)
    pq.write_table(whole, path, row_group_size=row_group_size)
    scores = ScoreFile(path)
    for i, asset in [*enumerate(ASSETS), *reversed(list(enumerate(ASSETS)))]:
        mine = scores.of(asset)
        assert mine is not None
        assert mine.timestamps.dtype == "datetime64[us]"
        assert str(mine.timestamps[-1]) == "2017-01-05T00:00:00.000000"
        expected = whole.slice(5 * i, 5)
        np.testing.assert_array_equal(mine.score, expected["score"].to_numpy())
        assert mine.cutoff.tolist() == [9.0] * 5
        assert list(mine.verdicts) == expected["verdict"].to_pylist()
    assert scores.of("no such") is None
    assert scores.of("0") is None


def test_an_empty_file_has_no_asset(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    pq.write_table(table(ASSETS).slice(0, 0), path)
    assert ScoreFile(path).of("a") is None


def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    with pytest.raises(InputError, match=r"s\.parquet cannot be read as scores"):
        ScoreFile(path)
    pq.write_table(table(ASSETS), path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"s\.parquet cannot be read as scores"):
        ScoreFile(path)
    pq.write_table(table(ASSETS).drop(["cutoff"]), path)
    with pytest.raises(InputError, match="no column 'cutoff'"):
        ScoreFile(path)


@pytest.mark.parametrize(
    ("timestamps", "why"),
    [
        ([0, 2, 1], "not in the order of time"),
        ([0, 1, 1], "not in the order of time"),
        ([0, 1, None], "no timestamp or no verdict"),
        ([-(2**63) + 1, 0, 2**63 - 1], "a timestamp out of range"),
    ],
)
def test_samples_are_in_the_order_of_time(tmp_path: Path, timestamps: list[int | None], why: str) -> None:
    moments = pa.array(timestamps, pa.int64()).cast(pa.timestamp("us"))
    pq.write_table(table(["a"], 4).slice(0, 3).set_column(1, "timestamp", moments), tmp_path / "s.parquet")
    with pytest.raises(InputError, match=why):
        ScoreFile(tmp_path / "s.parquet").of("a")
