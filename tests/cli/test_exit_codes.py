"""What goes wrong is one line on stderr, and the code says what kind it is."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from processes import PATIENCE_S, started

ANOMSCAN = [sys.executable, "-m", "anomscan"]


def one_line(err: str) -> str:
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scan"], ["--asset", "--all"]),
        (["scan", "--asset", "a", "--all"], ["--asset", "--all"]),
        (["scan", "--al"], ["--al"]),
        (["scan", "--asset", os.fsdecode(b"a\xff")], ["a\\udcff", "UTF-8"]),
        (["scna"], ["scna"]),
        (["scan", "--all", "--from", "2016-03-01", "--to", "2016-02-01"], ["--from", "after --to"]),
        (["scan", "--all", "--from", "yesterday"], ["yesterday", "2017-01-31"]),
        (["scan", "--all", "--days", "0"], ["--days"]),
        (["scan", "--all", "--source", "flet"], ["flet", "did you mean 'fleet'"]),
        (["scan", "--all", "--detector", "rfc"], ["rfc", "did you mean 'rcf'"]),
        (["scan", "--all", "--detector", "rcf"], ["models/rcf.forest", "anomscan train"]),
        (["scan", "--all", "--sigma", "40"], ["window", "lower sigma"]),
        (["scan", "--all", "--window", "2"], ["window"]),
        (["scan", "--all", "--format", "table", "-o", "x.txt"], ["terminal"]),
        (["train", "--detector", "replay"], ["replay", "not trained"]),
        (["detect"], ["--asset"]),
        (["report", "nowhere.jsonl"], ["nowhere.jsonl"]),
        (["report", "telemetry.csv"], ["telemetry.csv", "line 1"]),
        (["--config", "nowhere.toml", "scan", "--all"], ["nowhere.toml"]),
        (["fetch", "--from", "2016-03-01", "--to", "2016-02-01"], ["--from", "--to"]),
    ],
)
def test_usage_and_configuration_are_2(fetched, arguments, words):
    code, out, err = fetched(*arguments)
    assert (code, out) == (2, "")
    line = one_line(err)
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["quick", ""], "'quick'"),
        (["init", ""], "'init'"),
        (["report", ""], "'report'"),
        (["report", "-o", ""], "'-o'"),
        (["scan", "--all", "-o", ""], "'-o'"),
        (["scan", "--all", "--source="], "--source"),
        (["scan", "--all", "--detector", ""], "'--detector'"),
        (["--config", "", "scan", "--all"], "'--config'"),
        (["scan", "--all", "--config="], "--config"),
        (["store", "export", "-o", ""], "'-o'"),
    ],
)
def test_an_empty_argument_is_neither_the_folder_nor_the_default(fetched, arguments, what):
    before = sorted(fetched.folder.iterdir())
    code, out, err = fetched(*arguments)
    assert (code, out) == (2, "")
    assert f"{what} is empty" in one_line(err)
    assert sorted(fetched.folder.iterdir()) == before


def test_links_without_an_address_are_2(fetched):
    settings = (fetched.folder / "anomscan.toml").read_text()
    fetched.write("anomscan.toml", "".join(each for each in settings.splitlines(True) if "asset_url" not in each))
    fetched("scan", "--all", "-o", "r.jsonl")
    for output in ([], ["-o", "links.html"]):
        code, out, err = fetched("report", "r.jsonl", "--format", "links", *output)
        assert (code, out) == (2, "")
        assert "[report] asset_url" in one_line(err)
    assert not (fetched.folder / "links.html").exists()


def test_a_wrong_key_names_the_nearest(fetched):
    fetched.write("anomscan.toml", "[scan]\nwindw = 3\n")
    code, _, err = fetched("scan", "--all")
    assert code == 2
    assert "did you mean 'window'" in one_line(err)


def test_without_settings_or_store_it_says_what_to_do(place):
    (place.folder / "anomscan.toml").unlink()
    code, _, err = place("scan", "--all")
    assert code == 2
    assert "no source" in one_line(err)


def test_an_empty_store_says_to_fetch(place):
    place.scores([["a", "2016-01-01", 1]])
    code, _, err = place("scan", "--all")
    assert code == 2
    assert "anomscan fetch" in one_line(err)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("asset_id,date,prt,health_status\na,2016-01-01,1,Ok\n", ["prt7", "telemetry.csv"]),
        ("", ["telemetry.csv", "empty"]),
        ("asset_id,date,prt7,health_status\na,2016-01-01,0.8,Ok\na,2016-01", ["telemetry.csv"]),
        ("asset_id,date,prt7,health_status\na,2016-01-01,0.8,Ok\na,2016-01-01,0.9,Ok\n", ["a", "2016-01-01", "0.9"]),
        ("asset_id,date,prt7,health_status\na,2016-01-01,good,Ok\n", ["good", "prt7"]),
        ("asset_id,date,prt7,health_status\na,2016-01-01,inf,Ok\n", ["inf", "prt7"]),
    ],
)
def test_an_input_that_cannot_be_used_is_2_and_nothing_is_lost(fetched, text, words):
    before = fetched.good("scan", "--all", "-o", "-")
    fetched.write("telemetry.csv", text)
    code, _, err = fetched("fetch")
    assert code == 2
    line = one_line(err)
    assert all(word in line for word in words), line
    assert fetched.good("scan", "--all", "-o", "-") == before


def test_rows_in_any_order_and_twice_alike_are_fine(fetched):
    header, *rows = (fetched.folder / "telemetry.csv").read_text().splitlines()
    fetched.write("telemetry.csv", "\n".join([header, *reversed(rows), *rows[:5]]) + "\n")
    assert "240 unchanged" in fetched("fetch")[2]


def test_an_unknown_asset_is_4_and_the_others_are_scanned(fetched):
    code, out, err = fetched("scan", "--asset", "b", "--asset", "nobody", "-o", "-")
    assert code == 4
    fine, failed = map(json.loads, out.splitlines())
    assert (fine["asset"], fine["error"]) == ("b", None)
    assert (failed["asset"], sum(failed["verdicts"].values())) == ("nobody", 0)
    assert "nobody" in failed["error"]
    assert "nobody" in one_line(err)


def test_one_asset_without_scores_is_4_and_the_others_are_scanned(fetched):
    scores = (fetched.folder / "scores.csv").read_text().splitlines()
    fetched.write("scores.csv", "\n".join(line for line in scores if not line.startswith("b,")) + "\n")
    code, _, err = fetched("scan", "--all", "-o", "results.jsonl")
    assert code == 4
    assert "'b'" in one_line(err)
    records = [json.loads(line) for line in (fetched.folder / "results.jsonl").read_text().splitlines()]
    assert [record["error"] is None for record in records] == [True, False]


def test_findings_are_3_only_if_asked_and_failures_outrank_them(fetched):
    assert fetched("scan", "--asset", "a", "-o", "-")[0] == 0
    assert fetched("scan", "--asset", "a", "-o", "-", "--fail-on", "any")[0] == 3
    assert fetched("scan", "--asset", "b", "-o", "-", "--fail-on", "any")[0] == 0
    assert fetched("scan", "--asset", "a", "--asset", "nobody", "-o", "-", "--fail-on", "any")[0] == 4


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda content: content[: len(content) // 2], ["rcf.forest"]),
        (lambda content: content[:-1] + bytes([content[-1] ^ 1]), ["rcf.forest"]),
        (lambda content: b"something else", ["rcf.forest"]),
        (lambda content: b"", ["rcf.forest"]),
    ],
)
def test_a_model_that_cannot_be_used_is_2(fetched, spoil, words):
    fetched.good("train", "--detector", "rcf")
    model = fetched.folder / "models" / "rcf.forest"
    model.write_bytes(spoil(model.read_bytes()))
    code, out, err = fetched("scan", "--all", "--detector", "rcf")
    assert (code, out) == (2, "")
    assert all(word in one_line(err) for word in words)


def test_a_model_of_another_shape_is_2(fetched):
    fetched.good("train", "--detector", "rcf")
    code, _, err = fetched("scan", "--all", "--detector", "rcf", "--shingle", "5")
    assert code == 2
    assert "trained with shingle 3" in one_line(err)


def test_no_exemplars_is_2_and_says_how_to_widen(fetched):
    settings = (fetched.folder / "anomscan.toml").read_text()
    fetched.write("anomscan.toml", settings.replace("samples = 60", "samples = 600"))
    code, _, err = fetched("train", "--detector", "rcf")
    assert code == 2
    assert "[train] samples" in one_line(err)


def test_a_store_of_a_newer_version_is_2(fetched):
    for manifest in (fetched.folder / "anomscan-data").rglob("*.json"):
        content = json.loads(manifest.read_text())
        for key in content:
            if "version" in key or "format" in key:
                content[key] = 999 if isinstance(content[key], int) else content[key]
        manifest.write_text(json.dumps(content))
    code, _, err = fetched("scan", "--all")
    assert code == 2
    assert "newer" in one_line(err)


def test_an_output_that_cannot_be_written_is_7_and_the_old_file_stays(fetched):
    assert fetched("scan", "--all", "-o", "no/such/folder/results.jsonl")[0] == 7
    fetched.good("scan", "--all", "-o", "results.jsonl")
    results = fetched.folder / "results.jsonl"
    before = results.read_bytes()

    def small_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    command = [*ANOMSCAN, "scan", "--all", "-o", "results.jsonl", "--sigma", "2"]
    done = subprocess.run(
        command, cwd=fetched.folder, capture_output=True, text=True, preexec_fn=small_disk, check=False
    )
    assert done.returncode == 7, done.stderr
    assert one_line(done.stderr)
    assert results.read_bytes() == before
    assert not [path for path in fetched.folder.iterdir() if "tmp" in path.name]


def test_where_the_scores_cannot_be_written_records_and_facts_stay_too(fetched):
    fetched.good("scan", "--all", "-o", "results.jsonl")
    files = [fetched.folder / name for name in ("results.jsonl", "results.jsonl.run.json")]
    before = [path.read_bytes() for path in files]
    scores = fetched.folder / "results.jsonl.scores.parquet"
    scores.unlink()
    scores.symlink_to("/dev/full")
    code, _, err = fetched("scan", "--all", "-o", "results.jsonl", "--sigma", "2")
    assert code == 7
    assert "No space left" in one_line(err)
    assert [path.read_bytes() for path in files] == before


def test_two_fetches_at_once_are_6(fetched):
    hold = (
        "import sys, numpy as np\n"
        "from anomscan.store.store import Store\n"
        "store = Store.open('anomscan-data')\n"
        "with store.writer('fleet', store.layout('fleet'), arrived_at=np.datetime64('2020-01-01', 'us')):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", hold]
    with started(command, cwd=fetched.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        code, _, err = fetched("fetch")
        assert code == 6
        assert str(holder.pid) in one_line(err)
    assert fetched("fetch")[0] == 0


def test_a_bug_is_1_with_its_traceback_in_the_log(fetched, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("secret details")

    monkeypatch.setattr("anomscan.jobs.scan.deliver", broken)
    code, _, err = fetched("scan", "--all")
    assert code == 1
    line = one_line(err)
    assert "RuntimeError" in line
    log = Path(os.environ["XDG_STATE_HOME"]) / "anomscan" / "errors.log"
    assert str(log) in line
    assert "secret details" in log.read_text()


def test_a_reader_that_goes_away_is_quiet(fetched):
    command = f"{sys.executable} -m anomscan scan --all -o - | true"
    done = subprocess.run(["/bin/sh", "-c", command], cwd=fetched.folder, capture_output=True, text=True, check=False)
    assert "Broken" not in done.stderr
    assert "Traceback" not in done.stderr


#: A pipe is refused as an input; here one stands in for a file that is read slowly.
READS_PIPES = """
from anomscan.cli.app import main
from anomscan.tables import opening

