"""Tables fit the screen without breaking ids and dates."""

from __future__ import annotations

import pytest

from anomscan.cli.console import TerminalConsole
from anomscan.cli.tables import draw
from cli.conftest import DAY, START, calm

LONG = "plant-0123456789/inverter-0123456789-abc"


def test_columns_take_what_they_need_and_empty_ones_nothing():
    rows = [("A1", "", ("x 1,", "y 2")), ("B", "", ("x 3",))]
    assert list(draw(("asset", "health", "values"), rows, 80)) == [
        " asset  values",
        " " + "─" * 15,
        " A1     x 1, y 2",
        " B      x 3",
    ]
    assert list(draw(("asset", "health"), [], 80)) == [" asset  health", " " + "─" * 13]


def test_only_words_are_broken_and_the_column_that_wants_least_gets_it_first():
    rows = [("an id with blanks", "2017-01-31", ("one,", "two,", "three,", "four"))]
    assert list(draw(("asset", "day", "longer header"), rows, 42)) == [
        " asset              day         longer",
        "                                header",
        " " + "─" * 41,
        " an id with blanks  2017-01-31  one, two,",
        "                                three,",
        "                                four",
    ]


def test_what_is_too_wide_has_its_first_column_above():
    rows = [("a" * 20, "2017-01-31", "1"), ("a" * 20, "2017-02-01", "2"), ("b", "2017-02-02", "3")]
    assert list(draw(("asset", "day", "score"), rows, 30)) == [
        " day         score",
        " " + "─" * 17,
        " " + "a" * 20,
        " 2017-01-31  1",
        " 2017-02-01  2",
        " b",
        " 2017-02-02  3",
    ]
    assert "x" * 99 in "\n".join(draw(("a", "b"), [("x" * 99, "y" * 99)], 30))


def test_wide_letters_are_counted_as_a_terminal_shows_them():
    first, second = list(draw(("id", "n"), [("泵站", "1"), ("pump", "2")], 80))[2:]
    assert (first, second) == (" 泵站  1", " pump  2")


@pytest.mark.parametrize("columns", ["80", "79", "0", "x", ""])
def test_the_width_is_what_columns_says(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", columns)
    TerminalConsole().table("t", ("asset", "why"), [("a", tuple(["word"] * 60))], data=True)
    longest = max(map(len, capsys.readouterr().out.splitlines()))
    assert longest <= (int(columns) if columns in ("80", "79") else 200)
    assert longest > (74 if columns in ("80", "79") else 190)


def test_every_table_of_a_run_keeps_long_ids_and_dates_whole_at_80_columns(place, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    ids = [LONG, LONG[::-1]]
    hours = [f"{START + (hour // 24) * DAY}T{hour % 24:02}:00:00Z" for hour in range(120)]
    place.telemetry(
        [[asset, hour, calm(at, number), ""] for number, asset in enumerate(ids) for at, hour in enumerate(hours)]
    )
    place.scores(
        [
            [asset, hour, 9.0 if at in (100, 104, 112) else 1 + 0.01 * (at % 5)]
            for asset in ids
            for at, hour in enumerate(hours)
        ]
    )
    place.write("anomscan.toml", (place.folder / "anomscan.toml").read_text().replace('"1D"', '"1h"'))
    place.good("fetch")
    code, _, trained = place("train", "--detector", "rcf", "--through", "2016-01-05")
    assert code == 0
    code, out, scanned = place("scan", "--all", "--format", "table")
    assert code == 0
    for text, shown in ((trained, ids), (scanned, ids), (out, ids)):
        assert [asset for asset in shown if asset not in text] == []
    assert "2016-01-05T04:00:00Z" in out
    assert "health" not in out.split("─")[0]
    shown = place.good("models", "show", "rcf")
    assert "2016-01-05" in shown
    assert max(map(len, out.splitlines())) <= 80
    lines = [line for line in shown.splitlines() if not line.endswith("─")]
    # The model's path is not broken, and where it is longer the others may be as long.
    path = max(len(line) for line in lines if line.endswith("rcf.forest"))
    assert max(map(len, lines)) <= max(80, path)


def test_texts_of_any_width_stand_in_columns():
    assert list(draw(("asset", "day"), [("東", "1"), ("ab", ""), ("", "2")], 80)) == [
        " asset  day",
        " " + "─" * 10,
        " 東     1",
        " ab",
        "        2",
    ]


def test_rows_without_any_text_keep_their_lines():
    assert list(draw(("asset", "day"), [("", ""), ("", ())], 80)) == [" asset", " " + "─" * 5, "", ""]
