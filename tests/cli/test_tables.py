"""Tables as people have them, from the command line."""

from __future__ import annotations

from cli.conftest import CONFIG, START
from workbooks import write_xlsx

CADENCE = 'cadence = "1D"\n'


def test_an_impossible_value_is_exit_4_once_and_its_row_stays(place) -> None:
    place.telemetry([["A", "2017-01-01", 0.8, "Good"], ["A", "2017-01-02", 7.5, "Good"], ["A", "2017-01-03", -99, ""]])
    place.write(
        "anomscan.toml", CONFIG.replace(CADENCE, CADENCE + "plausible = { prt7 = [-0.1, 1.5] }\nmissing = [-99]\n")
    )
    code, _, err = place("fetch")
    assert code == 4
    assert "line 3, column 'prt7': 7.5 is not plausible (-0.1 to 1.5)" in " ".join(err.split())
    assert "3 rows of 1 asset: 3 new" in err
    assert place("fetch")[0] == 0
    kept = (place.folder / "anomscan-data" / "fleet.rejects.jsonl").read_text()
    assert kept.count('"prt7": "7.5"') == kept.count("\n") == 1


def test_wide_and_tagged_tables_give_the_store_of_the_long_one(place) -> None:
    columns = 'columns = { asset = "asset_id", timestamp = "date", values = ["prt7"], health = "health_status" }'
    layouts = {
        "long": (
            'columns = { asset = "a", timestamp = "t", values = ["v"] }',
            "a,t,v\nA,2017-01-01,1\nB,2017-01-01,2\n",
        ),
        "wide": ('columns = { timestamp = "t", values = ["v"], ignore = ["x"] }', "t,A,B,x\n2017-01-01,1,2,3\n"),
        "tags": (
            'columns = { asset = "a", timestamp = "t", tag = "k", value = "n", values = ["v"] }',
            "a,k,t,n\nA,v,2017-01-01,1\nB,v,2017-01-01,2\nB,u,2017-01-01,2\n",
        ),
    }
    for layout, (given, text) in layouts.items():
        place.write("telemetry.csv", text)
        place.write(
            "anomscan.toml",
            CONFIG.replace(columns, given).replace(CADENCE, f'{CADENCE}layout = "{layout}"\n')
            + f'[store]\npath = "{layout}"\n',
        )
        place.good("config", "check")
        assert "2 rows of 2 assets: 2 new" in place("fetch")[2]
        assert "2 rows of 2 assets: 0 new, 0 revised, 2 unchanged" in place("fetch")[2]


def test_what_was_found_out_of_a_file_is_told_by_doctor_and_at_the_first_fetch(place) -> None:
    place.write("telemetry.csv", "Plant\nasset_id;date;prt7;health_status\nA;2017-01-01;0,5;\nA;2017-01-02;12,5 %;\n")
    told = 'is read with delimiter = ";", decimal = ",", a header in line 2; say so in the settings if it is right'
    shares = "per cent signs are read as hundredths"
    _, out, _ = place("doctor")
    assert told in " ".join(out.split())
    assert shares in " ".join(out.split())
    code, _, err = place("fetch")
    assert code == 0
    assert told in " ".join(err.split())
    assert shares in " ".join(err.split())
    assert "is read with" not in place("fetch")[2]


def test_a_workbook_from_end_to_end(place) -> None:
    rows = [
        ["Report"],
        ["asset_id", "date", "prt7", "health_status"],
        ["A", START, 0.5, "Good"],
        [7, START, 0.25, None],
    ]
    write_xlsx(place.folder / "telemetry.xlsx", {"Data": rows})
    place.write("anomscan.toml", CONFIG.replace("telemetry.csv", "telemetry.xlsx"))
    code, _, err = place("fetch")
    assert code == 0
    assert "a header in line 2" in " ".join(err.split())
    assert "2 rows of 2 assets: 2 new" in err
    assert "2 rows of 2 assets: 0 new, 0 revised, 2 unchanged" in place("fetch")[2]
