"""Writers that are killed, compete, or run out of disk."""

from __future__ import annotations

import itertools
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from anomscan.errors import LockedError
from anomscan.store.store import Store
from anomscan.store.writer import CommitCounts
from processes import started

pytestmark = pytest.mark.slow

Commit = Callable[..., CommitCounts]
Contents = Callable[[Path], dict[str, bytes]]

#: Commits value n to every sample, and compacts.
WRITER = """
import os
import signal
import sys
import numpy as np
import pyarrow as pa
from anomscan.errors import AnomscanError
from anomscan.store import writer
from anomscan.store.store import Store
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout

writer.MOST_BATCHES = 0
writer.SPILL_ROWS = 500
assets, days = 100, 20
layout = Layout(Cadence.parse("1D"), ("x",))
names = pa.array([f"asset {n}" for n in range(assets) for _ in range(days)])
times = pa.array([d * layout.cadence.step_us for _ in range(assets) for d in range(days)], pa.timestamp("us"))
health = pa.array(["ok"] * (assets * days))

def commit(path, n, wait=False):
    values = pa.array(np.full(assets * days, float(n)))
    table = pa.Table.from_arrays([names, times, values, health], schema=layout.schema)
    with Store.create(path).writer("fleet", layout, arrived_at=np.datetime64(n, "us")) as into:
        for start in range(0, len(table), 400):
            into.append(table.slice(start, 400))
        if wait:
            print("locked", flush=True)
            sys.stdin.read()
        into.commit()
"""
COMMIT = """
try:
    commit(sys.argv[1], 0, wait="wait" in sys.argv)
except AnomscanError as error:
    print(error, file=sys.stderr)
    sys.exit(int(error.exit_code))
"""
#: For each line "value moment", a process of its own that is killed when it is about to rename or remove something
#: for the nth time; says whether it was, or had ended before.
KILLED = """
def kill_at(moment):
    def count(event, arguments):
        nonlocal moment
        if event in ("os.rename", "os.remove", "os.rmdir"):
            moment -= 1
            if not moment:
                os.kill(os.getpid(), signal.SIGKILL)
    return count

for line in sys.stdin:
    value, moment = map(int, line.split())
    child = os.fork()
    if not child:
        sys.addaudithook(kill_at(moment))
        commit(sys.argv[1], value)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print({0: "ended", -signal.SIGKILL: "killed"}.get(code, code), flush=True)
"""


def start(store: Store, work: str, *more: str) -> AbstractContextManager[subprocess.Popen[str]]:
    command = [sys.executable, "-c", WRITER + work, str(store.path), *more]
    return started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def value_of(store: Store) -> int:
    """The value that all samples of all assets have; -1 if there are none."""
    if not store.sources():
        return -1
    chunks = [series for chunk in store.snapshot("fleet").stream() for series in chunk]
    if not chunks:
        return -1
    assert [len(series) for series in chunks] == [20] * 100
    (value,) = {*np.concatenate([series.values.ravel() for series in chunks]).astype(int).tolist()}
    return int(value)


def test_killed_at_any_moment_a_commit_is_there_whole_or_not_at_all(store: Store) -> None:
    """Before each step that others can see, those of a compaction too; the next commit takes up from there."""
    done = -1
    with start(store, KILLED) as process:

        def commit(moment: int) -> str:
            """How the next commit ends that is to be killed at a moment; 0 for never."""
            nonlocal done
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{done + 1} {moment}\n")
            process.stdin.flush()
            how = process.stdout.readline().strip()
            seen = value_of(store)
            assert seen in {"killed": (done, done + 1), "ended": (done + 1,)}[how]
            done = seen
            return how

        for moment in itertools.count(1):
            before = done
            if commit(moment) == "ended":
                break
            if done > before:
                assert commit(0) == "ended"
    assert moment > 15  # a commit has 5, a compaction the others
    names = [path.name for path in (store.path / "fleet").iterdir()]
    assert not [name for name in names if name.startswith((".", "spill"))]


def test_two_writers_and_a_dead_one(store: Store, commit: Commit) -> None:
    with start(store, COMMIT, "wait") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(LockedError, match=rf"process {process.pid} on \S+ since \d{{4}}-.*Z"):
            commit([("A", "2017-01-01", 1.0, None)])
        process.send_signal(signal.SIGKILL)
    assert commit([("A", "2017-01-01", 1.0, None)]).new == 1
    assert store.assets("fleet") == ["A"]


@pytest.mark.parametrize("limit", [0, 1000, 3000, 100_000])
def test_a_full_disk_keeps_the_old_state(store: Store, commit: Commit, contents: Contents, limit: int) -> None:
    """The limit on the size of a file stands in for the disk's; it hits the spill, the batch or the manifest."""
    for n in range(40):
        commit([(f"asset {n}", "2017-01-01", 1.0, None)])
    before, revision = contents(store.path), store.revision("fleet")
    run = subprocess.run(
        [sys.executable, "-c", WRITER + COMMIT, str(store.path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr.count("\n")) == ((7, 1) if limit < 100_000 else (0, 0)), run.stderr
    if run.returncode:
        assert "cannot be written: File too large" in run.stderr
        after = contents(store.path)
        assert store.revision("fleet") == revision
        assert {name: after[name] for name in before if not name.endswith("lock")} == {
            name: data for name, data in before.items() if not name.endswith("lock")
        }
        commit([("B", "2017-01-01", 1.0, None)])
