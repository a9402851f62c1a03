"""The guesses on what others have made: recordings, and the small inputs that once went wrong."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from anomscan.errors import InputError
from anomscan.guessing.guess import guess
from anomscan.guessing.reading import sample_of_database, sample_of_files
from anomscan.guessing.said import Said
from anomscan.guessing.unsure import UnsureError
from guessing.test_exports import facts

FIXTURES = Path(os.environ.get("ANOMSCAN_FIXTURES", Path(__file__).parents[3] / "shared" / "fixtures"))
CASES = FIXTURES.parent / "cases"

RIGHT = {
    "pv/pvops_daily_pr_2_sites.csv": {
        "asset": "randid", "timestamp": "day", "values": ("generated_kW", "expected_kW", "pr"), "cadence": "1D",
        "assets": 2, "detector": "nearest",
    },
    "pv/pvlib_data_shift.csv": {"timestamp": "timestamp", "values": ("value",), "pattern": "%m/%d/%Y", "cadence": "1D"},
    "sagemaker/nyc_taxi.csv": {"values": ("value",), "cadence": "30min", "asset": None, "zone": "UTC"},
    "sagemaker/printed_scores.csv": {"asset": "source", "values": ("value", "score"), "cadence": "30min"},
    "azure/sample_data_5_3000.csv": "--layout",
    "azure/multivariate_sample_data_5_3000.zip": "holds 5 files, not one",
}  # fmt: skip


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="no recordings here")
@pytest.mark.parametrize("name", RIGHT)
def test_recordings(name: str) -> None:
    right = RIGHT[name]
    if isinstance(right, str):
        with pytest.raises(InputError, match=re.escape(right)):
            guess(sample_of_files(FIXTURES / name, Said()), Said())
    else:
        found = facts(guess(sample_of_files(FIXTURES / name, Said()), Said()))
        assert {key: found[key] for key in right} == right


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="no recordings here")
def test_every_recorded_table_is_among_them() -> None:
    tables = {str(path.relative_to(FIXTURES)) for kind in ("*.csv", "*.zip") for path in FIXTURES.glob(f"*/{kind}")}
    assert tables == set(RIGHT)


def test_of_variables_or_assets_the_user_may_say_which(tmp_path: Path) -> None:
    source = FIXTURES / "azure/sample_data_5_3000.csv"
    if not source.is_file():
        pytest.skip("no recordings here")
    said = Said(layout="long")
    found = guess(sample_of_files(source, said), said)
    assert (found.assets, len(found.variables), found.step.text, found.choice.kind) == (1, 5, "1min", "nearest")


#: Case -> what makes its table in an empty folder, the table, and what is right.
MADE = {
    "01-rtc-reset-1970": (
        "gen.py assets=3 n=3000 start=2024-03-01 step=15s prefix=T", "T02,1970-01-01T00:00:00Z,0.85,Ok\n",
        {"asset": "asset_id", "timestamp": "date", "values": ("prt7",), "cadence": "15s", "assets": 3},
    ),
    "02-first-sample-off-grid": (
        "gen.py assets=3 n=30 start=2024-03-01 step=10min prefix=T", "T04,2024-03-01T04:51:07Z,0.85,Ok\n",
        {"asset": "asset_id", "cadence": "10min", "assets": 4, "tolerance_s": 0},
    ),
    "07-one-bad-cell-in-a-file": (
        "gen.py assets=50 n=40", "A51,2016-01-01,None,Ok\n",
        {"asset": "asset_id", "values": ("prt7",), "cadence": "1D", "assets": 51},
    ),
    "26-old-row-or-outage-ends-warming-up": (
        "gen.py assets=20 n=300 start=2023-01-01 prefix=W", "W02,2000-01-01,0.85,Ok\n",
        {"asset": "asset_id", "cadence": "1D", "assets": 20, "detector": "control-chart"},
    ),
}  # fmt: skip


@pytest.mark.skipif(not CASES.is_dir(), reason="no cases here")
@pytest.mark.parametrize("case", MADE)
def test_cases_of_a_generated_fleet(tmp_path: Path, case: str) -> None:
    command, more, right = MADE[case]
    script, *arguments = command.split()
    made = subprocess.run(
        [sys.executable, CASES / "_lib" / script, *arguments], capture_output=True, text=True, check=True
    )
    path = tmp_path / "telemetry.csv"
    path.write_text(made.stdout + more, "utf-8")
    found = facts(guess(sample_of_files(path, Said()), Said()))
    assert {key: found[key] for key in right} == right


HEADER = "asset_id,date,prt7\n"
EIGHT = "".join(f"A1,2024-01-0{k},0.8{k}\n" for k in range(1, 9))
BLANKS = "".join(f"A{k % 3}, 2024-01-{1 + k // 3:02d}, 0.8{k % 7}, Ok\n" for k in range(60))
MILLISECONDS = "".join(f"{1709251200000 + 600000 * k},0.8{k % 9}\n" for k in range(40))
GERMAN = "asset_id;date;prt7\n" + "".join(f"A1;{k:02d}.01.2024;0,8{k}\n" for k in range(1, 29))
LONG = {"asset": "asset_id", "timestamp": "date", "values": ("prt7",)}

#: Case -> its table as written there, and what is right.
WRITTEN = {
    "18-blanks": ("asset_id, date, prt7, health_status\n" + BLANKS, LONG | {"health": "health_status", "assets": 3}),
    "21-decimal-comma": (GERMAN, LONG | {"pattern": "%d.%m.%Y", "decimal": ",", "cadence": "1D"}),
    "21-three rows": ("\n".join(GERMAN.splitlines()[:4]), {"pattern": "%d.%m.%Y", "decimal": ","}),
    "21-units": (f"{HEADER}[],[dd.MM.yyyy],[kWh/kWp]\n{EIGHT}", LONG),
    "21-a comment": (f"# logger 7\n{HEADER}{EIGHT}", LONG),
    "21-an empty row": (f"{HEADER}{EIGHT},,\n", LONG),
    "14-epoch": (f"timestamp,temperature\n{MILLISECONDS}", {"pattern": "unix-ms", "cadence": "10min"}),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_cases_as_they_are_written(tmp_path: Path, case: str) -> None:
    text, right = WRITTEN[case]
    path = tmp_path / "telemetry.csv"
    path.write_text(text, "utf-8")
    found = facts(guess(sample_of_files(path, Said()), Said()))
    assert {key: found[key] for key in right} == right


@pytest.mark.skipif(not CASES.is_dir(), reason="no cases here")
@pytest.mark.parametrize(
    ("case", "right"),
    [
        (
            "03-one-asset-off-grid-stops-fleet",
            "--values",
        ),
        ("08-sql-bad-asset-first", "--values"),
    ],
)
def test_cases_of_a_database(tmp_path: Path, case: str, right: dict[str, object] | str) -> None:
    subprocess.run([sys.executable, CASES / case / "mk.py", "100"], cwd=tmp_path, check=True)
    said = Said()
    url = f"sqlite:///{tmp_path / 't.db'}"
    if isinstance(right, str):
        with pytest.raises(UnsureError, match=right):
            guess(sample_of_database(url, said), said)
    else:
        found = facts(guess(sample_of_database(url, said), said))
        assert {key: found[key] for key in right} == right


@pytest.mark.skipif(not CASES.is_dir(), reason="no cases here")
@pytest.mark.parametrize(
    ("case", "arguments", "right"),
    [
        ("04-stuck-sensor-is-exemplar", ["mk.py"], {"asset": "asset_id", "values": ("prt7",), "cadence": "1D"}),
        ("04-stuck-sensor-is-exemplar", ["mk2.py"], {"values": ("temp",), "cadence": "1D"}),
        ("11-local-midnight-in-utc", ["mk.py"], "--timezone"),
        ("12-six-hours-local-dst", ["mk.py", "6"], {"cadence": "6h", "zone": "UTC"}),
        ("12-six-hours-local-dst", ["mk.py", "2"], {"cadence": "2h", "zone": "UTC"}),
    ],
)
def test_cases_that_print_a_table(
    tmp_path: Path, case: str, arguments: list[str], right: dict[str, object] | str
) -> None:
    script = shutil.copy(CASES / case / arguments[0], tmp_path)
    made = subprocess.run([sys.executable, script, *arguments[1:]], capture_output=True, text=True, check=True)
    path = tmp_path / "telemetry.csv"
    path.write_text(made.stdout, "utf-8")
    if isinstance(right, str):
        with pytest.raises(UnsureError, match=right):
            guess(sample_of_files(path, Said()), Said())
    else:
        found = facts(guess(sample_of_files(path, Said()), Said()))
        assert {key: found[key] for key in right} == right
