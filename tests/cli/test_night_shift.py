"""The night shift: a scan that is interrupted, killed, locked out or out of disk, and the one that takes over."""

from __future__ import annotations

import fcntl
import json
import math
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from anomscan.store.store import Store
from fleets import Rows, config, model, outcome, put
from processes import PATIENCE_S, catches, started, wait_until

pytestmark = pytest.mark.slow

#: The command, its partitions smaller, slower and written down as they begin. Those after the first so many wait for an
#: interruption or for a file.
COMMAND = """
import itertools, os, signal, sys, time
from anomscan.cli.app import main
from anomscan.jobs import run
from anomscan.jobs import work

log = os.open("partitions.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
slow_s, held_after = float(os.environ["SLOW_S"]), float(os.environ["HELD_AFTER"])
numbers = itertools.count()
plain = work.Work.__call__

def noted(self, partition):
    os.write(log, f"{partition.assets} {partition.name}\\n".encode())
    if next(numbers) >= held_after:
        while signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL and not os.path.exists("go"):
            time.sleep(0.005)
    time.sleep(slow_s)
    return plain(self, partition)

run.LEAST_ROWS = int(os.environ.get("LEAST_ROWS", 2000))
work.Work.__call__ = noted
"""
#: For each line, a process of its own that runs a command line and is killed before its nth step, if it comes to that:
#: a partition begun, a file renamed or removed. Says how it ended.
KILLED = """
import json
import anomscan.cli.scan, anomscan.detectors.registry, anomscan.jobs.scan, pyarrow.dataset
from anomscan.cli.app import run as run_line

def kill_at(step):
    steps = itertools.count(1)
    def count(event, arguments):
        if event in ("os.rename", "os.remove", "partition") and next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)
    return count

def noted_as_step(self, partition):
    sys.audit("partition")
    return noted(self, partition)

work.Work.__call__ = noted_as_step
for line in sys.stdin:
    step, arguments = json.loads(line)
    child = os.fork()
    if not child:
        sys.addaudithook(kill_at(step))
        os._exit(run_line(arguments))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def fleet(assets: int, days: range, seed: int = 0) -> Rows:
    rng = random.Random(seed)
    return {(f"asset {n:03d}", day): ([rng.random() ** 4], "ok") for n in range(assets) for day in days}


class Night:
    """A folder with a store and a model, and a command line that scans them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "r.jsonl"
        self.parts, self.lock = folder / "r.jsonl.parts", folder / "r.jsonl.lock"
        self._processes = ExitStack()

    def __enter__(self) -> Night:
        return self

    def __exit__(self, *error: object) -> None:
        """End what has been started."""
        self._processes.close()

    @classmethod
    def made(cls, folder: Path, rows: Rows) -> Night:
        """One with these samples in its store."""
        folder.mkdir(exist_ok=True)
        (folder / "anomscan.toml").write_text(config(window=60, sigma=3))
        (folder / "partitions.log").touch()
        model(folder / "models" / "rcf.forest", trees=20)
        night = cls(folder)
        put(night.store, rows, 0)
        return night

    @property
    def store(self) -> Store:
        return Store.create(self.folder / "anomscan-data")

    def start(
        self,
        *flags: str,
        before: Sequence[str] = (),
        to: Sequence[str] = ("-o", "r.jsonl"),
        slow_s: float = 0.0,
        held_after: float = math.inf,
        work: str = "main()",
        **more: Any,
    ) -> subprocess.Popen[str]:
        which = () if "--asset" in flags else ("--all",)
        process = started(
            [sys.executable, "-c", COMMAND + work, *before, "scan", *which, *to, *flags],
            cwd=self.folder,
            env={
                **os.environ,
                "SLOW_S": str(slow_s),
                "HELD_AFTER": str(held_after),
                "XDG_STATE_HOME": str(self.folder / "state"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **more,
        )
        return self._processes.enter_context(process)

    def __call__(self, *flags: str, **more: Any) -> tuple[int, str, str]:
        """Scan to the end: exit code, stdout, stderr."""
        with self.start(*flags, **more) as process:
            out, err = process.communicate(timeout=PATIENCE_S)
        return process.returncode, out, err

    def good(self, *flags: str, **more: Any) -> tuple[bytes, bytes, dict[str, Any]]:
        """A scan that must succeed: what it has written."""
        code, out, err = self(*flags, **more)
        assert (code, out) == (0, ""), err
        assert self.strays == set()
        return outcome(self.file)

    @property
    def strays(self) -> set[str]:
        """What lies in the folder that is neither a result nor what was there before."""
        known = {"anomscan.toml", "models", "anomscan-data", "state", "partitions.log", "go"}
        files = {self.file.name + suffix for suffix in ("", ".scores.parquet", ".run.json")}
        found = {path.name for path in self.folder.iterdir()} - known - files
        kept = self.folder / "anomscan-data" / "fleet" / "scores"
        return found | {path.name for path in kept.glob("*/*") if path.suffix != ".scores"}

    def partitions(self) -> list[tuple[str, int]]:
        """The name and the assets of each partition that was begun since this was asked last."""
        log = self.folder / "partitions.log"
        lines = log.read_text().splitlines()
        log.write_text("")
        return [(name, int(assets)) for assets, name in (line.split() for line in lines)]

    def clear(self) -> None:
        """As if no scan had run."""
        shutil.rmtree(self.folder / "anomscan-data" / "fleet" / "scores", ignore_errors=True)
        shutil.rmtree(self.parts, ignore_errors=True)
        for path in self.folder.glob("r.jsonl*"):
            path.unlink()
        self.partitions()

    @property
    def checkpoint(self) -> int:
        """The partitions that are finished; -1 where there is no checkpoint."""
        return len(list(self.parts.glob("*-*.jsonl"))) if (self.parts / "checkpoint.json").exists() else -1

    def wait_for_partitions(self, process: subprocess.Popen[str], number: int) -> None:
        """Wait until so many are finished, or, for 0, until the checkpoint is there."""
        wait_until(lambda: self.checkpoint >= number, process)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[bytes, bytes, dict[str, Any]], int]:
    """A folder in which no scan ran yet; what an undisturbed one writes, and how many partitions it has."""
    folder = tmp_path_factory.mktemp("night")
    night = Night.made(folder / "ready", fleet(300, range(400)))
    shutil.copytree(folder / "ready", folder / "done")
    with Night(folder / "done") as done:
        expected = done.good()
        partitions = done.partitions()
    assert sum(assets for _, assets in partitions) == 300
    assert len({name for name, _ in partitions}) == len(partitions) > 20
    return night.folder, expected, len(partitions)


@pytest.fixture
def night(ready: tuple[Path, Any, int], tmp_path: Path) -> Iterator[Night]:
    shutil.copytree(ready[0], tmp_path / "night")
    with Night(tmp_path / "night") as night:
        yield night


@pytest.fixture
def expected(ready: tuple[Path, Any, int]) -> tuple[bytes, bytes, dict[str, Any]]:
    return ready[1]


@pytest.fixture
def count(ready: tuple[Path, Any, int]) -> int:
    return ready[2]


def finished(err: str) -> int:
    """How many assets a run says to have finished and kept."""
    found = re.search(r"([\d,]+) of 300 assets finished and kept in r.jsonl.parts: .* --resume", err)
    assert found, err
    return int(found[1].replace(",", ""))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_interrupted_it_says_what_is_kept_and_resume_does_the_rest(
    night: Night, expected: Any, count: int, number: signal.Signals, code: int
) -> None:
    night.file.write_text("the result of the night before\n")
    process = night.start(held_after=12)
    night.wait_for_partitions(process, 8)
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code, err
    assert "error: interrupted" in err.splitlines()
    assert "Traceback" not in err
    kept = finished(err)
    assert 0 < kept < 300
    assert night.file.read_text() == "the result of the night before\n"
    assert night.strays == {night.parts.name}
    before = night.partitions()
    again, _, err = night("--resume")
    assert again == 0
    after = night.partitions()
    resumed = 300 - sum(assets for _, assets in after)
    assert f"{resumed} of 300 assets finished by the run before" in err
    # One partition more, if the signal came just when that was on the disk.
    assert kept <= resumed <= kept + max(assets for _, assets in before)
    assert {name for name, _ in [*before, *after]} == {name for name, _ in before} | {name for name, _ in after}
    assert len({name for name, _ in [*before, *after]}) == count
    assert outcome(night.file) == expected
    assert night.strays == set()


def test_without_resume_it_begins_anew(night: Night, expected: Any, count: int) -> None:
    process = night.start(held_after=12)
    night.wait_for_partitions(process, 8)
    process.terminate()
    process.communicate(timeout=PATIENCE_S)
    night.partitions()
    assert night.good() == expected
    assert len(night.partitions()) == count


def test_interrupted_before_anything_is_finished_nothing_is_left(night: Night) -> None:
    process = night.start(held_after=0)
    night.wait_for_partitions(process, 0)
    process.terminate()
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 143
    assert err == "error: interrupted\n"
    assert night.strays == set()


def test_killed_at_fifty_random_moments_and_resumed_nothing_is_lost(night: Night, expected: Any, count: int) -> None:
    rng = random.Random(6)
    workers = 2
    kills, nights, twice = 0, 0, 0
    process = night.start(work=KILLED, stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    while kills < 50:
        night.clear()
        nights += 1
        begun: Counter[str] = Counter()
        sizes: dict[str, int] = {}
        deaths = 0
        while True:
            # Somewhere in the beginning, among the partitions, or while all of them are put together.
            step = rng.randrange(1, 5 * count) if deaths < 3 else 0
            flags = ["--resume", "--workers", str(workers), *(["--rescore"] if nights % 2 else [])]
            process.stdin.write(json.dumps([step, ["scan", "--all", "-o", "r.jsonl", *flags]]) + "\n")
            process.stdin.flush()
            code = int(process.stdout.readline())
            for name, assets in night.partitions():
                begun[name] += 1
                sizes[name] = assets
            if code == 0:
                break
            assert code == -signal.SIGKILL
            deaths += 1
            kills += 1
        assert len(begun) == count
        assert sum(sizes.values()) == 300
        # What a killed run had in hand: a partition a worker, and what was waiting to be written down.
        again = sum(begun.values()) - count
        assert again <= deaths * (workers + 2)
        twice += again
        assert outcome(night.file) == expected
        assert night.strays == set()
    assert nights > 15
    assert twice > 0


def full_disk(size: int) -> Callable[[], None]:
    """No file grows beyond so many bytes."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_a_disk_that_fills_up_on_the_way_keeps_what_is_finished(night: Night, expected: Any, count: int) -> None:
    before = night.good("--sigma", "2.5")
    process = night.start("--workers", "1", held_after=10)
    night.wait_for_partitions(process, 10)
    process.kill()
    process.communicate()
    largest = max(path.stat().st_size for path in night.parts.glob("*.parquet"))
    night.partitions()
    code, _, err = night("--rescore", "--workers", "1", preexec_fn=full_disk(largest - 1))
    assert code == 7
    assert "error: r.jsonl.parts cannot be written: File too large" in err.splitlines()
    kept = finished(err)
    assert 0 < kept < 300
    assert outcome(night.file) == before
    assert night.strays == {night.parts.name}
    night.partitions()
    assert night.good("--resume") == expected
    assert sum(assets for _, assets in night.partitions()) == 300 - kept


def test_a_disk_that_is_full_at_the_end_keeps_the_result_before_and_all_that_is_finished(
    night: Night, expected: Any
) -> None:
    before = night.good("--sigma", "2.5")
    scores = night.folder / "r.jsonl.scores.parquet"
    content = scores.read_bytes()
    scores.unlink()
    scores.symlink_to("/dev/full")
    code, _, err = night()
    assert code == 7
    assert "No space left" in err
    assert finished(err) == 300
    scores.unlink()
    scores.write_bytes(content)
    assert outcome(night.file) == before
    assert night.strays == {night.parts.name}
    night.partitions()
    assert night.good("--resume") == expected
    assert night.partitions() == []


@pytest.mark.parametrize("size", [0, 10, 150])
def test_a_disk_that_is_full_from_the_start_leaves_nothing_behind(night: Night, size: int) -> None:
    """Not even room for the lock, for the checkpoint's first line, or for a partition."""
    code, _, err = night(preexec_fn=full_disk(size))
    assert code == 7
    (line,) = err.splitlines()
    assert re.match(r"error: r\.jsonl\.(lock|parts) cannot be written: File too large", line)
    assert night.strays == set()


@pytest.mark.parametrize("to", [".", "models", "nowhere/r.jsonl", "anomscan.toml/r.jsonl", "r" * 300])
def test_what_cannot_be_written_is_said_before_the_work(night: Night, to: str) -> None:
    code, _, err = night(to=["-o", to])
    assert code == 7, err
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    assert "cannot be written" in line
    assert not (night.folder / "partitions.log").read_text()
    assert night.strays == set()


def test_kept_scores_that_do_not_fit_on_the_disk_are_no_error(night: Night, expected: Any) -> None:
    (night.folder / "anomscan-data" / "fleet" / "scores").symlink_to("/proc/self/nowhere")
    assert night.good()[:2] == expected[:2]


def other_data(night: Night) -> list[str]:
    put(night.store, fleet(1, range(400, 401)), 1)
    return []


def other_settings(night: Night) -> list[str]:
    return ["--sigma", "2.5"]


def other_model(night: Night) -> list[str]:
    model(night.folder / "models" / "rcf.forest", trees=20, seed=1)
    return []


@pytest.mark.parametrize("other", [other_data, other_settings, other_model])
def test_what_was_finished_of_another_run_is_dropped(
    night: Night, count: int, other: Callable[[Night], list[str]]
) -> None:
    process = night.start("--workers", "1", held_after=12)
    # With the 13th begun, the scores of the 12 before it are kept, and no file of theirs is half written.
    log = night.folder / "partitions.log"
    wait_until(lambda: log.exists() and len(log.read_text().splitlines()) == 13, process)
    night.wait_for_partitions(process, 8)
    process.kill()
    process.communicate()
    flags = other(night)
    night.partitions()
    code, _, err = night("--resume", *flags)
    assert code == 0
    assert "were finished" not in err
    assert len(night.partitions()) == count
    found = outcome(night.file)
    assert night.good(*flags, "--rescore") == found


def test_a_run_that_is_complete_leaves_nothing_to_do(night: Night, expected: Any) -> None:
    assert night.good() == expected
    state = {path.name: path.stat().st_mtime_ns for path in night.folder.glob("r.jsonl*")}
    night.partitions()
    # Killed after its result was in place, before its checkpoint was removed.
    night.parts.mkdir()
    manifest = {"schema": "anomscan.checkpoint/3", "run": expected[2]["run"]}
    (night.parts / "checkpoint.json").write_text(json.dumps(manifest) + "\n")
    (night.parts / "nowhere.jsonl").touch()
    code, out, err = night("--resume")
    assert (code, out) == (0, "")
    assert "r.jsonl is the result of this very run: nothing is left to do" in err
    assert err.splitlines()[-1].startswith("300 assets: ")
    assert night.partitions() == []
    assert {path.name: path.stat().st_mtime_ns for path in night.folder.glob("r.jsonl*")} == state
    assert night.strays == set()
    assert night("--resume", "--fail-on", "any")[0] == 3
    assert night("--resume", before=["-q"]) == (0, "", "")
    # With a byte changed it is the result of no run.
    content = bytearray(night.file.read_bytes())
    content[100] ^= 1
    night.file.write_bytes(content)
    assert night.good("--resume") == expected


@pytest.mark.parametrize("missing", ["", ".scores.parquet", ".run.json"])
def test_a_result_of_which_a_part_is_missing_is_not_complete(night: Night, expected: Any, missing: str) -> None:
    night.good()
    (night.folder / f"r.jsonl{missing}").unlink()
    assert night.good("--resume") == expected


def test_failed_assets_and_findings_have_the_same_code_again(night: Night, expected: Any) -> None:
    records = map(json.loads, expected[0].splitlines())
    finder = next(record["asset"] for record in records if record["anomalies"])
    flags = ["--asset", finder, "--asset", "nobody", "--asset", "asset 009", "--fail-on", "any"]
    code, _, err = night(*flags)
    assert code == 4
    first = outcome(night.file)
    again, _, said = night(*flags, "--resume")
    assert again == 4
    assert "nothing is left to do" in said
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert line in said.splitlines()
    assert err.splitlines()[-1] == said.splitlines()[-1]
    assert outcome(night.file) == first
    assert night(*flags[:2], "--fail-on", "any")[0] == 3
    assert night(*flags[:2], "--fail-on", "any", "--resume")[0] == 3


@pytest.fixture
def holder(night: Night) -> subprocess.Popen[str]:
    """A run that is under way, for longer than a test."""
    process = night.start(held_after=0)
    night.wait_for_partitions(process, 0)
    return process


def test_a_second_run_with_the_same_output_says_who_is_at_it(night: Night, holder: subprocess.Popen[str]) -> None:
    for flags in ([], ["--resume"], ["--days", "1"]):
        code, out, err = night(*flags)
        assert (code, out) == (6, "")
        (line,) = err.splitlines()
        assert line.startswith("error: r.jsonl is being written by process ")
        assert f"process {holder.pid} on {socket.gethostname()} since " in line
        assert re.search(r"since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \(", line)
    # Other outputs are free.
    assert night("--asset", "asset 003", to=["-o", "other.jsonl"])[0] == 0
    assert night("--asset", "asset 003", to=["-o", "-"])[0] == 0
    assert holder.poll() is None


def test_a_second_run_can_wait(night: Night, expected: Any) -> None:
    holder = night.start(held_after=0)
    # It holds the lock and has read what there is once it has a checkpoint.
    night.wait_for_partitions(holder, 0)
    began = time.monotonic()
    assert night("--lock-timeout", "0.3")[0] == 6
    assert time.monotonic() - began > 0.3
    waiting = night.start("--lock-timeout", "600", "--rescore")
    # What comes in while it waits is in its result.
    put(night.store, fleet(300, range(400, 401), 1), 1)
    assert waiting.poll() is None
    (night.folder / "go").touch()
    holder.communicate()
    assert holder.returncode == 0
    assert outcome(night.file) == expected
    _, err = waiting.communicate()
    assert waiting.returncode == 0, err
    assert night.strays == set()
    assert outcome(night.file)[2]["data_hash"] == night.store.revision("fleet")


@pytest.mark.parametrize("content", [b"", b'{"pid": 1, "host": "elsewhere", "since": "2020-01-01T00:00:00Z"}', b"{"])
def test_the_lock_of_the_dead_is_free(night: Night, expected: Any, content: bytes) -> None:
    night.lock.write_bytes(content)
    assert night.good() == expected


def test_the_lock_of_a_killed_run_is_taken_over(night: Night, holder: subprocess.Popen[str], expected: Any) -> None:
    holder.kill()
    holder.wait()
    assert json.loads(night.lock.read_bytes())["pid"] == holder.pid
    assert night.good("--resume") == expected


def test_a_lock_that_says_nothing_is_still_a_lock(night: Night) -> None:
    night.lock.touch()
    with night.lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        code, _, err = night()
    assert code == 6
    assert "r.jsonl is being written by another process" in err


def test_quiet_says_nothing_and_other_machines_get_json(night: Night, expected: Any) -> None:
    assert night(before=["-q"]) == (0, "", "")
    code, out, err = night(before=["--log-format", "json"])
    assert (code, out) == (0, "")
    messages = [json.loads(line) for line in err.splitlines()]
    assert all({"time", "level", "message"} <= message.keys() for message in messages)
    facts = expected[2]
    last = messages[-1]
    assert (last["assets"], last["with_findings"], last["failed"]) == (300, facts["with_findings"], 0)
    assert last["verdicts"] == facts["verdicts"]
    code, _, err = night("--asset", "nobody", "--asset", "asset 000", before=["--log-format", "json"])
    assert code == 4
    failure, _, last = [json.loads(line) for line in err.splitlines()]
    assert (failure["level"], failure["asset"]) == ("error", "nobody")
    assert (last["assets"], last["failed"]) == (2, 1)


def test_through_a_day_is_the_scan_of_a_store_that_ends_there(tmp_path: Path) -> None:
    rows = fleet(30, range(120))
    late = {("late", day): ([0.5], "ok") for day in range(100, 120)}
    whole = Night.made(tmp_path / "whole", {**rows, **late})
    shorter = Night.made(tmp_path / "shorter", {key: row for key, row in rows.items() if key[1] <= 90})
    for flags in ([], ["--days", "1"], ["--asset", "asset 003", "--asset", "late"]):
        codes = whole(*flags, "--through", "1970-04-01")[0], shorter(*flags)[0]
        assert codes in ((0, 0), (4, 4))
        assert whole.file.read_bytes() == shorter.file.read_bytes()
        assert outcome(whole.file)[1] == outcome(shorter.file)[1]
        assert outcome(whole.file)[2]["verdicts"] == outcome(shorter.file)[2]["verdicts"]


@pytest.mark.parametrize("to", [[], ["-o", "-"], ["-o", "/dev/null"], ["-o", "s3://bucket/r.jsonl"]])
def test_resume_needs_a_file(night: Night, to: list[str]) -> None:
    code, out, err = night("--resume", to=to)
    assert (code, out) == (2, "")
    assert err == "error: --resume needs a file to resume (name it with -o FILE)\n"


def test_a_second_signal_ends_it_too(night: Night) -> None:
    """Whoever is in a hurry need not wait for the partitions under way."""
    process = night.start(slow_s=0.5)
    night.wait_for_partitions(process, 4)
    process.send_signal(signal.SIGINT)
    wait_until(lambda: not catches(process, signal.SIGINT))
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode in (130, -signal.SIGTERM), err
    assert "Traceback" not in err
    assert night("--resume")[0] == 0
    assert night.strays == set()


def test_beside_a_pipe_nothing_is_laid(night: Night, expected: Any) -> None:
    pipe = night.folder / "pipe"
    os.mkfifo(pipe)
    with night.start(to=["-o", "pipe"]) as process:
        assert pipe.read_bytes() == expected[0]
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert night.strays == {"pipe"}


def test_a_recording_is_not_resumed(night: Night) -> None:
    code, _, err = night("--resume", "--record", "tape.jsonl")
    assert code == 2
    assert err.startswith("error: --resume and --record exclude each other")
