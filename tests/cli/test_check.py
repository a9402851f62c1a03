"""What monitors are told: a status line, and metrics in a file."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import signal
import subprocess

import pytest

from anomscan.cli.interrupts import Interrupted
from anomscan.jobs import notify
from anomscan.storage import lock
from cli.conftest import YESTERDAY

#: Nagios plugin guidelines: 'label'=value[unit];[warn];[crit];[min];[max]
PERFDATA = re.compile(r"[a-z]+=\d+s?(;\d*){3}")


def told(place, *options):
    code, out, err = place("check", "--nagios", *options)
    assert err == ""
    (line,) = out.splitlines()
    text, _, measured = line.partition(" | ")
    if code != 3:
        assert all(PERFDATA.fullmatch(each) for each in measured.split(" ")), measured
    return code, text, dict(each.split("=", 1) for each in measured.split(" ") if each)


def test_a_fleet_with_an_incident_is_a_warning_until_somebody_knows_of_it(nightly):
    nightly.until(0)
    assert nightly("night")[0] == 0
    code, text, measured = told(nightly)
    assert (code, text[:44]) == (1, "ANOMSCAN WARNING - 1 incident open, 1 new, 0")
    assert measured["incidents"] == "1;1;;0"
    assert told(nightly, "--warning", "2")[0] == 0
    assert told(nightly, "--critical", "1")[0] == 2
    (identity,) = re.findall(r'"id": ?"(\w{12})"', nightly.good("incidents", "list", "--json"))
    nightly.good("incidents", "ack", identity, "--by", "me", "--reason", "known")
    assert told(nightly)[:2][0] == 0
    assert told(nightly, "--critical", "1")[0] == 0


def test_nights_that_do_not_come_are_critical(nightly):
    nightly.until(21)
    nightly("night")
    code, text, _ = told(nightly)
    assert code == 2
    assert text.endswith(", which is too old")
    assert told(nightly, "--max-age", "60d")[0] == 0


def test_what_cannot_be_told_is_unknown(nightly):
    code, text, _ = told(nightly)
    assert (code, text[:38]) == (3, "ANOMSCAN UNKNOWN - there is no ledger ")
    nightly.until(0)
    nightly("night")
    ledger = nightly.folder / "incidents" / "ledger.jsonl"
    ledger.write_text(ledger.read_text("utf-8") + '{"id": "a|b"}\n', "utf-8")
    code, text, measured = told(nightly)
    assert (code, measured) == (3, {})
    assert "ledger.jsonl, line" in text
    nightly.write("anomscan.toml", "[scan]\nwindow = 0\n")
    assert told(nightly)[0] == 3
    assert nightly("check")[0] == 2


def metrics(place):
    text = (place.folder / "metrics" / "anomscan.prom").read_text("utf-8")
    return text, {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in text.splitlines() if line[0] != "#")
    }


@pytest.mark.parametrize("options", [("--warning", "0"), ("--nosuch",), ("--max-age",), ("--critical", "x")])
def test_a_wrong_option_is_unknown_not_a_state_of_the_fleet(nightly, options):
    code, out, err = nightly("check", "--nagios", *options)
    assert (code, out) == (3, "")
    assert err.startswith("error: ")
    assert nightly("check", *options)[0] == 2


def test_a_detector_that_the_settings_no_longer_name_is_not_waited_for(nightly):
    nightly.until(0)
    nightly("night")
    ledger = nightly.folder / "incidents" / "ledger.jsonl"
    head, *lines = ledger.read_text("utf-8").splitlines()
    content = json.loads(head)
    (night,) = content["nights"]
    content["nights"].append({**night, "detector": "gone", "end": "2020-01-01"})
    ledger.write_text("\n".join([json.dumps(content), *lines]) + "\n", "utf-8")
    assert told(nightly)[0] == 1


def complaints_of(text):
    """What Prometheus' own checker has to say."""
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing; as root: apt-get install -y --no-install-recommends prometheus"
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.mark.servers
def test_a_night_writes_metrics(nightly):
    nightly.until(0)
    assert nightly("night", "--prometheus", "metrics/anomscan.prom")[0] == 0
    text, found = metrics(nightly)
    assert found['anomscan_incidents{state="new"}'] == 1
    assert found['anomscan_assets{source="fleet"}'] == 6
    assert found["anomscan_run_exit_code"] == 0
    assert found["anomscan_run_timestamp_seconds"] > 1.7e9
    assert complaints_of(text) == ""


