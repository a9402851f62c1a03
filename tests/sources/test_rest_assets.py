"""An asset whose answer cannot be used fails alone, with one line."""

from __future__ import annotations

import gzip
import io
import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from anomscan.config import Columns
from anomscan.jobs.fetch.fetching import fetch_into
from anomscan.sources.base import Reject, Request
from anomscan.sources.rest.source import Rest
from anomscan.store.store import Store
from servers.rest_client import GOOD, KEY, clock_of, fetch, settings_of
from servers.rest_faults import HTML, Call, Impatient, Reply, serving


def failing(reply: Reply, **keys: Any) -> str:
    """What is said of an asset that gets this reply, while its neighbour is fine."""
    with serving(lambda call: reply if call.parts[1] == "bad" else Reply(body=GOOD)) as service:
        rows, failures, _ = fetch(service.url + "/api", "bad", "good", **keys)
    assert len(rows) == 2
    assert {row[0] for row in rows} == {"good"}
    assert list(failures) == ["bad"]
    assert "\n" not in failures["bad"]
    assert len(failures["bad"]) < 400
    return failures["bad"]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(404, HTML), r"/api/bad/366 is not there \(404\)"),
        (Reply(400), "answered with status 400"),
        (Reply(body=HTML), "answered with HTML instead of JSON, 3 times"),
        (Reply(body=b'[{"timestamp": "2024'), "what is not JSON, or cut off"),
        (Reply(body=b"[" * 100_000), "what is not JSON"),
        (Reply(body=b"\xff\xfe\xfd["), "what is not JSON"),
        (Reply(body=b"[" + b"9" * 5000 + b"]"), "what is not JSON"),
        (Reply(body={"data": []}), "has an object, not an array of records, its keys are: data"),
        (Reply(body=[1]), "record 1 is a number, not an object"),
        (Reply(body=[{"time": 1}]), r"has no column 'timestamp'.*did you mean 'time'"),
        (
            Reply(body=[{"timestamp": "2024-03-08T10:10:00Z", "temperatur": 1, "humidity": 2}]),
            "no column 'temperature'",
        ),
        (Reply(body=[GOOD[0] | {"temperature": "warm"}]), "record 1, column 'temperature': 'warm' is not a number"),
        (Reply(body=[{"timestamp": "\ud800"}]), "record 1 has text that is not Unicode"),
        (Reply(body=b"\x1f\x8b\x08x", headers={"Content-Encoding": "gzip"}), "broken gzip"),
        (
            Reply(302, b"", {"Location": "http://localhost:1/login?next=x"}),
            "to another host: http://localhost:1 ",
        ),
        (Reply(302, b"", {"Location": "http://[no"}), "to another host"),
        (Reply(302, b"", {"Location": "?again"}), "more than 5 times"),
        (Reply(503), r"failed \(503\); gave up at the deadline after \d+ calls"),
        (Reply(429, b"", {"Retry-After": "3600"}), r"too many calls \(429\), and asks to wait 3600 s; gave up"),
        (Reply(cut=-1), "dropped the connection"),
        (Reply(body=GOOD, length=9999), "dropped the connection"),
    ],
)
def test_one_asset_fails_and_the_others_go_on(reply: Reply, said: str) -> None:
    message = failing(reply)
    assert re.search(said, message), message


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"temperature": "warm"}, "record 2, column 'temperature': 'warm' is not a number"),
        ({"humidity": True}, "record 2, column 'humidity': 'True' is not a number"),
        ({"humidity": [1]}, "record 2, column 'humidity'"),
        ({"humidity": float("inf")}, "record 2, column 'humidity': 'inf' is infinite"),
        ({"timestamp": None}, "record 2: no timestamp in column 'timestamp'"),
        ({"timestamp": "soon"}, "record 2, column 'timestamp': 'soon' is not a timestamp"),
        ({"timestamp": {"at": 1}}, "record 2, column 'timestamp'"),
    ],
)
def test_a_record_that_cannot_be_used_is_kept_aside(fields: dict[str, Any], said: str, tmp_path: Path) -> None:
    bad = {"timestamp": "2024-03-08T10:20:00Z", "temperature": 1, "humidity": 2, "note": "\u2028"} | fields
    store = Store.create(tmp_path / "store")
    answers = iter([[GOOD[0], bad, GOOD[1]], [*GOOD, bad]])
    with serving(lambda call: Reply(body=next(answers))) as service:
        source = Rest("far", settings_of(service.url), clock_of(Impatient()))
        report = fetch_into(store, source, Request(assets=("a",)))
        assert (report.new, len(report.rejects), report.failures) == (2, 1, ())
        assert said in report.rejects[0].reason
        assert report.rejects_file is not None
        kept = report.rejects_file.read_bytes()
        row = json.loads(kept)["row"]
        assert row == {"asset": "a"} | {
            name: None if bad[name] is None else str(bad[name]) for name in ("timestamp", "temperature", "humidity")
        }
        # It stands elsewhere in the next answer, and is still the same.
        again = fetch_into(store, source, Request(assets=("a",)))
        assert (again.unchanged, len(again.rejects)) == (2, 1)
        assert report.rejects_file.read_bytes() == kept


