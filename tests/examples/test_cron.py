"""The night shift: what its handler does at each exit code, and what its systemd units and crontab say."""

from __future__ import annotations

import configparser
import csv
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from processes import PATIENCE_S, started, wait_until

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "cron"
FIXTURES = EXAMPLE.parent / "ci"
SHELLS = [name for name in ("sh", "bash") if shutil.which(name)]

# Ends each step with the next of its codes, the last one ever after. Writes results where a scan does.
FAKE = """#!/bin/sh
echo "$*" >>"$FAKE/calls"
case "$*" in *markdown*) cat "$FAKE/summary"; exit 0 ;; esac
eval "codes=\\$FAKE_$2"
nth=$(grep -v markdown "$FAKE/calls" | grep -c "^-q $2")
code=$(echo $codes | tr ' ' '\\n' | head -n "$nth" | tail -n 1)
[ "$code" = 0 ] || echo "error: $2 said this" >&2
[ -z "${FAKE_warning:-}" ] || echo "warning: $FAKE_warning" >&2
echo "data of $2"
case "$2 $code" in
"scan hang") trap 'exit 143' TERM; echo $$ >"$FAKE/pid"; while kill -0 $PPID; do /bin/sleep 0.05; done ;;
esac
case "$2 $code" in "scan 0" | "scan 3" | "scan 4" | "scan 5+") : >"$FAKE/nights/$(date +%Y-%m-%d)/results.jsonl" ;; esac
exit "${code%+}"
"""