METRICS = '[night]\nprometheus = "metrics/anomscan.prom"\n'


@pytest.mark.servers
def test_the_settings_say_where_and_a_night_that_fails_writes_them_too(nightly):
    nightly.until(0)
    nightly.write("anomscan.toml", (nightly.folder / "anomscan.toml").read_text() + METRICS)
    assert nightly("night")[0] == 0
    _, before = metrics(nightly)
    newest = dt.datetime.combine(YESTERDAY, dt.time(), dt.UTC).timestamp()
    assert before['anomscan_newest_sample_timestamp_seconds{source="fleet"}'] == newest
    (nightly.folder / "telemetry.csv").unlink()
    code = nightly("night")[0]
    assert code == 5
    text, found = metrics(nightly)
    assert found["anomscan_run_exit_code"] == code
    assert found.keys() == before.keys()
    assert complaints_of(text) == ""


@pytest.mark.servers
@pytest.mark.parametrize(
    ("hinder", "expected"),
    [
        (lambda place: ("--detector", "none"), 2),
        (lambda place: ("--fail-on", "sometimes"), 2),
        (lambda place: ("-o", "telemetry.csv"), 7),
        (lambda place: place.write("incidents/ledger.jsonl", "{}") and (), 2),
        (lambda place: place.write("anomscan.toml", METRICS) and (), 2),
    ],
    ids=["detector", "option", "folder", "ledger", "no source"],
)
def test_so_does_a_night_that_ends_early(nightly, hinder, expected):
    nightly.until(0)
    nightly.write("anomscan.toml", (nightly.folder / "anomscan.toml").read_text() + METRICS)
    nightly("night")
    first = metrics(nightly)[1]["anomscan_run_timestamp_seconds"]
    assert nightly("night", *hinder(nightly))[0] == expected
    text, found = metrics(nightly)
    assert found["anomscan_run_exit_code"] == expected
    assert found["anomscan_run_timestamp_seconds"] > first
    assert complaints_of(text) == ""


def test_so_does_one_that_waits_in_vain_or_has_a_bug_or_is_stopped(nightly, monkeypatch):
    nightly.until(0)
    nightly.write("anomscan.toml", (nightly.folder / "anomscan.toml").read_text() + METRICS)
    (nightly.folder / "nights").mkdir()
    with lock.hold(nightly.folder / "nights/night.lock", "the test"):
        assert nightly("night")[0] == 6
    assert metrics(nightly)[1]["anomscan_run_exit_code"] == 6
    for error, code in ((ZeroDivisionError(), 1), (Interrupted(signal.SIGTERM), 143)):

        def fails(*_: object, error: BaseException = error, **__: object) -> None:
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(notify, "send", fails)
            assert nightly("night")[0] == code
        assert metrics(nightly)[1]["anomscan_run_exit_code"] == code


def test_settings_that_cannot_be_read_are_told_where_the_command_says(nightly):
    nightly.write("anomscan.toml", "[scan]\nwindow = 0\n")
    assert nightly("night", "--prometheus", "metrics/anomscan.prom")[0] == 2
    _, found = metrics(nightly)
    assert found["anomscan_run_exit_code"] == 2
    assert len(found) == 3


def test_a_file_that_node_exporter_would_not_read_is_refused(nightly):
    nightly.until(0)
    before = (nightly.folder / "telemetry.csv").read_bytes()
    code, _, err = nightly("night", "--prometheus", "telemetry.csv")
    assert code == 2
    assert "'telemetry.csv' does not end in .prom" in err
    assert (nightly.folder / "telemetry.csv").read_bytes() == before
    nightly.write("anomscan.toml", '[night]\nprometheus = "x.txt"\n')
    code, _, err = nightly("night")
    assert code == 2
    assert "night.prometheus" in err


@pytest.mark.servers
@pytest.mark.parametrize("value", ['a"b', "a\\b", "a\nb", "a}b"])
def test_labels_are_escaped(value):
    from anomscan.jobs.monitoring import _label

    text = f"# HELP x X.\n# TYPE x gauge\nx{_label('source', value)} 1.0\n"
    assert complaints_of(text) == ""
