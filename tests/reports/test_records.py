import json
import math
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given

from anomscan.errors import InputError
from anomscan.reports.records import SCAN_SCHEMA, VERDICTS, Anomaly, Record, read_records, record_line
from reports.any_records import records

EMPTY = Record(SCAN_SCHEMA, "a", "rcf", None, None, [], [], dict.fromkeys(VERDICTS, 0), None)
FULL = replace(
    EMPTY,
    from_="2017-01-01",
    to="2017-01-09",
    spans=[("2016-12-26", "2017-01-01")],
    anomalies=[Anomaly("2017-01-01", {"prt7": 0.1, "t": math.nan}, "Good", 2.5, 2.0, None, True, [("prt7", 2.5)])],
)


@pytest.mark.slow
@given(records)
def test_a_record_reads_back_as_it_was(record: Record) -> None:
    line = record_line(record)
    assert len(line.splitlines()) == 1
    assert list(read_records([line])) == [record]
    assert record_line(next(read_records([line]))) == line


def test_keys_stand_in_their_order() -> None:
    content = json.loads(record_line(FULL))
    assert list(content) == [
        *("schema", "asset", "detector", "from", "to", "incidents", "spans", "anomalies", "verdicts", "error")
    ]
    assert list(content["anomalies"][0]) == (
        ["timestamp", "values", "expected", "band", "health", "score", "cutoff", "sigma", "in_sample", "contributions"]
    )
    assert list(content["verdicts"]) == list(VERDICTS)
    assert list(content["anomalies"][0]["contributions"][0]) == ["variable", "contribution"]


def test_verdicts_are_written_in_their_order_and_all_of_them() -> None:
    line = record_line(replace(EMPTY, verdicts={"no-data": 1, "ok": 2}))
    assert '"verdicts": {"ok": 2, "anomalous": 0, "warming-up": 0, "skipped": 0, "no-data": 1, "silent": 0}' in line


def test_nan_is_null_and_reads_back_as_nan() -> None:
    line = record_line(FULL)
    assert "NaN" not in line
    assert '"t": null' in line
    assert math.isnan(next(read_records([line])).anomalies[0].values["t"])


def test_infinity_is_refused() -> None:
    with pytest.raises(ValueError):
        record_line(replace(FULL, anomalies=[replace(FULL.anomalies[0], score=math.inf)]))


def changed(**changes: object) -> str:
    return json.dumps({**json.loads(record_line(FULL)), **changes})


def without(key: str) -> str:
    content = json.loads(record_line(FULL))
    del content[key]
    return json.dumps(content)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"schema": "anomscan.scan/1", "ass', "not a JSON record"),
        ("[1]", "not a JSON object"),
        ("[" * 100_000, "not a JSON record"),
        (changed(schema="anomscan.scan/3"), "newer anomscan"),
        (changed(schema="other/1"), "schema 'other/1' is not"),
        (without("verdicts"), "the key 'verdicts' is missing"),
        (without("error"), "the key 'error' is missing"),
        (changed(asset=7), "'asset' is not text"),
        (changed(asset="\ud800"), "half a character"),
        (changed(verdicts={"ok": 1}), "the key 'anomalous' is missing"),
        (changed(verdicts=dict.fromkeys(VERDICTS, True)), "'ok' is not a whole number"),
        (changed(spans=[["2017-01-01"]]), "'spans' contains something other"),
        (changed(spans=[["2017-01-01", "yesterday"]]), "'yesterday' is not a date"),
        (changed(to="2017-02-30"), "'2017-02-30' is not on the calendar"),
        (changed(anomalies=[3]), "'anomalies' contains something other"),
        (record_line(FULL).replace("2.5", "1e999", 1), "'score' is too large"),
        (record_line(FULL).replace("2.5", "NaN", 1), "NaN is not JSON"),
        (record_line(FULL).replace("2.5", '"2.5"', 1), "'score' is not a number"),
    ],
)
def test_what_is_no_record_is_refused_with_file_and_line(tmp_path: Path, line: str, complaint: str) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text(record_line(EMPTY) + "\n\n" + line, "utf-8")
    with pytest.raises(InputError) as caught:
        list(read_records(file))
    assert str(caught.value).startswith(f"{file}, line 3: ")
    assert complaint in str(caught.value)


def test_a_file_is_read_with_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + record_line(FULL).replace('"t": null', '"t": 1').encode() + b"\r\n")
    assert [record.asset for record in read_records(file)] == ["a"]


def test_a_file_that_is_not_text_or_not_there_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    with pytest.raises(InputError, match="cannot be read: No such file"):
        list(read_records(file))
    file.write_bytes(record_line(EMPTY).encode() + b"\n\xff\xfe\n")
    with pytest.raises(InputError, match="line 2: not UTF-8"):
        list(read_records(file))


def test_unknown_keys_are_passed_over() -> None:
    assert next(read_records([changed(added_later=1)])).asset == "a"


def test_spans_alone_are_findings() -> None:
    assert not EMPTY.has_findings
    assert replace(EMPTY, spans=[("2017-01-01", str(date(2017, 1, 1) + timedelta(6)))]).has_findings