opening.open_regular = lambda path: path.open("rb")
main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_interrupt_has_its_code_and_leaves_the_old_file(fetched, number, code):
    fetched.good("scan", "--all", "-o", "results.jsonl")
    before = (fetched.folder / "results.jsonl").read_bytes()
    fifo = fetched.folder / "slow.csv"
    os.mkfifo(fifo)
    text = (fetched.folder / "anomscan.toml").read_text().replace('"scores.csv"', '"slow.csv"')
    fetched.write("slow.toml", text)
    command = [sys.executable, "-c", READS_PIPES, "--config", "slow.toml", "scan", "--all", "-o", "results.jsonl"]
    # opening for writing returns once the program reads; it then waits for a line that never comes
    with started(command, cwd=fetched.folder, stderr=subprocess.PIPE) as process, fifo.open("w"):
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code, err
    assert one_line(err) == "error: interrupted"
    assert (fetched.folder / "results.jsonl").read_bytes() == before


def test_messages_can_be_json_lines(fetched):
    code, _, err = fetched("--log-format", "json", "scan", "--asset", "nobody", "-o", "-")
    assert code == 4
    messages = [json.loads(line) for line in err.splitlines()]
    assert [message["level"] for message in messages] == ["error", "info", "info"]
    code, _, err = fetched("--log-format=json", "scan", "--sigmaa", "3")
    assert json.loads(err)["level"] == "error"


