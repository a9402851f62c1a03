"""Temporary folders go with their run, or with the next one; nobody else's ever do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from anomscan.errors import OutputError
from anomscan.storage import lock
from anomscan.storage.scratch import remove_abandoned, scratch_folder

HOLD = """
import sys
from pathlib import Path
from anomscan.storage.scratch import scratch_folder
with scratch_folder(Path(sys.argv[1])) as scratch:
    (scratch.path / "sub").mkdir()
    (scratch.path / "sub" / "file").write_text("x")
    print(scratch.path, flush=True)
    sys.stdin.read()
"""


@contextmanager
def holding(place: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process that has a scratch folder, and the folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, place], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_it_goes_with_the_block(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / "made") as scratch:
        (scratch.path / "file").write_text("x")
        assert scratch.path.stat().st_mode & 0o777 == 0o700
    assert list((tmp_path / "made").iterdir()) == []
    with pytest.raises(KeyError), scratch_folder(tmp_path):
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_what_is_kept_stays_for_good(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as scratch:
        (scratch.path / "file").write_text("x")
        scratch.kept = True
    remove_abandoned(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == [scratch.path.name, "file"]


def test_that_of_a_killed_run_goes_with_the_next(tmp_path: Path) -> None:
    with holding(tmp_path) as (process, left):
        assert (left / "sub" / "file").exists()
        process.kill()
        process.wait()
        assert len(list(tmp_path.iterdir())) == 2
        with scratch_folder(tmp_path) as scratch:
            assert {path.name for path in tmp_path.iterdir()} == {scratch.path.name, f"{scratch.path.name}.lock"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stopped", [False, True])
def test_that_of_a_run_that_lives_stays(tmp_path: Path, stopped: bool) -> None:
    with holding(tmp_path) as (process, folder):
        if stopped:
            process.send_signal(signal.SIGSTOP)
        remove_abandoned(tmp_path)
        assert (folder / "sub" / "file").exists()


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    name = "anomscan-0123456789ab"
    for folder in ("anomscan-abcdef", "anomscan-XyZ123", name, "anomscan-0123456789ac", "anomscan-0123456789ad"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "precious").write_text("x")
    (tmp_path / "anomscan-0123456789ac.lock").write_text("a lock of somebody else's")
    (tmp_path / "anomscan-0123456789ad.lock").symlink_to(tmp_path / "anomscan-abcdef" / "precious")
    (tmp_path / "anomscan-abcdef.lock").touch()
    before = sorted(tmp_path.rglob("*"))
    remove_abandoned(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").write_text("x")
    (tmp_path / "anomscan-0123456789ab").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "anomscan-0123456789ab.lock").touch()
    remove_abandoned(tmp_path)
    assert (tmp_path / "elsewhere" / "precious").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another user, which only root may")
def test_what_another_user_owns_stays(tmp_path: Path) -> None:
    folder = tmp_path / "anomscan-0123456789ab"
    folder.mkdir()
    lock = tmp_path / "anomscan-0123456789ab.lock"
    lock.touch()
    os.chown(lock, 12345, 12345)
    remove_abandoned(tmp_path)
    assert folder.exists()


def test_no_such_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"), scratch_folder(tmp_path / "file"):
        pass
    remove_abandoned(tmp_path / "absent")


def test_a_lock_that_another_run_looks_at_is_waited_for(tmp_path, monkeypatch):
    """Between making a lock and taking it, another run may hold it, as if it were abandoned, and remove it."""
    monkeypatch.setattr("anomscan.storage.scratch.secrets.token_hex", lambda count: "0" * 12)
    other = ExitStack()
    other.enter_context(lock.hold(tmp_path / f"anomscan-{'0' * 12}.lock", "it", remove=True))
    monkeypatch.setattr("anomscan.storage.lock.time.sleep", lambda seconds: other.close())
    with scratch_folder(tmp_path) as scratch:
        assert scratch.path.is_dir()
    assert list(tmp_path.iterdir()) == []
