"""Tables as people have them, from the command line."""

from __future__ import annotations

from cli.conftest import CONFIG

CADENCE = 'cadence = "1D"\n'


def test_an_impossible_value_is_exit_4_once_and_its_row_stays(place) -> None:
    place.telemetry([["A", "2017-01-01", 0.8, "Good"], ["A", "2017-01-02", 7.5, "Good"], ["A", "2017-01-03", -99, ""]])
    place.write(
        "anomscan.toml", CONFIG.replace(CADENCE, CADENCE + "plausible = { prt7 = [-0.1, 1.5] }\nmissing = [-99]\n")
    )
    code, _, err = place("fetch")
    assert code == 4
    assert "line 3, column 'prt7': 7.5 is not plausible (-0.1 to 1.5)" in " ".join(err.split())
    assert "3 rows of 1 assets: 3 new" in err
    assert place("fetch")[0] == 0
    kept = (place.folder / "anomscan-data" / "fleet.rejects.jsonl").read_text()
    assert kept.count('"prt7": "7.5"') == kept.count("\n") == 1