class Night:
    """The handler with a fake anomscan, a fake sleep, and a notification that is written down."""

    def __init__(self, folder: Path, shell: str) -> None:
        self.folder = folder
        self._shell = shell
        (folder / "bin").mkdir()
        self.program("anomscan", FAKE)
        self.program("sleep", '#!/bin/sh\necho "sleep $*" >>"$FAKE/slept"\n')
        (folder / "summary").write_text("# Anomalous days\n- 5 assets: 1 with findings\n| A17 |\n")
        self.environment = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "FAKE": str(folder),
            "NIGHTLY_FOLDER": str(folder / "nights"),
            "NIGHTLY_NOTIFY": '{ echo "$SUBJECT"; cat; } >>"$FAKE/told"',
        }

    def program(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def start(
        self, *, fetch="0", scan="0", report="0", **environment: str
    ) -> AbstractContextManager[subprocess.Popen[str]]:
        codes = {"FAKE_fetch": str(fetch), "FAKE_scan": str(scan), "FAKE_report": str(report)}
        return started(
            [self._shell, EXAMPLE / "nightly.sh"],
            env={**self.environment, **codes, **environment},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def __call__(self, **settings: str) -> tuple[int, str]:
        """One night: exit code and stderr; nothing ever goes to stdout."""
        with self.start(**settings) as running:
            out, err = running.communicate(timeout=PATIENCE_S)
        assert out == ""
        return running.returncode, err

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    @property
    def steps(self) -> list[str]:
        """The steps that were taken, in order."""
        return [line.split()[1] for line in self.lines("calls") if "markdown" not in line]

    @property
    def told(self) -> str:
        return "\n".join(self.lines("told"))


@pytest.fixture(params=SHELLS)
def night(tmp_path, request):
    return Night(tmp_path, request.param)


ALL = ["fetch", "scan", "report"]


def test_a_quiet_night_says_nothing(night):
    assert night() == (0, "")
    assert night.steps == ALL
    assert night.told == ""


def test_warnings_of_a_quiet_night_are_kept_but_not_told(night):
    code, err = night(FAKE_warning="asset 'B3' is silent")
    assert (code, err) == (0, "warning: asset 'B3' is silent\n" * 3)
    assert night.told == ""


def test_the_steps_are_these(night):
    today = time.strftime("%Y-%m-%d")
    night()
    folder = night.folder / "nights" / today
    assert night.lines("calls") == [
        "-q fetch",
        f"-q scan --days 1 --all -o {folder}/results.jsonl --resume --lock-timeout 600 --fail-on any",
        f"-q report {folder}/results.jsonl -o {folder}/report",
    ]


@pytest.mark.parametrize(
    ("codes", "code", "steps", "subject"),
    [
        ({"scan": 3}, 3, ALL, "findings"),
        ({"scan": 4}, 4, ALL, "some assets failed"),
        ({"fetch": 4}, 4, ALL, "some assets failed"),
        ({"fetch": 4, "scan": 3}, 4, ALL, "some assets failed"),
        ({"scan": "5 3"}, 3, ["fetch", "scan", "scan", "report"], "findings"),
        ({"scan": "5+"}, 5, ["fetch", "scan", "scan", "scan", "scan", "report"], "a service was away for some assets"),
        ({"scan": 3, "report": 2}, 2, ALL, "the report failed"),
        ({"scan": 0, "report": 7}, 7, ALL, "the report failed"),
    ],
)
def test_a_judged_night_is_told_with_its_summary(night, codes, code, steps, subject):
    ended, err = night(**codes)
    assert ended == code
    assert night.steps == steps
    assert night.told.startswith(f"anomscan {time.strftime('%Y-%m-%d')} on {os.uname().nodename}: {subject}\n")
    assert "| A17 |" in night.told
    assert night.told.endswith("/report/index.html")
    for step, said in codes.items():
        assert (f"error: {step} said this" in night.told) == (str(said) != "0")
    # the checkpoint and cron's mail have it too
    assert night.told in err


@pytest.mark.parametrize(
    ("codes", "code", "steps", "subject"),
    [
        ({"fetch": 5}, 5, ["fetch"] * 4, "fetch reached no service in 4 tries"),
        ({"scan": 5}, 5, ["fetch"] + ["scan"] * 4, "scan reached no service in 4 tries"),
        ({"fetch": "5 7"}, 7, ["fetch"] * 2, "fetch could not write: disk full, or no permission"),
        ({"scan": 7}, 7, ["fetch", "scan"], "scan could not write: disk full, or no permission"),
        ({"fetch": 2}, 2, ["fetch"], "fetch cannot work with its settings or inputs"),
        ({"scan": 2}, 2, ["fetch", "scan"], "scan cannot work with its settings or inputs"),
        ({"scan": 1}, 1, ["fetch", "scan"], "scan failed with exit code 1"),
        # the kernel's: out of memory
        ({"scan": 137}, 137, ["fetch", "scan"], "scan failed with exit code 137"),
    ],
)
def test_a_night_that_cannot_be_judged_is_an_alert(night, codes, code, steps, subject):
    assert night(**codes)[0] == code
    assert night.steps == steps
    assert night.told.splitlines()[0].endswith(f": {subject}")
    assert f"error: {steps[-1]} said this" in night.told
    assert ("Filesystem" in night.told) == (code == 7)
    assert night.lines("slept") == ["sleep 900"] * (len(steps) - len(set(steps)))


@pytest.mark.parametrize(
    ("codes", "code", "steps", "words"),
    [
        ({"fetch": 6}, 6, ["fetch"], "left to the other run"),
        ({"scan": 6}, 6, ["fetch", "scan"], "left to the other run"),
        ({"fetch": 130}, 130, ["fetch"], "interrupted in fetch"),
        ({"scan": 143}, 143, ["fetch", "scan"], "interrupted in scan; finished assets are kept"),
        ({"scan": 3, "report": 143}, 143, ALL, "interrupted in report"),
    ],
)
def test_a_lock_and_an_interruption_are_left_alone(night, codes, code, steps, words):
    ended, err = night(**codes)
    assert ended == code
    assert night.steps == steps
    assert night.told == ""
    assert words in err


def test_a_service_that_is_back_is_no_news(night):
    code, err = night(fetch="5 5 0")
    assert code == 0
    assert night.steps == ["fetch", "fetch", "fetch", "scan", "report"]
    assert night.told == ""
    assert err.count("fetch is tried again in 900 s") == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_ends_the_step_and_the_night(night, number, code):
    """As systemd stops a unit, and Ctrl-C a script: each process gets the signal."""
    with night.start(scan="hang") as running:
        wait_until(lambda: night.lines("pid"), running)
        (fake,) = map(int, night.lines("pid"))
        os.kill(running.pid, number)
        os.kill(fake, signal.SIGTERM)
        out, err = running.communicate(timeout=PATIENCE_S)
    assert (running.returncode, out) == (code, "")
    assert "interrupted in scan" in err
    assert night.steps == ["fetch", "scan"]
    assert night.told == ""


def test_a_stop_while_it_waits_for_a_service(night):
    night.program("sleep", '#!/bin/sh\necho $$ >"$FAKE/pid"\nexec /bin/sleep 60\n')
    with night.start(fetch="5") as running:
        wait_until(lambda: night.lines("pid"), running)
        os.killpg(running.pid, signal.SIGTERM)
        running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 143
    assert night.steps == ["fetch"]
    assert night.told == ""


def test_the_newest_nights_are_kept(night):
    nights = night.folder / "nights"
    for name in ("2001-01-01", "2001-01-02", "2001-01-03", "2001-01-04.bak", "notes"):
        (nights / name).mkdir(parents=True)
    today = time.strftime("%Y-%m-%d")
    old = {"2001-01-01", "2001-01-02", "2001-01-03", "2001-01-04.bak", "notes"}
    night(scan="2", NIGHTLY_KEEP="2")
    assert {path.name for path in nights.iterdir()} == old | {today}
    (night.folder / "calls").unlink()
    night(scan="0", NIGHTLY_KEEP="2")
    assert {path.name for path in nights.iterdir()} == {"2001-01-03", "2001-01-04.bak", "notes", today}


def test_a_long_summary_is_cut(night):
    (night.folder / "summary").write_text("".join(f"line {n}\n" for n in range(100_000)))
    night(scan="3", NIGHTLY_LINES="20")
    assert "line 19\n" in night.told
    assert "line 20\n" not in night.told
    assert len(night.told.splitlines()) < 30


def test_a_notification_that_fails_is_no_quiet_night(night):
    code, err = night(scan="3", NIGHTLY_NOTIFY="cat >/dev/null; exit 9")
    assert code == 1
    assert "| A17 |" in err
    assert "the notification failed" in err


def test_without_a_notification_the_text_is_printed(night):
    code, err = night(scan="3", NIGHTLY_NOTIFY="")
    assert code == 3
    assert "| A17 |" in err


@pytest.mark.parametrize("name", ["DAYS", "KEEP", "TRIES", "RETRY_S", "LOCK_S", "LINES"])
@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_a_number_that_is_none_is_an_alert(night, name, value):
    code, err = night(**{f"NIGHTLY_{name}": value})
    assert code == 2
    assert f"one is '{value}'" in err
    assert "settings" in night.told
    assert night.steps == []


def test_a_folder_that_cannot_be_made_is_an_alert(night):
    (night.folder / "nights").write_text("")
    assert night()[0] == 7
    assert "disk full, or no permission" in night.told
    assert night.steps == []


def test_a_command_that_is_not_there_is_an_alert(night):
    assert night(NIGHTLY_ANOMSCAN="/nowhere/anomscan")[0] == 127
    assert "fetch failed with exit code 127" in night.told


def settings_of(path: Path) -> dict[str, str]:
    """NAME=value or NAME='value', as sh and systemd read it alike; anything else is an error."""
    settings = {}
    for line in path.read_text().splitlines():
        if line and not line.startswith("#"):
            name, quoted, plain = re.fullmatch(r"([A-Z_]+)=(?:'([^'\\]*)'|([\w./:-]+))", line).groups()
            settings[name] = plain if quoted is None else quoted
    return settings


def test_the_environment_file_reads_alike_in_cron_and_systemd(night):
    expected = settings_of(EXAMPLE / "nightly.env")
    assert {"NIGHTLY_ANOMSCAN", "NIGHTLY_FOLDER", "NIGHTLY_NOTIFY", "ANOMSCAN_CONFIG"} <= set(expected)
    printed = subprocess.run(
        ["/bin/sh", "-c", 'set -a; . "$1"; env -0', "sh", EXAMPLE / "nightly.env"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = dict(pair.split("=", 1) for pair in printed.stdout.split("\0") if pair)
    assert {name: found[name] for name in expected} == expected


def test_the_environment_file_is_an_argument(night):
    night.program("mail", '#!/bin/sh\n{ printf "%s|" "$@"; echo; cat; } >"$FAKE/mailed"\n')
    text = (EXAMPLE / "nightly.env").read_text()
    text = text.replace("/opt/anomscan/venv", str(night.folder)).replace("/var/lib/anomscan", str(night.folder))
    (night.folder / "my.env").write_text(text)
    codes = {"FAKE_fetch": "0", "FAKE_scan": "3", "FAKE_report": "0"}
    done = subprocess.run(
        ["/bin/sh", EXAMPLE / "nightly.sh", night.folder / "my.env"],
        env={"PATH": night.environment["PATH"], "FAKE": night.environment["FAKE"], **codes},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 3
    mailed = night.lines("mailed")
    assert mailed[0].startswith("-s|anomscan 2")
    assert mailed[0].endswith(": findings|ops@example.com|")
    assert "| A17 |" in mailed


HOSTILE = 'A "quoted" \\ back\tslash, $HOME `id` %s é\x01\nsecond line'


def post(environment, text=HOSTILE):
    return subprocess.run(
        ["/bin/sh", EXAMPLE / "webhook.sh"],
        env={"PATH": os.environ["PATH"], "SUBJECT": "findings", **environment},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_webhook_s_address_is_in_no_argument(tmp_path):
    curl = tmp_path / "curl"
    curl.write_text('#!/bin/sh\necho "$*" >"$FAKE/arguments"\ncat >"$FAKE/body"\ncat <&3 >"$FAKE/config"\n')
    curl.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = post({"NIGHTLY_WEBHOOK": "https://chat.example.com/T0/SECRET", "FAKE": str(tmp_path), "PATH": path})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "SECRET" not in (tmp_path / "arguments").read_text()
    assert (tmp_path / "config").read_text() == 'url = "https://chat.example.com/T0/SECRET"\n'
    text = json.loads((tmp_path / "body").read_bytes())["text"]
    assert text == 'findings\nA "quoted" \\ back slash, $HOME `id` %s é\nsecond line\n'


@pytest.mark.parametrize(("status", "fails"), [(200, False), (404, True)])
def test_the_webhook_gets_json(status, fails):
    assert shutil.which("curl"), "webhook.sh needs curl"
    bodies = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        done = post({"NIGHTLY_WEBHOOK": f"http://127.0.0.1:{server.server_port}/hooks/SECRET", "no_proxy": "*"})
        server.shutdown()
        thread.join()
    assert (done.returncode != 0) == fails
    assert "SECRET" not in done.stderr
    assert [(path, json.loads(body)["text"].splitlines()[0]) for path, body in bodies] == [
        ("/hooks/SECRET", "findings")
    ]


def test_a_webhook_without_an_address_fails():
    done = post({})
    assert done.returncode != 0
    assert "NIGHTLY_WEBHOOK" in done.stderr


class Unit(configparser.RawConfigParser):
    """A systemd unit: keys keep their case; ours set each key once."""

    def __init__(self, name: str) -> None:
        super().__init__(strict=True, comment_prefixes=("#",), delimiters=("=",), empty_lines_in_values=False)
        self.optionxform = str
        self.read_string((EXAMPLE / name).read_text())


def test_the_service_stops_gently_and_is_locked_up():
    unit = Unit("anomscan-nightly.service")
    assert set(unit.sections()) == {"Unit", "Service"}, "the timer starts it, no target"
    service = unit["Service"]
    assert service["Type"] == "oneshot"
    assert service["ExecStart"] == "/opt/anomscan/nightly.sh"
    assert service["KillSignal"] == "SIGTERM"
    assert service["KillMode"] == "control-group", "nightly.sh passes no signal on"
    assert int(service["TimeoutStopSec"]) >= 60
    assert set(service["SuccessExitStatus"].split()) == {"3", "4", "6", "130", "143"}
    assert service["User"] == "anomscan"
    strict = {"ProtectSystem": "strict", "NoNewPrivileges": "true", "ProtectHome": "true", "PrivateTmp": "true"}
    assert {key: service[key] for key in strict} == strict
    assert service["CapabilityBoundingSet"] == ""
    # with all else read-only, what is written must lie in the state folder
    state = f"/var/lib/{service['StateDirectory']}"
    assert settings_of(EXAMPLE / "nightly.env")["NIGHTLY_FOLDER"].startswith(f"{state}/")
    assert service["WorkingDirectory"] == state
    assert service["Environment"] == "XDG_STATE_HOME=/var/lib"


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
        text = (EXAMPLE / unit.name).read_text().replace("/opt/anomscan/nightly.sh", str(EXAMPLE / "nightly.sh"))
        unit.write_text(text)
        assert "\n[" in text
    assert os.access(EXAMPLE / "nightly.sh", os.X_OK)
    analyze = shutil.which("systemd-analyze")
    assert analyze, "systemd-analyze is not installed: sh scripts/install-servers.sh"
    # Whether this machine has the manual's pages is not of interest.
    done = subprocess.run([analyze, "--man=no", "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "anomscan" in line]) == (0, [])


def test_the_crontab_has_one_line_of_five_fields():
    lines = [line for line in (EXAMPLE / "crontab").read_text().splitlines() if line and not line.startswith("#")]
    jobs = [line for line in lines if not re.match(r"[A-Z_]+=", line)]
    assert len(jobs) == 1
    *when, command = jobs[0].split(None, 5)
    assert all(re.fullmatch(r"\*|\d+", field) for field in when)
    assert int(when[0]) < 60
    assert int(when[1]) < 24
    assert command == "/opt/anomscan/nightly.sh /etc/anomscan/nightly.env"
    assert not re.search(r"(?<!\\)%", command), "cron ends the line at a bare %"


@pytest.fixture
def fleet(tmp_path, anomscan):
    """A small store's settings: the smoke run's fleet, in which one asset went wrong yesterday."""
    for name in ("anomscan.toml", "telemetry.csv"):
        shutil.copy(FIXTURES / name, tmp_path)
    with (FIXTURES / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if (row["asset"], row["timestamp"]) == ("007", "2024-03-30"):
            row["score"] = "9.000"
    with (tmp_path / "scores.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)

    def run(**environment):
        done = subprocess.run(
            ["/bin/sh", EXAMPLE / "nightly.sh"],
            cwd=tmp_path,
            env={**os.environ, "NIGHTLY_ANOMSCAN": str(anomscan), "NIGHTLY_RETRY_S": "1", **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == ""
        return done.returncode, done.stderr

    return tmp_path, run


def test_a_real_night_and_the_same_again(fleet):
    folder, run = fleet
    code, told = run()
    assert code == 3, told
    assert ": findings\n" in told
    assert "6 assets: 1 with findings, 5 without" in told
    assert "[007](<https://example.com/assets/007>)" in told
    (night,) = (folder / "nights").iterdir()
    assert (night / "report" / "index.html").is_file()
    records = [json.loads(line) for line in (night / "results.jsonl").read_text().splitlines()]
    assert [record["asset"] for record in records if record["anomalies"]] == ["007"]
    assert all(record["from"] == record["to"] == "2024-03-30" for record in records)
    before = (night / "results.jsonl").read_bytes()
    assert run() == (3, told)
    assert (night / "results.jsonl").read_bytes() == before


def test_a_real_night_with_a_failed_asset_and_a_finding(fleet):
    folder, run = fleet
    scores = (folder / "scores.csv").read_text().splitlines(keepends=True)
    (folder / "scores.csv").write_text("".join(line for line in scores if not line.startswith("late,")))
    code, told = run()
    assert code == 4
    assert ": some assets failed\n" in told
    assert "6 assets: 1 with findings, 4 without, 1 failed" in told
    assert "[007](" in told
    assert "holds no scores of asset 'late'" in told


def test_a_real_night_that_finds_nothing_is_quiet(fleet):
    folder, run = fleet
    shutil.copy(FIXTURES / "scores.csv", folder)
    assert run() == (0, "")


def test_a_real_night_with_wrong_settings(fleet):
    _, run = fleet
    code, told = run(ANOMSCAN_SOURCES__FLEET__PATH="nowhere.csv")
    assert code == 2
    assert "fetch cannot work with its settings or inputs" in told
    assert "nowhere.csv" in told