def test_records_that_cannot_be_used_end_no_pages() -> None:
    bad = {"timestamp": "soon", "temperature": 1, "humidity": 2}
    pages = [[GOOD[0]], [bad], [bad | {"humidity": 3}], [GOOD[1]], []]
    with serving(lambda call: Reply(body=pages[int(call.query["page"]) - 1])) as service:
        source = Rest("far", settings_of(service.url, paging="page"), clock_of(Impatient()))
        items = list(source.fetch(Request(assets=("a",))))
    assert [item.row["humidity"] for item in items if isinstance(item, Reject)] == ["2", "3"]
    assert [len(item) for item in items if isinstance(item, pa.Table)] == [2]


@pytest.mark.parametrize("pack", [False, True])
def test_an_answer_that_is_too_large(pack: bool) -> None:
    body = b"[" + b" " * 10_000_000 + b"]"
    assert "larger than max_response_mb = 1 allows" in failing(Reply(body=body, pack=pack), max_response_mb=1)


def test_pages_are_too_large_together() -> None:
    def answer(call: Call) -> Reply:
        return Reply(body=[GOOD[0] | {"x": "y" * 1000, "timestamp": f"2024-03-08T10:{int(call.query['page']) % 60}0Z"}])

    with serving(answer) as service:
        _, failures, _ = fetch(
            service.url,
            "a",
            paging="page",
            max_response_mb=0.005,
            timestamp_format="%Y-%m-%dT%H:%M0Z",
            timezone="UTC",
        )
        assert len(service.calls) < 7
    assert "larger than max_response_mb" in failures["a"]


@pytest.mark.slow
def test_a_gzip_bomb_is_not_unpacked() -> None:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9) as out:
        for _ in range(200):
            out.write(bytes(1_000_000))
    bomb = Reply(body=packed.getvalue(), headers={"Content-Encoding": "gzip"})
    tracemalloc.start()
    assert "larger than max_response_mb" in failing(bomb, max_response_mb=2)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_ids_that_no_url_can_hold() -> None:
    with serving(lambda call: Reply(body=GOOD)) as service:
        _, failures, _ = fetch(service.url, "..", ".", "\udcff", "good")
        assert len(service.calls) == 1
    assert set(failures) == {"..", ".", "\udcff"}


def test_records_of_another_asset() -> None:
    columns = Columns(asset="id", timestamp="timestamp", values=("temperature",))
    with serving(lambda call: Reply(body=[row | {"id": "b"} for row in GOOD])) as service:
        rows, failures, _ = fetch(service.url, "a", "b", columns=columns)
    assert {row[0] for row in rows} == {"b"}
    assert "record 1 is of another asset, 'b'" in failures["a"]


def test_no_content_is_no_rows() -> None:
    with serving(lambda call: Reply(204, b"")) as service:
        assert fetch(service.url, "a", records="data") == ([], {}, [])


def test_a_redirect_on_the_same_host_keeps_the_key() -> None:
    def answer(call: Call) -> Reply:
        assert call.query["code"] == KEY
        return Reply(body=GOOD) if call.parts[0] == "new" else Reply(308, b"", {"Location": f"/new{call.path}"})

    with serving(answer) as service:
        assert len(fetch(service.url, "a")[0]) == 2


