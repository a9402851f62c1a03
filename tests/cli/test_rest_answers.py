"""Answers of services in the shapes that they have, fetched from the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomscan.config import Columns
from anomscan.store.store import Store
from servers.rest_client import fetch
from servers.rest_faults import Call, Reply, serving

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "rest.md"
BLOCKS = re.findall(r"^```toml\n(# [\[{].*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
SHAPES = [block for block in BLOCKS if "\n[sources." in block]
STAMPS = ["2024-03-01T00:00:00", "2024-03-01T00:10:00"]


def stored(folder: Path, source: str = "s") -> list[tuple[Any, ...]]:
    store = Store.open(folder / "anomscan-data")
    return [
        (series.asset, str(moment)[:19], *values)
        for series in (store.read(source, asset) for asset in store.assets(source))
        for moment, values in zip(series.timestamps, series.values.tolist(), strict=True)
    ]


def configure(place: Any, url: str, **keys: Any) -> None:
    given = {"cadence": "10min", "key": "", "assets": ["A"], "url": url + "/{asset}"} | keys
    lines = [f"{name} = {json.dumps(value)}" for name, value in given.items() if name != "columns"]
    columns = given.get("columns", {"timestamp": "t", "values": ["v"]})
    inner = ", ".join(f"{name} = {json.dumps(value)}" for name, value in columns.items())
    place.write("anomscan.toml", "\n".join(["[sources.s]", 'kind = "rest"', *lines, f"columns = {{ {inner} }}"]) + "\n")


@pytest.mark.parametrize("block", SHAPES, ids=lambda block: re.search(r"\[sources\.(\w+)\]", block)[1])
def test_the_page_shows_each_shape_as_it_is_read(place: Any, block: str) -> None:
    comment = "".join(line for line in block.splitlines(keepends=True) if line.startswith("#"))
    answer = json.loads(re.sub(r"^#", "", comment, flags=re.MULTILINE))
    with serving(lambda call: Reply(body=answer)) as service:
        place.write("anomscan.toml", block.replace("https://example.com", service.url))
        place.good("fetch", "--asset", "A", "--from", "2024-03-01")
        assert all("{" not in call.target for call in service.calls)
    (source,) = (path.name for path in (place.folder / "anomscan-data").iterdir() if path.is_dir())
    assert stored(place.folder, source) == [("A", STAMPS[0], 0.81), ("A", STAMPS[1], 0.82)]


def test_the_page_shows_six_shapes() -> None:
    assert len(SHAPES) == 6


EPOCH = [1709251200, 1709251800]
UNIX = {"timestamp_format": "unix"}
NAMED = {"columns": ["t", "v"], "values": [[EPOCH[0], 0.5], [EPOCH[1], 0.25]]}


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        ([[EPOCH[0], 0.5], [EPOCH[1], 0.25]], {}),
        ([[str(EPOCH[0]), "0.5"], [f"{EPOCH[1]}.000", " 2.5e-1 "]], {}),
        ([[float(EPOCH[0]), 0.5], [EPOCH[1], 0.25]], {}),
        ([[0.5, EPOCH[0]], [0.25, EPOCH[1]]], {"fields": ["v", "t"]}),
        ([[EPOCH[0], 0.5]], {"columns": {"timestamp": "0", "values": ["1"]}}),
        ([["A", EPOCH[0], 0.5], ["A", EPOCH[1], 0.25]], {"columns": {"asset": "a", "timestamp": "t", "values": ["v"]}}),
        ([[EPOCH[0], 0.5, "Ok"]], {"columns": {"timestamp": "t", "values": ["v"], "health": "h"}}),
        ([[EPOCH[0], "x", {"v": 0.5}]], {"fields": ["t", "", "r"], "columns": {"timestamp": "t", "values": ["r.v"]}}),
        ({"d": NAMED}, {"records": "d.values"}),
        ({"d": NAMED}, {"records": "d"}),
        (NAMED, {}),
        ({"series": [{"name": "plant", **NAMED}]}, {"records": "series"}),
        ({"result": [{"metric": {"id": "A"}, "values": NAMED["values"]}]}, {"records": "result"}),
        ({"result": [{"metric": {"id": "A"}, "values": NAMED["values"]}]}, {"records": "result.0"}),
        ([{"t": EPOCH, "v": [0.5, 0.25]}], {}),
        ({"meta": [{"name": "t"}, {"name": "v"}], "data": NAMED["values"], "rows": 2}, {}),
        ({"Columns": [{"ColumnName": "t"}, {"ColumnName": "v"}], "Rows": NAMED["values"]}, {}),
        ({"column_names": ["v", "t"], "rows": [[0.5, EPOCH[0]], [0.25, EPOCH[1]]]}, {"records": "rows"}),
        (
            {"manifest": {"schema": [{"name": "t"}, {"name": "v"}]}, "out": {"array": NAMED["values"]}},
            {"records": "out.array", "fields": "manifest.schema"},
        ),
        ({"t": EPOCH, "v": [0.5, 0.25]}, {}),
        ({"t": list(map(str, EPOCH)), "v": ["0.5", "0.25"], "note": 3}, {}),
        ({"h": {"t": EPOCH, "v": [0.5, 0.25]}}, {"columns": {"timestamp": "h.t", "values": ["h.v"]}}),
        ({"id": "A", "t": EPOCH, "v": [0.5, 0.25]}, {"columns": {"asset": "id", "timestamp": "t", "values": ["v"]}}),
        ([{"t": EPOCH[0], "r": {"v.x": [0.5]}}], {"columns": {"timestamp": "t", "values": ["r.v.x.0"]}}),
        ([{"f": [{"v": str(EPOCH[0])}, {"v": "0.5"}]}], {"columns": {"timestamp": "f.0.v", "values": ["f.1.v"]}}),
        (
            [{"t": EPOCH[0], "r": {"v": 0.5}}, {"t": EPOCH[1], "r.v": 0.25}],
            {"columns": {"timestamp": "t", "values": ["r.v"]}},
        ),
    ],
)
def test_shapes(place: Any, answer: Any, keys: dict[str, Any]) -> None:
    with serving(lambda call: Reply(body=answer)) as service:
        configure(place, service.url, **UNIX, **keys)
        place.good("fetch", "--from", "2024-03-01")
    expected = [("A", STAMPS[0], 0.5), ("A", STAMPS[1], 0.25)]
    rows = stored(place.folder)
    assert rows
    assert rows == expected[: len(rows)]
    assert len(rows) == json.dumps(answer).count("17092")


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        ({"t": [], "v": []}, {}),
        ({"t": None, "v": None}, {}),
        ({}, {}),
        ({"columns": ["t", "v"], "values": []}, {}),
        ({"columns": ["t", "v"], "values": None}, {}),
        ({"results": [{"statement_id": 0}]}, {"records": "results.0.series.0.values"}),
        ({"data": {"result": []}}, {"records": "data.result.0.values"}),
        ([], {"fields": "columns"}),
    ],
)
def test_nothing_new_in_these_shapes_is_no_failure(place: Any, answer: Any, keys: dict[str, Any]) -> None:
    def answered(call: Call) -> Reply:
        return Reply(body=answer if call.parts[0] == "B" else good)

    good: Any = [[EPOCH[0], 0.5]]
    if keys.get("records", "").startswith("results"):
        good = {"results": [{"series": [{"values": good}]}]}
    elif keys.get("records"):
        good = {"data": {"result": [{"values": good}]}}
    elif keys.get("fields"):
        good = {"columns": ["t", "v"], "data": good}
    with serving(answered) as service:
        configure(place, service.url, **UNIX, **keys, assets=["A", "B"])
        place.good("fetch", "--from", "2024-03-01")
    assert stored(place.folder) == [("A", STAMPS[0], 0.5)]


@pytest.mark.parametrize(
    ("answer", "keys", "said"),
    [
        (
            [[EPOCH[0], 0.5]],
            {"timestamp_format": None},
            r'\'1709251200\' is not.*"unix", which makes it 2024-03-01T00:00',
        ),
        ([[EPOCH[0] * 1000, 0.5]], {"timestamp_format": None}, '"unix-ms", which makes it 2024-03-01'),
        (
            [[EPOCH[0], 0.5, 3]],
            {},
            r"record 1 is an array of 3, not of 2 \(t, v\) \(name its items.*sources\.s\.fields\)",
        ),
        ([{"t": EPOCH[0], "d": {"v": 1}}], {}, r"no column 'v' \(.*it has: t, d\.v\)"),
        ({"columns": ["time", "v"], "rows": [[1, 2]]}, {}, r"no column 't' \(.*it has: time, v\)"),
        ({"columns": ["t", "v", "v"], "rows": [[1, 2, 3]]}, {}, "more than one column 'v'"),
        ([{"t": None, "v": 0.5}], {}, "record 1: no timestamp in column 't'"),
        ({"error": "slow down", "data": []}, {}, "answered without records: slow down"),
        (
            {"result": [{"values": [[EPOCH[0], 0.5]]}, {"values": [[EPOCH[0], 0.75]]}]},
            {"records": "result"},
            r"no column 't' \(it has: values\)",
        ),
        ({"t": EPOCH, "v": [0.5]}, {}, "1 items in column 'v' and 2 in 't'"),
        ({"t": EPOCH, "v": 0.5}, {}, "has a number in column 'v', not an array"),
        ({"t": EPOCH, "w": EPOCH}, {}, "no column 'v'.*it has: t, w"),
        ([[EPOCH[0], 0.5]], {"fields": "columns"}, r"no list of names at 'columns' \(see sources\.s\.fields\)"),
        ({"error": "slow down", "columns": None}, {}, "answered without records: slow down"),
        ({"columns": ["t", "v"], "note": 3}, {}, "an object, not an array of records, its keys are: columns, note"),
    ],
)
def test_what_cannot_be_read_says_what_there_is(place: Any, answer: Any, keys: dict[str, Any], said: str) -> None:
    with serving(lambda call: Reply(body=answer)) as service:
        configure(place, service.url, **{name: value for name, value in (UNIX | keys).items() if value is not None})
        code, _, err = place("fetch", "--from", "2024-03-01")
    assert code == 4
    assert re.search(said, err), err
    assert "bug" not in err


def test_fields_must_name_the_columns(place: Any) -> None:
    configure(place, "http://127.0.0.1:1", fields=["t", "w"])
    code, _, err = place("config", "check")
    assert (code, "fields has no 'v', which columns names" in err) == (2, True)


def test_one_record_unlike_the_others_is_put_aside(place: Any) -> None:
    answers = [
        [[EPOCH[0], 0.5], [EPOCH[1]], None, {"t": 1}, [EPOCH[1], "warm"]],
        [{"t": EPOCH[0], "v": 0.5}, [1, 2], None, "x", {"t": EPOCH[1], "v": "warm"}, *[{"t": EPOCH[0], "v": 0.5}] * 2],
    ]
    for number, answer in enumerate(answers):
        with serving(lambda call, answer=answer: Reply(body=answer)) as service:
            configure(place, service.url, **UNIX)
            place.write(
                "anomscan.toml", (place.folder / "anomscan.toml").read_text().replace("sources.s", f"sources.s{number}")
            )
            code, _, err = place("fetch", "--from", "2024-03-01")
        assert (code, "4 rows rejected" in err) == (4, True)
        assert stored(place.folder, f"s{number}") == [("A", STAMPS[0], 0.5)]
        lines = (place.folder / "anomscan-data" / f"s{number}.rejects.jsonl").read_text().splitlines()
        assert len(lines) == 4, lines
        assert json.loads(lines[0])["row"]["record"] in ("[1709251800]", "[1, 2]")


def test_rows_of_another_time_are_told_of(place: Any) -> None:
    with serving(lambda call: Reply(body=[[0.5, EPOCH[0]], [0.25, EPOCH[1]]])) as service:
        configure(place, service.url, **UNIX)
        code, _, err = place("fetch", "--from", "2024-03-01")
    assert code == 0
    assert "gave no row of the time asked for: those of asset 'A' are of 1970-01-01T00:00:00.250000Z to" in err


Rows = list[tuple[int, list[float | None]]]
VALUES = st.none() | st.floats(-1e6, 1e6) | st.integers(-(10**6), 10**6)
SERIES = st.dictionaries(st.integers(0, 500), st.lists(VALUES, min_size=2, max_size=2), min_size=1, max_size=8)
START = datetime(2024, 3, 2)


def _objects(rows: Rows, stamp: Callable[[int], Any], value: Callable[[Any], Any]) -> tuple[Any, dict[str, Any]]:
    return [{"at": {"t": stamp(t)}, "r": {"v": value(v), "w": value(w)}} for t, (v, w) in rows], {
        "columns": Columns(timestamp="at.t", values=("r.v", "r.w"))
    }


def _arrays(rows: Rows, stamp: Callable[[int], Any], value: Callable[[Any], Any]) -> tuple[Any, dict[str, Any]]:
    return {"x": [[{"p": [[stamp(t), value(v), value(w)] for t, (v, w) in rows]}]]}, {"records": "x.0.0.p"}


def _named(rows: Rows, stamp: Callable[[int], Any], value: Callable[[Any], Any]) -> tuple[Any, dict[str, Any]]:
    return {"cols": ["w", "-", "t", "v"], "data": [[value(w), "-", stamp(t), value(v)] for t, (v, w) in rows]}, {}


def _columns(rows: Rows, stamp: Callable[[int], Any], value: Callable[[Any], Any]) -> tuple[Any, dict[str, Any]]:
    pairs = [values for _, values in rows]
    lists = {"t": [stamp(t) for t, _ in rows], "v": [value(v) for v, _ in pairs], "w": [value(w) for _, w in pairs]}
    return {"h": lists}, {"records": "h"}


@settings(max_examples=60)
@given(
    series=SERIES,
    shape=st.sampled_from([_objects, _arrays, _named, _columns]),
    clock=st.sampled_from(["unix", "unix-ms", "text", None]),
    texts=st.booleans(),
)
def test_every_shape_gives_the_same_rows(series: dict[int, Any], shape: Any, clock: str | None, texts: bool) -> None:
    def stamp(minutes10: int) -> Any:
        moment = START + timedelta(minutes=10 * minutes10)
        if clock is None:
            return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        seconds = int((moment - datetime(1970, 1, 1)).total_seconds())
        return {"unix": seconds, "unix-ms": seconds * 1000, "text": str(seconds)}[clock]

    def value(number: Any) -> Any:
        return repr(number) if texts and number is not None else number

    rows = list(series.items())
    answer, keys = shape(rows, stamp, value)
    given = {"columns": Columns(timestamp="t", values=("v", "w"))} | keys
    if clock is not None:
        given["timestamp_format"] = "unix" if clock == "text" else clock
    with serving(lambda call: Reply(body=answer)) as service:
        found, failures, notices = fetch(service.url, "A", **given)
    assert (failures, notices) == ({}, [])
    expected = [
        ("A", START + timedelta(minutes=10 * t), *(None if v is None else float(v) for v in values), None)
        for t, values in rows
    ]
    assert sorted(found, key=lambda row: row[1]) == sorted(expected, key=lambda row: row[1])


STAMPED = [f"{stamp}Z" for stamp in STAMPS]


@pytest.mark.parametrize(
    ("answer", "keys"),
    [
        ({str(EPOCH[0]): {"v": 0.5}, str(EPOCH[1]): {"v": 0.25}}, UNIX),
        ({str(EPOCH[0]): 0.5, str(EPOCH[1]): "0.25"}, UNIX),
        ({"v": {str(EPOCH[0]): 0.5, str(EPOCH[1]): 0.25}}, UNIX),
        ({"t": {"0": EPOCH[0], "1": EPOCH[1]}, "v": {"0": 0.5, "1": 0.25}}, UNIX),
        ({"columns": ["v"], "index": EPOCH, "data": [[0.5], [0.25]]}, UNIX),
        ({"columns": ["t", "v"], "index": [0, 1], "data": [[EPOCH[0], 0.5], [EPOCH[1], 0.25]]}, UNIX),
        (
            {"schema": {"fields": []}, "data": [{"t": STAMPED[0], "v": 0.5}, {"t": STAMPED[1], "v": 0.25}]},
            {"records": "data"},
        ),
        ({"Time Series": {STAMPED[0]: {"v": "0.5"}, STAMPED[1]: {"v": "0.25"}}}, {"records": "Time Series"}),
        ({"a": {"t": STAMPED[0], "v": 0.5}, "b": {"t": STAMPED[1], "v": 0.25}}, {}),
    ],
)
def test_objects_keyed_by_their_timestamps(place: Any, answer: Any, keys: dict[str, Any]) -> None:
    with serving(lambda call: Reply(body=answer)) as service:
        configure(place, service.url, **keys)
        place.good("fetch", "--from", "2024-03-01")
    assert stored(place.folder) == [("A", STAMPS[0], 0.5), ("A", STAMPS[1], 0.25)]


@pytest.mark.parametrize(
    "answer", [{"12": {"v": 1}}, {"x": {"y": 1}}, {"v": {"0": 1, "1": 2}}, {STAMPED[0]: [1]}, {"count": 0}, {"a": 1}]
)
def test_keys_that_may_be_anything_are_no_timestamps(place: Any, answer: Any) -> None:
    with serving(lambda call: Reply(body=answer)) as service:
        configure(place, service.url)
        code, _, err = place("fetch", "--from", "2024-03-01")
    assert (code, "not an array of records" in err or "has no column" in err) == (4, True)


def test_values_with_tags(place: Any) -> None:
    """A record is a value: of a variable, or of what nobody asked for."""
    columns = {"timestamp": "t", "values": ["v", "w"], "tag": "name", "value": "x"}
    records = [{"t": t, "name": name, "x": x} for t in STAMPED for name, x in [("w", "2"), ("v", 0.5), ("other", 7)]]
    odd = [
        {"t": "soon", "name": "v", "x": 1},
        {"t": STAMPED[0], "name": "v", "x": "warm"},
        [1],
        {"t": 1, "name": {}, "x": 1},
    ]
    pages = {"1": records[:4], "2": [*records[4:], *odd]}
    with serving(lambda call: Reply(body=pages.get(call.query["page"], []))) as service:
        configure(place, service.url, layout="tags", columns=columns, paging="page")
        code, _, err = place("fetch", "--from", "2024-03-01")
    assert (code, "4 rows rejected" in err) == (4, True)
    assert stored(place.folder) == [("A", STAMPS[0], 0.5, 2.0), ("A", STAMPS[1], 0.5, 2.0)]
    reasons = (place.folder / "anomscan-data" / "s.rejects.jsonl").read_text()
    assert all(f"asset 'A', page 2, record {record}" in reasons for record in (3, 4, 5, 6))


@pytest.mark.parametrize("status", [400, 403, 404, 413, 500])
def test_the_words_of_the_service_stand_in_the_message(place: Any, status: int) -> None:
    with serving(lambda call: Reply(status, json.dumps({"detail": "no more than 31 days"}).encode())) as service:
        configure(place, service.url, deadline_s=0.1)
        code, _, err = place("fetch", "--from", "2024-03-01")
    assert (code in (4, 5), "no more than 31 days" in err) == (True, True), err


@pytest.mark.parametrize("nothing", [{"data": None}, {"data": None, "next": None}, {}, ""])
def test_what_holds_nothing_is_no_failure(place: Any, nothing: Any) -> None:
    with serving(lambda call: Reply(body=nothing)) as service:
        configure(place, service.url)
        place.good("fetch", "--from", "2024-03-01")
