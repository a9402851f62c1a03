"""However a file of scores is read, in large pieces or small, in memory or not, it is what it says."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from anomscan.config import RecordedSettings
from anomscan.detectors.recorded import Recorded, archive
from anomscan.detectors.registry import opened
from anomscan.errors import InputError, OutputError
from oracles.recorded import RefusedError, reference_scores

pytestmark = pytest.mark.slow

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ASSETS = ["a", "b", "007", "7", "é, ü", 'x"y', "two\nlines", "NA", "2017-01-01"]
#: Of each column the texts that mean the same.
TIMES = [
    ["2017-01-01", "2017-01-01T00:00:00Z", "2017-01-01 01:00+01:00"],
    ["2017-01-02", "2017-01-02T00:00", "2017-01-02T00:00:00.000000"],
    ["2017-01-03T04:05:06.789Z", "2017-01-03 04:05:06.789"],
]
SCORES = [["", "nan", "NaN", "NULL", "null", "None", "n/a", "-nan", "  "], ["1", "1.0", "+1", " 1 "], ["2.5", "25e-1"]]
BAD_TIMES = ["", "yesterday", "2017-02-30", "0000-01-01", "0001-01-01T00:00+05:00", "2017"]
BAD_SCORES = ["high", "inf", "1e999", "nan(1)", "0x10", "1,5", "1_"]
ODD_SCORES = ["3.25", "1e-400"]


@st.composite
def rows(draw):
    """Asset, timestamp and score of some rows, seldom bad; mostly one score a timestamp, however it is written."""
    plain = draw(st.booleans())
    found = []
    for _ in range(draw(st.integers(0, 12))):
        day = draw(st.integers(0, 2))
        timestamp, score = TIMES[day][0], SCORES[day][0]
        if not plain:
            timestamp, score = draw(st.sampled_from(TIMES[day])), draw(st.sampled_from(SCORES[day]))
            wrong = draw(st.integers(0, 30))
            if wrong == 0:
                timestamp = draw(st.sampled_from(BAD_TIMES))
            elif wrong == 1:
                score = draw(st.sampled_from(BAD_SCORES))
            elif wrong == 2:
                score = draw(st.sampled_from(ODD_SCORES))
        found.append((draw(st.sampled_from(ASSETS)), timestamp, score))
    return found


@st.composite
def csv_files(draw) -> bytes:
    """A CSV with columns in any order, further ones, quotes where needed or everywhere, and any line ends."""
    columns = draw(st.permutations(["asset", "timestamp", "score", *draw(st.sampled_from([[], ["x"]]))]))
    text = io.StringIO()
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    writer = csv.writer(text, quoting=quoting, lineterminator=draw(st.sampled_from(["\n", "\r\n", "\r"])))
    writer.writerow(columns)
    for asset, timestamp, score in draw(rows()):
        fields = {"asset": asset, "timestamp": timestamp, "score": score, "x": draw(st.sampled_from(["", "1", 'a"b']))}
        row = [fields[column] for column in columns]
        writer.writerow(row)
    bom = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    return bom + text.getvalue().encode()


@st.composite
def json_files(draw) -> bytes:
    """JSON lines: keys in any order, further ones, numbers for ids, blank lines."""
    lines = []
    for asset, timestamp, score in draw(rows()):
        number = {"": None, "nan": math.nan, "1": 1, "2.5": 2.5, "inf": math.inf}.get(score, score)
        row = {"asset": 7 if asset == "7" else asset, "timestamp": timestamp, "score": number}
        row |= draw(st.sampled_from([{}, {}, {"x": {"score": [1, "}{"]}}, {"note": "é\n"}]))
        keys = draw(st.permutations(list(row)))
        compact = draw(st.sampled_from([None, (",", ":")]))
        lines.append(json.dumps({key: row[key] for key in keys}, ensure_ascii=draw(st.booleans()), separators=compact))
        lines += draw(st.sampled_from([[], [], [], [""], [" "]]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return end.join([*lines, ""]).encode()


def contents(path):
    """What the detector has of a file, as the oracle gives it."""
    detector = Recorded("replay", path)
    try:
        found = {}
        for asset in detector._archive._places:
            timestamps, scores = detector._archive.read(asset)
            found[asset] = dict(zip(timestamps.astype(np.int64).tolist(), scores.tolist(), strict=True))
            assert list(found[asset]) == sorted(found[asset])
        return found
    finally:
        detector.close()


def check(path):
    try:
        expected = reference_scores(path)
    except RefusedError as error:
        refused, expected = error, {}
    else:
        refused = None
    if refused is not None:
        event("refused")
        with pytest.raises(InputError) as caught:
            contents(path)
        message = str(caught.value)
        assert str(path) in message
        if refused.line is not None:
            assert re.search(r" line \d+", message)  # of several that are wrong, any
        return
    event("read")
    found = contents(path)
    micros = {
        asset: {int((instant - EPOCH).total_seconds() * 1e6): score for instant, score in known.items()}
        for asset, known in expected.items()
    }
    assert {asset: sorted(known) for asset, known in found.items()} == {
        asset: sorted(known) for asset, known in micros.items()
    }
    for asset, known in micros.items():
        for instant, score in known.items():
            np.testing.assert_equal(found[asset][instant], score)


@pytest.fixture(scope="module", params=["in memory", "in files", "in small pieces"])
def reading(request, tmp_path_factory):
    """How files are read, and where they lie."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "in files":
            patch.setattr(archive, "HELD_ROWS", 3)
        if request.param == "in small pieces":
            patch.setattr("anomscan.tables.csv_files._BLOCK_BYTES", 256)
            patch.setattr("anomscan.tables.json_lines._BATCH_ROWS", 2)
        yield tmp_path_factory.mktemp("scores")