def test_a_service_that_lists_nothing_is_asked_for_the_assets_that_are_known() -> None:
    with serving(lambda call: Reply(body=GOOD)) as service:
        since = np.datetime64("2024-03-01", "us")
        rows, failures, _ = fetch(service.url, request=Request(since={"b": since, "a": since}))
        assert failures == {}
        assert {row[0] for row in rows} == {"a", "b"}


@pytest.mark.parametrize("records", [[GOOD[0] | {"timestamp": KEY}, *GOOD], [GOOD[0] | {"timestamp": KEY}]])
def test_a_key_that_is_sent_back_as_data_is_not_told(records: list[dict[str, Any]]) -> None:
    with serving(lambda call: Reply(body=records)) as service:
        source = Rest("far", settings_of(service.url), clock_of(Impatient()))
        told = [item for item in source.fetch(Request(assets=("a",))) if not isinstance(item, pa.Table)]
    assert "***" in str(told)
    assert KEY not in str(told)


@pytest.mark.parametrize(
    ("reply", "path"),
    [
        (Reply(body=b"null"), None),
        (Reply(body=b""), None),
        (Reply(body=b" \n"), "data"),
        (Reply(204, b""), "data"),
        (Reply(body=b"null"), "data"),
        (Reply(body={"data": None}), "data"),
        (Reply(body={"data": []}), "data"),
        (Reply(body={}), "data"),
        (Reply(body={"status": "ok"}), "data"),
        (Reply(body={"data": [], "message": ""}), "data.0.rows"),
        (Reply(body={"data": [{"id": 0}]}), "data.0.rows"),
        (Reply(body={"data": None}), "data.0.rows"),
    ],
)
def test_nothing_new_is_no_failure_however_it_is_said(reply: Reply, path: str | None) -> None:
    body: Any = GOOD
    for key in reversed(path.split(".") if path else []):
        body = [body] if key == "0" else {key: body}
    with serving(lambda call: reply if call.parts[1] == "quiet" else Reply(body=body)) as service:
        keys = {} if path is None else {"records": path}
        rows, failures, notices = fetch(service.url + "/api", "quiet", "good", **keys)
        assert ({row[0] for row in rows}, failures, notices) == ({"good"}, {}, [])
        rows, failures, notices = fetch(service.url + "/api", "quiet", **keys)
    assert (len(rows), failures) == (0, {})
    assert len(notices) <= 1


def test_a_path_that_leads_nowhere_is_told_of() -> None:
    with serving(lambda call: Reply(body={"result": {"rows": GOOD}})) as service:
        _, failures, notices = fetch(service.url + "/api", "a", "b", records="data")
    assert failures == {}
    assert notices == ["no answer of source 'far' has records at 'data': none are new, or sources.far.records is wrong"]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (
            Reply(403, {"String": "Wrong time range: one month max"}),
            r"\(403\): Wrong time range: one month max .*history_days",
        ),
        (
            Reply(403, {"error": {"code": 9, "message": "no such plant"}}),
            r"\(403\): no such plant \(check sources.far.key",
        ),
        (
            Reply(400, {"message": "range too long: at most 31 days"}),
            "status 400: range too long: at most 31 days .*history",
        ),
        (Reply(400, b"plain words,\n\x1b[31mtwo lines"), r"status 400: plain words, \[31mtwo lines$"),
        (Reply(422, {"detail": [{"msg": "bad asset"}]}), "status 422: bad asset$"),
        (Reply(400, {"error": "x" * 900}), r"status 400: x{200}\.\.\.$"),
        (Reply(400, {"error": f"key {KEY} is unknown"}), r"key \*\*\* is unknown"),
        (Reply(400, b""), "status 400$"),
        (
            Reply(body={"error_code": 10011, "error_msg": "error_frequently_access"}),
            "without records: error_frequently_access",
        ),
    ],
)
def test_the_words_of_the_service_are_told(reply: Reply, said: str) -> None:
    text = failing(reply)
    assert re.search(said, text), text
    assert KEY not in text
