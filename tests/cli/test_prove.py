"""``scan --prove``: what is delivered was proved, and what is not so is not delivered."""

from __future__ import annotations

import datetime as dt
import json
import math
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anomscan.detectors.base import Capabilities, Scores
from anomscan.detectors.score_cache import file as kept_file
from anomscan.errors import ServiceError
from servers.mvad_loopback import Toy
from servers.mvad_loopback import serving as serving_mvad

pytestmark = pytest.mark.slow

START = dt.date(2016, 1, 1)


def day(number):
    return str(START + dt.timedelta(days=number))


@pytest.fixture
def fleet(place):
    """Twenty assets of 120 days, a bad day in each, some with holes or of unknown health; a forest trained on them."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(20):
        values = rng.normal(0.8, 0.02, 120).round(4)
        values[70 + 2 * number] = 0.1
        rows += [
            [f"asset{number:02}", day(n), value, "Unknown" if n % 50 == number else "Ok"]
            for n, value in enumerate(values.tolist())
            if number % 4 or n not in (64, 65, 90)
        ]
    place.telemetry(rows)
    place.good("fetch")
    place.good("train", "--detector", "rcf", "--through", day(79))
    return place


class Leaky:
    """Scores in units of the spread that the series will have had at its end."""

    name, fingerprint, trained_through, capabilities = "replay", "1", None, Capabilities()

    def score(self, batch, shingle, rows=None):
        return [Scores(each.timestamps, np.abs(each.values[:, 0]) / np.nanstd(each.values)) for each in batch]

    def contributions(self, series, rows, shingle):
        return None


@pytest.fixture
def leaky(monkeypatch):
    monkeypatch.setattr("anomscan.detectors.registry.opened", lambda *arguments, **more: nullcontext(Leaky()))


def files(place):
    """What lies there beside the input."""
    return {path.name: path.read_bytes() for path in place.folder.iterdir() if path.name.startswith("results.jsonl")}


def proved(err):
    return [line for line in err.splitlines() if "proved" in line]


def test_what_is_proved_is_said_and_the_results_are_the_same(fetched):
    fetched.good("scan", "--all", "-o", "plain.jsonl")
    code, _, err = fetched("scan", "--all", "-o", "results.jsonl", "--prove")
    assert code == 0
    (line,) = proved(err)
    assert line.startswith(
        "proved 100 verdicts of 2 assets, 2 of them anomalous, from the rows before them alone (seed "
    )
    plain = (fetched.folder / "plain.jsonl").read_bytes()
    assert (fetched.folder / "results.jsonl").read_bytes() == plain
    # the seed follows from the run
    assert proved(fetched("scan", "--all", "-o", "results.jsonl", "--prove")[2]) == [line]
    assert fetched("-q", "scan", "--all", "-o", "-", "--prove") == (0, plain.decode(), "")
    for one in fetched("--log-format", "json", "scan", "--all", "-o", "-", "--prove")[2].splitlines():
        if "proved" in (said := json.loads(one))["message"]:
            assert (said["verdicts"], said["assets"], said["anomalous"], said["in_sample"]) == (100, 2, 2, 0)
            assert f"(seed {said['seed']})" in line
            break
    else:
        pytest.fail("a machine is not told")


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--rescore",),
        ("--days", 1),
        ("--days", 30, "--workers", 2),
        ("--from", day(75), "--to", day(95)),
        ("--as-of", "2100-01-01"),
        ("--through", day(100)),
        ("--sigma", 2, "--window", 30),
    ],
)
def test_a_forest_stands_up_with_scores_kept_and_without(fleet, options):
    command = ("scan", "--all", "--detector", "rcf", "-o", "results.jsonl", *options, "--prove")
    outputs = []
    for _ in range(2):
        code, _, err = fleet(*command)
        assert code == 0, err
        assert len(proved(err)) == 1
        outputs.append((fleet.folder / "results.jsonl").read_bytes())
    assert outputs[0] == outputs[1]


def test_rows_as_they_stand_are_proved_too(fleet):
    settings = (fleet.folder / "anomscan.toml").read_text()
    fleet.write("anomscan.toml", settings.replace("[scan]", '[scan]\ngaps = "ignore"\nbaseline = "exclude-newest"'))
    assert proved(fleet("scan", "--all", "--detector", "rcf", "-o", "results.jsonl", "--prove")[2])


def test_what_the_model_was_trained_on_is_counted(fleet):
    code, _, err = fleet(
        *("scan", "--asset", "asset01", "--detector", "rcf", "--from", day(78), "--to", day(81)),
        *("-o", "results.jsonl", "--prove"),
    )
    assert code == 0
    assert "proved 4 verdicts of 1 asset" in err
    assert "2 of these are in_sample: " in err


def test_a_detector_that_looks_ahead_delivers_nothing(fetched, leaky):
    fetched.good("scan", "--all", "-o", "results.jsonl")
    before = files(fetched)
    assert set(before) == {"results.jsonl", "results.jsonl.scores.parquet", "results.jsonl.run.json"}
    code, out, err = fetched("scan", "--all", "-o", "results.jsonl", "--prove", "--sigma", 3.5)
    assert (code, out) == (2, "")
    (line,) = (line for line in err.splitlines() if line.startswith("error"))
    assert line.startswith("error: asset 'a', 2016-0")
    assert "detector 'replay' looks ahead: later rows have a say in it (nothing is written; " in line
    assert files(fetched) == before
    assert fetched("scan", "--all", "-o", "-", "--prove")[:2] == (2, "")


def test_what_was_refuted_is_not_resumed(fetched, leaky):
    for _ in range(2):
        code, _, err = fetched("scan", "--all", "-o", "results.jsonl", "--prove", "--resume")
        assert code == 2
        assert "finished by the run before" not in err
        assert "--resume" not in err
    assert files(fetched) == {}


def test_a_delivered_result_is_proved_if_asked_for(fetched, leaky):
    fetched.good("scan", "--all", "-o", "results.jsonl")
    before = files(fetched)
    assert "nothing is left to do" in fetched("scan", "--all", "-o", "results.jsonl", "--resume")[2]
    assert fetched("scan", "--all", "-o", "results.jsonl", "--resume", "--prove")[0] == 2
    assert files(fetched) == before


def test_a_proof_that_is_cut_short_goes_on_with_resume(fetched, monkeypatch):
    def unreachable(*arguments):
        raise ServiceError("nobody answers")

    with monkeypatch.context() as patch:
        patch.setattr("anomscan.jobs.proving.prove", unreachable)
        code, _, err = fetched("scan", "--all", "-o", "results.jsonl", "--prove")
    assert code == 5
    assert "2 of 2 assets finished and kept" in err
    assert [path.name for path in fetched.folder.glob("results.jsonl*")] == ["results.jsonl.parts"]
    code, _, err = fetched("scan", "--all", "-o", "results.jsonl", "--prove", "--resume")
    assert code == 0
    assert "2 of 2 assets finished by the run before" in err
    assert proved(err)


def test_kept_scores_that_are_wrong_are_found_and_scored_anew(fleet):
    command = ("scan", "--all", "--detector", "rcf", "-o", "results.jsonl")
    fleet.good(*command)
    before = files(fleet)["results.jsonl"]
    for path in Path("anomscan-data").rglob("*.scores"):
        columns = kept_file.read(path)
        kept = {
            asset: replace(each, scores=np.nextafter(each.scores, math.inf)) for asset, each in columns.kept().items()
        }
        kept_file.write(path, kept_file.partition_of(path), kept, columns.files, columns.gaps)
    code, _, err = fleet(*command, "--prove")
    assert code == 2
    (line,) = (line for line in err.splitlines() if line.startswith("error"))
    assert "a score that was kept is wrong" in line
    assert "--rescore" in line
    assert fleet(*command, "--prove", "--rescore")[0] == 0
    assert fleet(*command, "--prove")[0] == 0
    assert files(fleet)["results.jsonl"] == before


def test_where_nothing_is_judged_nothing_is_proved_and_that_is_said(place):
    place.telemetry([["a", day(n), 0.8, "Ok"] for n in range(20)])
    place.scores([["a", day(n), 1.0] for n in range(20)])
    place.good("fetch")
    code, out, err = place("-q", "scan", "--all", "-o", "-", "--prove")
    assert (code, json.loads(out)["verdicts"]["warming-up"]) == (4, 20)
    assert err.splitlines()[0] == "warning: --prove: no day was judged, so nothing is proved"
    assert "no days judged: 20 warming-up" in err


def test_assets_that_failed_are_no_part_of_it(fetched):
    scores = (fetched.folder / "scores.csv").read_text().splitlines()
    fetched.write("scores.csv", "\n".join(line for line in scores if not line.startswith("b,")) + "\n")
    code, _, err = fetched("scan", "--asset", "a", "--asset", "b", "--asset", "nobody", "-o", "-", "--prove")
    assert code == 4
    assert "proved 61 verdicts of 1 asset, 2 of them anomalous" in err


MVAD = """
[defaults]
source = "fleet"
detector = "azure"
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "1D"
columns = { asset = "asset_id", timestamp = "date", values = ["prt7"], health = "health_status" }
[detectors.azure]
kind = "azure"
calls_per_minute = 1e6
poll_s = 0.01
sliding_window = 28
[scan]
window = 60
shingle = 1
"""


def test_a_service_is_asked_again(fetched, monkeypatch):
    toy = Toy()
    toy.add_model(["prt7"])
    fetched.write("anomscan.toml", MVAD)
    with serving_mvad(toy) as service:
        for name, value in {"endpoint": service.url, "key": "none", "model_id": next(iter(toy.models))}.items():
            monkeypatch.setenv(f"anomaly_detector_{name}", value)
        fetched.good("scan", "--all", "-o", "plain.jsonl", "--days", 10)
        asked = len(service.asked("POST", ":detect-batch"))
        code, _, err = fetched("scan", "--all", "-o", "results.jsonl", "--days", 10, "--prove")
        assert code == 0, err
        assert "proved 20 verdicts of 2 assets" in err
        assert len(service.asked("POST", ":detect-batch")) == 2 * asked + 20
    assert files(fetched)["results.jsonl"] == (fetched.folder / "plain.jsonl").read_bytes()
