"""The night shift: what its systemd units and crontab say, and that their command runs."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "cron"
FIXTURES = EXAMPLE.parent / "ci"
PROGRAM = "/opt/anomscan/venv/bin/anomscan"


class Unit(configparser.RawConfigParser):
    """A systemd unit: keys keep their case."""

    def __init__(self, name: str) -> None:
        super().__init__(strict=False, comment_prefixes=("#",), delimiters=("=",), empty_lines_in_values=False)
        self.optionxform = str
        self.read_string((EXAMPLE / name).read_text())


def test_the_service_stops_gently_and_is_locked_up():
    unit = Unit("anomscan-nightly.service")
    assert set(unit.sections()) == {"Unit", "Service"}, "the timer starts it, no target"
    service = unit["Service"]
    assert service["Type"] == "oneshot"
    assert service["ExecStart"] == f"{PROGRAM} -q night"
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"] == "1 2 4 7", "what is away (5) may come back; these are for people"
    assert int(unit["Unit"]["StartLimitBurst"]) > 1
    assert service["KillSignal"] == "SIGTERM"
    assert service["KillMode"] == "control-group"
    assert int(service["TimeoutStopSec"]) >= 60
    assert set(service["SuccessExitStatus"].split()) == {"3", "6", "130", "143"}
    assert service["User"] == "anomscan"
    strict = {"ProtectSystem": "strict", "NoNewPrivileges": "true", "ProtectHome": "true", "PrivateTmp": "true"}
    assert {key: service[key] for key in strict} == strict
    assert service["CapabilityBoundingSet"] == ""
    # with all else read-only, what is written must lie in the state folder
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"


def test_the_timer_starts_the_service_and_makes_up_for_a_night():
    unit = Unit("anomscan-nightly.timer")
    assert unit["Install"]["WantedBy"] == "timers.target"
    assert unit["Timer"]["Persistent"] == "true"
    assert re.fullmatch(r"\*-\*-\* ([01]\d|2[0-3]):[0-5]\d:00", unit["Timer"]["OnCalendar"])
    assert "Unit" not in unit["Timer"], "by default the service of the same name"
    assert (EXAMPLE / "anomscan-nightly.service").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is for Linux")
def test_systemd_takes_the_units(tmp_path):
    units = [tmp_path / f"anomscan-nightly.{kind}" for kind in ("service", "timer")]
    for unit in units:
        text = (EXAMPLE / unit.name).read_text().replace(PROGRAM, sys.executable)
        unit.write_text(text)
        assert "\n[" in text
    analyze = shutil.which("systemd-analyze")
    assert analyze, "systemd-analyze is not installed: sh scripts/install-servers.sh"
    # Whether this machine has the manual's pages is not of interest.
    done = subprocess.run([analyze, "--man=no", "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "anomscan" in line]) == (0, [])


def job() -> str:
    """The one line of the crontab that is no setting."""
    lines = [line for line in (EXAMPLE / "crontab").read_text().splitlines() if line and not line.startswith("#")]
    jobs = [line for line in lines if not re.match(r"[A-Z_]+=", line)]
    assert len(jobs) == 1
    return jobs[0]


def test_the_crontab_has_one_line_of_five_fields():
    *when, command = job().split(None, 5)
    assert all(re.fullmatch(r"\*|\d+", field) for field in when)
    assert int(when[0]) < 60
    assert int(when[1]) < 24
    assert command == f"cd /var/lib/anomscan && {PROGRAM} -q night"
    assert not re.search(r"(?<!\\)%", command), "cron ends the line at a bare %"


def test_its_command_runs_and_fails_for_a_stale_source_alone(tmp_path, anomscan):
    for name in ("anomscan.toml", "telemetry.csv", "scores.csv"):
        shutil.copy(FIXTURES / name, tmp_path)
    command = job().split(None, 5)[5].replace(PROGRAM, str(anomscan)).replace("/var/lib/anomscan", str(tmp_path))
    for _ in range(2):
        done = subprocess.run(["/bin/sh", "-c", command], env=os.environ, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (4, "")
        assert "stale" in done.stderr
    assert (tmp_path / "nights" / "report" / "index.html").exists()
    assert len(list((tmp_path / "nights").glob("*.jsonl"))) == 1
