"""A file is replaced whole or not at all."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from anomscan.errors import OutputError
from anomscan.storage.durable import remove_unfinished, replace_file


def test_it_appears_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "out"
    with replace_file(target) as file:
        file.write(b"abc")
        file.flush()
        assert not target.exists()
    assert target.read_bytes() == b"abc"
    assert [entry.name for entry in target.parent.iterdir()] == ["out"]


def test_an_error_keeps_the_old_file_and_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"old")

    def write_half(file: BinaryIO) -> None:
        file.write(b"half")
        raise KeyError("elsewhere")

    with pytest.raises(KeyError), replace_file(target) as file:
        write_half(file)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_errors_of_the_block_are_not_taken_for_errors_of_the_output(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replace_file(tmp_path / "out"):
        (tmp_path / "absent").read_bytes()


def test_links_and_permissions_are_kept(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(real)
    with replace_file(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_devices_are_written_to_not_replaced() -> None:
    with replace_file("/dev/null") as file:
        file.write(b"gone")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(OutputError, match="No space left"), replace_file("/dev/full") as file:
        file.write(b"x" * 100)


@pytest.mark.parametrize("place", ["file/out", "folder", "n" * 300])
def test_no_such_place(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot be written"), replace_file(tmp_path / place):
        pytest.fail("the block must not run")


def test_a_disk_that_fills_up_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"old")
    code = (
        "import sys\n"
        "from anomscan.errors import OutputError\n"
        "from anomscan.storage.durable import replace_file\n"
        "try:\n"
        "    with replace_file(sys.argv[1]) as file:\n"
        "        for _ in range(100):\n"
        "            file.write(b'x' * 100_000)\n"
        "except OutputError as error:\n"
        "    sys.exit(int(error.exit_code))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(target)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
        check=False,
    )
    assert run.returncode == 7
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


HALF = """
import sys
from anomscan.storage.durable import replace_file
with replace_file(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("half", flush=True)
    sys.stdin.read()
"""


@contextmanager
def writing(target: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has written half of a file."""
    with subprocess.Popen(
        [sys.executable, "-c", HALF, target], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        try:
            yield process
        finally:
            process.kill()


def test_what_a_killed_writer_left_goes_with_the_next(tmp_path: Path) -> None:
    with writing(tmp_path / "out") as process:
        process.kill()
        process.wait()
    assert len(list(tmp_path.iterdir())) == 1
    with replace_file(tmp_path / "other") as file:
        file.write(b"another file, which may have another user")
    assert len(list(tmp_path.iterdir())) == 2
    with replace_file(tmp_path / "out") as file:
        file.write(b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "out"]


def test_what_a_living_writer_has_written_stays(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with writing(target) as process:
        process.send_signal(signal.SIGSTOP)
        with replace_file(target) as file:
            file.write(b"ours")
        remove_unfinished(tmp_path)
        assert len(list(tmp_path.iterdir())) == 2
        process.send_signal(signal.SIGCONT)
        process.communicate("")
        assert process.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert target.read_bytes() == b"half"


def test_only_unfinished_files_are_removed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    for name in (".anomscan-", ".anomscan-notes", ".anomscan-01234567-0123456789abcdef.tmp.bak", "anomscan-1.tmp"):
        (tmp_path / name).write_text("x")
    (tmp_path / ".anomscan-01234567-0123456789abcdef.tmp").symlink_to(tmp_path / "precious")
    (tmp_path / ".anomscan-01234567-1123456789abcdef.tmp").mkdir()
    os.mkfifo(tmp_path / ".anomscan-01234567-2123456789abcdef.tmp")
    before = sorted(tmp_path.iterdir())
    remove_unfinished(tmp_path)
    remove_unfinished(tmp_path / "absent")
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "precious").read_text() == "x"


def test_standard_output_can_be_named(tmp_path: Path) -> None:
    write = "from anomscan.storage.durable import replace_file\nwith replace_file('/dev/stdout') as f: f.write(b'x')"
    done = subprocess.run([sys.executable, "-c", write], stdout=subprocess.PIPE, check=True, cwd=tmp_path)
    assert done.stdout == b"x"


def test_a_link_that_is_not_to_be_followed_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    (tmp_path / "precious").chmod(0o600)
    for target in ("precious", "absent"):
        (tmp_path / "out").unlink(missing_ok=True)
        (tmp_path / "out").symlink_to(tmp_path / target)
        with replace_file(tmp_path / "out", follow=False) as file:
            file.write(b"new")
        assert not (tmp_path / "out").is_symlink()
        assert (tmp_path / "out").read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "precious"]
    assert (tmp_path / "precious").read_text() == "x"
