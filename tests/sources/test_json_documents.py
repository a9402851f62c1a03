"""``.json`` as exports write it: an array of objects, objects one after another, or an object around them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anomscan.config import Columns
from anomscan.errors import InputError
from anomscan.sources.base import Request, Source
from anomscan.tables import json_files
from anomscan.tables.salvage import Reject

Files = Callable[..., Source]
COLUMNS = Columns(asset="a", timestamp="t", values=("v",))
ROWS = [{"a": asset, "t": f"2017-01-0{day}", "v": day / 8} for asset in ("x", "y") for day in (1, 2, 3)]


def told(source: Source) -> tuple[list[tuple[Any, ...]], list[str]]:
    """The rows, and the reasons of the rejects."""
    items = list(source.fetch(Request()))
    rejects = [item.reason for item in items if isinstance(item, Reject)]
    tables = [item for item in items if hasattr(item, "num_rows")]
    return [(row["asset"], row["value:v"]) for table in tables for row in table.to_pylist()], rejects


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        "\ufeff" + json.dumps(ROWS),
        "\r\n  " + json.dumps(ROWS, indent="\t").replace("\n", "\r\n") + "\r\n",
        "\n".join(map(json.dumps, ROWS)),
        "\n".join(json.dumps(row, indent=2) for row in ROWS),
        ",\n".join(map(json.dumps, ROWS)),
        json.dumps({"data": ROWS}),
        json.dumps({"count": 6, "rows": ROWS, "next": None, "tags": ["x"]}, indent=1),
        "[\n" + ",\n".join(map(json.dumps, ROWS)) + "\n]\n",
    ],
)
@pytest.mark.parametrize("name", ["t.json", "t.json.gz", "t.JSON"])
def test_every_form_gives_the_same_rows(tmp_path: Path, files: Files, content: str, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    assert told(files(name, columns=COLUMNS)) == ([(row["a"], row["v"]) for row in ROWS], [])


def test_the_format_can_be_said(tmp_path: Path, files: Files) -> None:
    (tmp_path / "export.txt").write_text(json.dumps(ROWS))
    assert len(told(files("export.txt", columns=COLUMNS, format="json"))[0]) == 6


def test_one_object_is_one_row(tmp_path: Path, files: Files) -> None:
    (tmp_path / "t.json").write_text(json.dumps(ROWS[0], indent=2))
    assert told(files("t.json", columns=COLUMNS)) == ([("x", 0.125)], [])


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("3", "t.json record 2 is not a JSON object"),
        ("[1]", "t.json record 2 is not a JSON object"),
        ("null", "t.json record 2 is not a JSON object"),
        ('{"a": "x", "a": "y", "t": "2017-01-05", "v": 1}', "t.json record 2: the key 'a' stands twice"),
        ('{"a": "\\ud800", "t": "2017-01-05", "v": 1}', "t.json record 2 holds half of a character"),
        ('{"a": "x", "t": "2017-01-05", "v": "I/O Timeout"}', "t.json record 2, column 'v': 'I/O Timeout' is not"),
        ('{"a": "x", "t": "soon", "v": 1}', "t.json record 2, column 't': 'soon' is not a timestamp"),
        ('{"a": null, "t": "2017-01-05", "v": 1}', "t.json record 2: no asset id"),
        ('{"t": "2017-01-05", "v": 1}', "t.json record 2: no asset id"),
        ('{"a": "x", "t": "2017-01-05", "v": {"b": 1}}', "t.json record 2, column 'v'"),
    ],
)
def test_a_record_costs_itself_alone(tmp_path: Path, files: Files, bad: str, reason: str) -> None:
    first, *rest = map(json.dumps, ROWS)
    (tmp_path / "t.json").write_text(f"[{', '.join([first, bad, *rest])}]")
    rows, (said,) = told(files("t.json", columns=COLUMNS))
    assert len(rows) == 6
    assert reason in said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps(ROWS)[:-1], "its array has no end"),
        (json.dumps(ROWS)[:-9], "t.json record 6 is not JSON"),
        (json.dumps(ROWS) + "]", "there is more after the end of its array"),
        ("[" * 100_000, "t.json record 1 is nested too deeply"),
        (json.dumps({"a": ROWS, "b": ROWS}), "is one JSON object with several arrays of records"),
        ("3", "holds no JSON objects"),
        ("", "t.json is empty"),
        ('{"n": 1, "n": 2, "rows": [{"a": "x"}]}', "t.json record 1: the key 'n' stands twice"),
        ("[]", "t.json has no rows"),
        ('[{"aa": "x", "t": "2017-01-01", "v": 1}]', "t.json has no column 'a' (did you mean 'aa'?"),
        ("<html>", "t.json record 1 is not JSON"),
    ],
)
def test_what_cannot_be_read_at_all_is_one_line(tmp_path: Path, files: Files, content: str, message: str) -> None:
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(InputError) as caught:
        list(files("t.json", columns=COLUMNS).fetch(Request()))
    assert message in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_document_beyond_the_bound_is_told_the_way_out(
    tmp_path: Path, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_files, "_MOST_BYTES", 100)
    (tmp_path / "t.json").write_text(json.dumps(ROWS, indent=1))
    with pytest.raises(InputError, match=r"jq -c .*\.jsonl"):
        list(files("t.json", columns=COLUMNS).fetch(Request()))


def test_in_a_folder_json_beside_other_files_describes_them(tmp_path: Path, files: Files) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "t.csv").write_text("a,t,v\nx,2017-01-01,1\n")
    (tmp_path / "d" / "package.json").write_text('{"name": "plant"}')
    assert told(files("d", columns=COLUMNS)) == ([("x", 1.0)], [])
    (tmp_path / "d" / "t.csv").unlink()
    (tmp_path / "d" / "package.json").write_text(json.dumps(ROWS))
    assert len(told(files("d", columns=COLUMNS))[0]) == 6
