from __future__ import annotations

import json

from anomscan.cli.console import Console


def test_progress_is_a_line_now_and_then_where_there_is_no_terminal(monkeypatch, capsys):
    now = iter([0.0, 1.0, 31.0, 40.0])
    monkeypatch.setattr("anomscan.cli.console.time.monotonic", lambda: next(now))
    with Console().progress("fetching fleet", 4000, unit="rows") as advance:
        for _ in range(3):
            advance(1000)
    assert capsys.readouterr().err == "fetching fleet: 2,000 of 4,000 rows, 65 per second\n"


def test_machines_get_json_lines(capsys):
    console = Console(1, json_lines=True)
    console.detail("d")
    console.warn("w")
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["level"], line["message"]) for line in said] == [("debug", "d"), ("warning", "w")]


def test_a_table_takes_text_as_it_is(capsys):
    Console().table("title", ("asset",), [("[red]a[/red]",)], data=True)
    assert "[red]a[/red]" in capsys.readouterr().out
