from __future__ import annotations

import json

import pytest

from anomscan.cli.console import TerminalConsole
from anomscan.wording import seen

HOSTILE = [
    "\x1b]0;owned\x07\x1b[2J",
    "a\nerror: forged",
    "a\rb",
    "\x9b31m",
    "a\x85b\u2028c\u2029",
    "\u202egnp.exe\u2066",
    "\x7f\x00",
]


def test_progress_is_a_line_now_and_then_where_there_is_no_terminal(monkeypatch, capsys):
    now = iter([0.0, 1.0, 31.0, 40.0])
    monkeypatch.setattr("anomscan.cli.console.time.monotonic", lambda: next(now))
    with TerminalConsole().progress("fetching fleet", 4000, unit="rows") as advance:
        for _ in range(3):
            advance(1000)
    assert capsys.readouterr().err == "fetching fleet: 2,000 of 4,000 rows, 65 per second, 0:00:31 left\n"


def test_machines_get_json_lines(capsys):
    console = TerminalConsole(1, json_lines=True)
    console.detail("d")
    console.warn("w")
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["level"], line["message"]) for line in said] == [("debug", "d"), ("warning", "w")]


def test_a_table_takes_text_as_it_is(capsys):
    TerminalConsole().table("title", ("asset",), [("[red]a[/red]",)], data=True)
    assert "[red]a[/red]" in capsys.readouterr().out


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("json_lines", [False, True])
def test_data_command_no_terminal_and_forge_no_line(monkeypatch, capsys, text, json_lines):
    monkeypatch.setattr("sys.stdin.readline", lambda: "", raising=False)
    console = TerminalConsole(1, json_lines=json_lines)
    for say in (console.detail, console.info, console.warn, console.error, console.agrees, console.data):
        say(f"about {text}")
        out, err = capsys.readouterr()
        said = (out + err).removesuffix("\n")
        assert seen(said) == said
        if said.startswith("{"):
            assert json.loads(said)["message"] == f"about {text}"
    console.info("facts", asset=text)
    said = capsys.readouterr().err
    assert seen(said.removesuffix("\n")) == said.removesuffix("\n")
    console.table(text, (text,), [(text,)], data=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if seen(line) != line] == []
    assert len([line for line in lines if seen(text) in line]) == 3


def test_letters_of_every_script_are_shown_as_they_are():
    text = "Grün Ñandú 泵 насос مضخة 🏭 \\ é"
    assert seen(text) == text
