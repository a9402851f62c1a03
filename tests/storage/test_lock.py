"""The lock: one holder at a time, and what is no lock is left alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from anomscan.errors import LockedError, OutputError
from anomscan.storage.lock import hold


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl.lock"


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"pid": 1, "host": "elsewhere"}', b'{"pid": '])
@pytest.mark.parametrize("remove", [True, False])
def test_the_lock_of_the_dead_is_free(path: Path, content: bytes | None, remove: bool) -> None:
    if content is not None:
        path.write_bytes(content)
    for _ in range(2):
        with (
            hold(path, "out.jsonl", remove=remove),
            pytest.raises(LockedError, match=f"out.jsonl is being written by process {os.getpid()} on "),
            hold(path, "out.jsonl"),
        ):
            pytest.fail("the block must not run")
        assert path.exists() is not remove


def a_file(path: Path) -> None:
    path.write_text("my locked dependencies")


def a_json_file(path: Path) -> None:
    path.write_text('{"packages": {}}')


def a_link_to_a_file(path: Path) -> None:
    path.with_name("victim").write_text("precious")
    path.symlink_to("victim")


def a_link_to_a_lock(path: Path) -> None:
    path.with_name("victim").touch()
    path.symlink_to("victim")


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to("victim")


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    "lay", [a_file, a_json_file, a_link_to_a_file, a_link_to_a_lock, a_link_to_nothing, a_folder, a_pipe]
)
def test_what_is_no_lock_is_refused_and_stays(path: Path, tmp_path: Path, lay: Callable[[Path], None]) -> None:
    lay(path)

    def there() -> dict[str, object]:
        return {
            each.name: (each.lstat().st_mode, each.lstat().st_ino, each.is_file() and each.read_bytes())
            for each in tmp_path.iterdir()
        }

    before = there()
    with (
        pytest.raises(OutputError, match=r"out\.jsonl\.lock is in the way: .*move it away"),
        hold(path, "out.jsonl", remove=True),
    ):
        pytest.fail("the block must not run")
    assert there() == before