def test_quiet_says_nothing_on_success(fetched):
    for arguments in (["fetch"], ["scan", "--all", "-o", "r.jsonl"], ["report", "r.jsonl"], ["config", "check"]):
        code, out, err = fetched("-q", *arguments)
        assert (code, out, err) == (0, "", "")


READS_ON = """
import io, sys, threading
import pyarrow as pa
import pyarrow.csv as pacsv
from anomscan.cli.app import main

class Endless(io.RawIOBase):
    blocks = [b"1,2\\n" * 250] * 4

    def readable(self):
        return True

    def read(self, size=-1):
        if self.blocks:
            return self.blocks.pop()
        reading.set()
        while True:
            pass

reading = threading.Event()
reader = pacsv.open_csv(pa.PythonFile(Endless(), mode="r"), pacsv.ReadOptions(use_threads=False, block_size=1000))
reading.wait()  # open_csv has read two blocks; Arrow goes on by itself
main()
"""


def test_a_thread_that_still_reads_ahead_does_not_change_the_exit_code(place):
    command = [sys.executable, "-c", READS_ON, "scan", "--all", "--config", "nowhere.toml"]
    done = subprocess.run(command, cwd=place.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "terminate" not in done.stderr


def test_ids_and_health_from_data_command_no_terminal(fetched):
    hostile = ["\x1b]0;owned\x07\x1b[2J", "c\nerror: forged", "\x9b31m"]
    path = fetched.folder / "telemetry.csv"
    rows = [f'"{asset}",2016-01-{day:02d},0.9,"O\x1bk"' for asset in hostile for day in range(1, 21)]
    fetched.write("telemetry.csv", path.read_text() + "\n".join(rows) + "\n")
    said = ""
    for arguments in (
        ["fetch"],
        ["scan", "--all"],
        ["scan", "--all", "--format", "table"],
        ["scan", "--asset", "x\x1b"],
    ):
        _, out, err = fetched("-v", *arguments)
        said += err + (out if "table" in arguments else "")
    assert "owned" in said
    assert not set("\x1b\x07\x9b\r") & set(said)
    assert not [line for line in said.splitlines() if line.startswith("error: forged")]


def test_a_bad_row_of_a_file_is_4_the_first_time_alone(fetched):
    rows = (fetched.folder / "telemetry.csv").read_text().splitlines()
    fetched.write("telemetry.csv", "\n".join([*rows, "a,2016-05-01T00:00Z,1,Ok"]) + "\n")
    code, _, err = fetched("fetch")
    assert (code, "1 row rejected, 1 of them new" in err, "2016-05-01T00:00Z" in err) == (4, True, True)
    code, _, err = fetched("fetch")
    assert (code, "1 row rejected again as before" in err) == (0, True)