@settings(max_examples=100)
@given(content=csv_files())
def test_a_csv_is_what_it_says_row_by_row(reading, content):
    path = reading / "scores.csv"
    path.write_bytes(content)
    check(path)


@settings(max_examples=100)
@given(content=json_files())
def test_json_lines_are_what_they_say_row_by_row(reading, content):
    path = reading / "scores.jsonl"
    path.write_bytes(content)
    check(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b'timestamp,score,asset\n2017-01-01,1,a\n2017-01-01,1,"b\n2017-01-01,1,c\n',
            "line 3.*a quoted field does not end",
        ),
        (b"asset,timestamp,score\n" + b"a,2017-01-01,1\n" * 9 + b"\xff", "is not CSV in UTF-8"),
        (b"asset,timestamp,score\na,0001-01-01T00:00+05:00,1\n", "line 2, column 'timestamp': .* is outside the years"),
    ],
)
def test_where_a_csv_is_wrong_is_named(tmp_path, content, message):
    path = tmp_path / "scores.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        Recorded("replay", path)


def big(path, assets=200, days=50, extra=""):
    """Day by day the scores of assets, more than are held in memory."""
    lines = [
        f"{asset:03d},{EPOCH.date() + day * DAY},{asset * days + day}" for day in range(days) for asset in range(assets)
    ]
    path.write_text("\n".join(["asset,timestamp,score", *lines, extra]))
    return path


@pytest.fixture
def in_files(monkeypatch, tmp_path):
    """Few rows are held in memory; the folder in which temporary files lie."""
    monkeypatch.setattr(archive, "HELD_ROWS", 1000)
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_many_threads_read_what_lies_in_files(tmp_path, in_files):
    with closing(Recorded("replay", big(tmp_path / "scores.csv"))) as detector, ThreadPoolExecutor(8) as pool:
        assert detector._archive._file.fileno() > 0
        assert list(in_files.iterdir()) == []  # it has no name, so a killed process leaves none
        asked = [f"{number % 200:03d}" for number in range(2000)]
        for asset, found in zip(asked, pool.map(detector._archive.read, asked), strict=True):
            timestamps, scores = found
            np.testing.assert_array_equal(timestamps, np.arange(50).astype("datetime64[D]"))
            np.testing.assert_array_equal(scores, int(asset) * 50 + np.arange(50))
    with pytest.raises(ValueError, match="closed file"):
        detector._archive.read("000")


def test_rows_far_apart_that_contradict_each_other_are_named(tmp_path, in_files):
    path = big(tmp_path / "scores.csv", extra="007,1970-01-03,352\n008,1970-01-03T00:00:00Z,1\n")
    with pytest.raises(
        InputError, match=r"line 10003: asset '008' has two scores at 1970-01-03T00:00:00Z: 402.0 and 1.0"
    ):
        Recorded("replay", path)


def test_a_full_disk_is_no_fault_of_the_scores(tmp_path, in_files, monkeypatch):
    path = big(tmp_path / "scores.csv")
    monkeypatch.setattr(archive, "_temporary", partial(Path("/dev/full").open, "r+b"))
    with pytest.raises(OutputError, match="No space left"):
        Recorded("replay", path)


def test_the_files_go_with_the_block_that_had_the_detector(tmp_path, in_files):
    chosen = RecordedSettings(kind="recorded", path=big(tmp_path / "scores.csv"))
    with opened("replay", chosen, print) as detector:
        file = detector._archive._file
        assert not file.closed
    assert file.closed
