"""Writers that are killed, compete, or run out of disk."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
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

#: Commits value n to every sample, n = 0, 1, ...; says before each commit which it is, and compacts often.
WRITER = """
import sys
import numpy as np
import pyarrow as pa
from anomscan.errors import AnomscanError
from anomscan.store import writer
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout
from anomscan.store.store import Store

writer.MOST_BATCHES = 2
writer.SPILL_ROWS = 500
assets, days = 100, 20
layout = Layout(Cadence.parse("1D"), ("x",))
columns = [
    pa.array([f"asset {n}" for n in range(assets) for _ in range(days)]),
    pa.array([d * layout.cadence.step_us for _ in range(assets) for d in range(days)], pa.timestamp("us")),
]
health = pa.array(["ok"] * (assets * days))
first, last = int(sys.argv[2]), int(sys.argv[3])
try:
    for n in range(first, last):
        values = pa.array([float(n)] * (assets * days))
        table = pa.Table.from_arrays([*columns, values, health], schema=layout.schema)
        print(n, flush=True)
        with Store.create(sys.argv[1]).writer("fleet", layout, arrived_at=np.datetime64(n, "us")) as into:
            for start in range(0, len(table), 400):
                into.append(table.slice(start, 400))
            if "wait" in sys.argv:
                print("locked", flush=True)
                sys.stdin.read()
            into.commit()
except AnomscanError as error:
    print(error, file=sys.stderr)
    sys.exit(int(error.exit_code))
"""


def start(store: Store, first: int, last: int, *more: str) -> AbstractContextManager[subprocess.Popen[str]]:
    return started(
        [sys.executable, "-c", WRITER, str(store.path), str(first), str(last), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def test_killed_at_any_moment_a_commit_is_there_whole_or_not_at_all(store: Store) -> None:
    done = -1
    for delay_s in np.random.default_rng(1).uniform(0.0, 0.25, 12):
        with start(store, done + 1, done + 1000) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(delay_s)
            process.kill()
            begun = [int(line) for line in process.communicate()[0].split()]
        newest = begun[-1] if begun else done + 1
        seen = {
            (len(series), *np.unique(series.values).astype(int).tolist())
            for chunk in (store.snapshot("fleet").stream() if store.sources() else [])
            for series in chunk
        }
        if seen:
            ((samples, done),) = seen
            assert samples == 20
            assert done in (newest - 1, newest)
            assert len(store.assets("fleet")) == 100
        else:
            assert newest == 0
    assert done > 0
    with start(store, done + 1, done + 2) as process:
        process.communicate()
    assert process.returncode == 0
    assert store.read("fleet", "asset 7").values[0, 0] == done + 1
    names = [path.name for path in (store.path / "fleet").iterdir()]
    assert not [name for name in names if name.startswith((".", "spill"))]


def test_two_writers_and_a_dead_one(store: Store, commit: Commit) -> None:
    with start(store, 0, 1, "wait") as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["0\n", "locked\n"]
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
        [sys.executable, "-c", WRITER, str(store.path), "0", "1"],
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
