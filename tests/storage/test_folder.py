"""A folder reached through one descriptor: nothing in it leads elsewhere, and files are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from anomscan.storage.folder import UNFINISHED, Folder


def test_a_file_is_there_once_it_is_whole(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with folder.writing("a") as file:
        file.write(b"whole")
        assert folder.names() == ["a" + UNFINISHED]
    assert (folder.names(), folder.read("a")) == (["a"], b"whole")
    with pytest.raises(TypeError), folder.writing("a") as file:
        file.writelines([b"half", "no bytes"])
    assert (folder.names(), folder.read("a")) == (["a"], b"whole")
    folder.remove("a")
    folder.remove("a")
    assert folder.names() == []
    folder.close()


def test_it_is_no_link_and_follows_none(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "link").symlink_to("mine")
    for other in ("link", "precious"):
        with pytest.raises(NotADirectoryError):
            Folder(tmp_path / other)
    folder = Folder(tmp_path / "mine")
    (tmp_path / "mine" / "link").symlink_to(tmp_path / "precious")
    (tmp_path / "mine" / ("link" + UNFINISHED)).symlink_to(tmp_path / "precious")
    os.mkfifo(tmp_path / "mine" / "pipe")
    for name in ("link", "pipe", "."):
        with pytest.raises(OSError, match=r"symbolic link|not a regular file"):
            folder.open(name)
    with folder.writing("link") as file:
        file.write(b"new")
    assert folder.read("link") == b"new"
    assert (tmp_path / "precious").read_bytes() == b"precious"
    folder.close()


def test_it_stays_the_same_folder_wherever_its_name_leads(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    folder = Folder(tmp_path / "mine")
    (tmp_path / "mine").rename(tmp_path / "moved")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "mine").symlink_to("theirs")
    with folder.writing("a") as file:
        file.write(b"whole")
    assert (tmp_path / "moved" / "a").read_bytes() == b"whole"
    assert list((tmp_path / "theirs").iterdir()) == []
    folder.close()
