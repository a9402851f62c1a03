"""``config check`` looks at the columns of files."""

from __future__ import annotations

from cli.conftest import CONFIG, example_rows


def test_a_missing_column_is_named_with_the_nearest(place):
    place.telemetry(example_rows(days=5))
    place.good("config", "check")
    place.write("anomscan.toml", CONFIG.replace('"prt7"', '"prt8"'))
    code, _, err = place("config", "check")
    assert code == 2
    assert "error: source 'fleet': " in err
    assert "has no column 'prt8' (did you mean 'prt7'?" in err
    assert "good" not in err


def test_it_says_what_it_did_not_look_at(place):
    code, _, err = place("config", "check")
    assert code == 0
    assert "telemetry.csv yet, so no columns were looked at" in err
    place.write(
        "anomscan.toml",
        """[sources.db]
kind = "sql"
url = "sqlite:///x.db"
query = "SELECT 1"
cadence = "1D"
columns = { asset = "a", values = ["v"] }
""",
    )
    code, _, err = place("config", "check")
    assert code == 0
    assert "source 'db': its columns were not looked at" in err


def test_a_file_for_each_asset_is_looked_at_too(place):
    (place.folder / "files").mkdir()
    place.table("files/a.csv", ["date", "prt7"], [["2016-01-01", 1]])
    columns = 'columns = { timestamp = "day", values = ["prt7"] }'
    place.write("anomscan.toml", f'[sources.fleet]\nkind = "files"\npath = "files"\ncadence = "1D"\n{columns}\n')
    code, _, err = place("config", "check")
    assert code == 2
    assert "has no column 'day'" in err
