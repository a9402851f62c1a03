"""The folder of a report, which only a whole new report replaces."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from anomscan.errors import InputError, OutputError
from anomscan.reports import html
from anomscan.reports.fleet import payload
from anomscan.reports.folder import Draft
from anomscan.reports.links import chart_stem
from anomscan.storage.exchange import exchange
from anomscan.telemetry.series import Series
from fleets import daily
from reports.test_html import Page, found, write


def texts(folder: Path) -> dict[str, str]:
    """Every file of a report that a reader may open, by its path."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.html")}


def test_a_report_that_fails_midway_leaves_the_old_one_whole(tmp_path: Path) -> None:
    write(tmp_path, found("a"), found("b"))
    before = texts(tmp_path)

    def fails(asset: str) -> Series:
        if asset == "b":
            raise OutputError("no")
        return daily(asset, np.zeros(20), ("prt7",))

    with pytest.raises(OutputError):
        write(tmp_path, found("a"), found("b"), series_of=fails)
    assert texts(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["charts", "index.html"]


def test_what_a_large_fleet_leaves_out_of_its_one_page_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "_VIEWS", 0)
    monkeypatch.setattr(html, "_LARGE", 0)
    monkeypatch.setattr(payload, "_MOST_VALUES", 40)
    files = write(tmp_path, found("a"), found("b"), found("c"))
    assert [note.replace(str(tmp_path), "R") for note in files.notes] == [
        "for its size, the page of the fleet lacks values of the last 1 rows by rank",
        "for its size, the page of the fleet has 0 of 3 views of assets; their pages are in R/charts",
        "R/index.html has 0 MB, which browsers open slowly: report on a part of the fleet",
    ]
    assert "the last 1 rows by rank have their verdicts without their values" in Page(files.index).text
    assert f"charts/{chart_stem('c')}.html" in Page(files.index).links


def test_views_leave_the_page_of_a_large_fleet_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [found(asset) for asset in "abc"]
    assert len(Page(write(tmp_path, *records).index).views) == 3
    monkeypatch.setattr(html, "_SMALL", 0)
    monkeypatch.setattr(html, "_FEWER", 4_000)
    files = write(tmp_path, *records)
    assert len(Page(files.index).views) < 3
    assert files.notes[0].startswith("for its size, the page of the fleet has ")


class Killed(BaseException):
    pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("can_exchange", "step"), [(can, step) for can in (True, False) for step in range(4 + (not can))]
)
def test_a_report_is_the_old_or_the_new_one_whenever_its_writer_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, *, can_exchange: bool
) -> None:
    """Killed before any of its renames in the folder, the first of which gives the new index its name."""
    can_exchange = can_exchange and exchange(*folders(tmp_path))
    old, new, folder = tmp_path / "old", tmp_path / "new", tmp_path / "R"
    write(old, found("a"), found("b"))
    write(new, found("b"), found("c"), series_of=lambda asset: None)
    write(folder, found("a"), found("b"))
    (folder / "charts" / "mine.txt").write_text("mine")
    steps = itertools.count()

    def dies() -> None:
        if next(steps) == step:
            patched.setattr(Draft, "end", lambda draft: None)  # the dead do not tidy up
            raise Killed

    def rename(path: Path, target: Path, real=Path.rename) -> Path:
        if path.parent == folder:
            dies()
        return real(path, target)

    def exchanging(one: Path, other: Path) -> bool:
        dies()
        return can_exchange and exchange(one, other)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", rename)
        patched.setattr(Path, "replace", rename)
        patched.setattr("anomscan.reports.folder.exchange", exchanging)
        with pytest.raises(Killed):
            write(folder, found("b"), found("c"), series_of=lambda asset: None)
    assert (folder / "charts").exists() or not can_exchange
    with pytest.raises(InputError, match="no record"):
        write(folder)
    # What only the old report had is kept: the next report tells whether it goes.
    left = {name: text for name, text in texts(old).items() if chart_stem("a") in name}
    is_old = step < (2 if can_exchange else 4)
    assert texts(folder) == (texts(old) if is_old else texts(new) | left)
    assert (folder / "charts" / "mine.txt").read_text() == "mine"
    assert sorted(path.name for path in folder.iterdir()) == ["charts", "index.html"]
    assert not list((folder / "charts").glob(".*"))


def folders(place: Path) -> tuple[Path, Path]:
    for name in ("one", "other"):
        (place / name).mkdir()
    (place / "one" / "file").touch()
    return place / "one", place / "other"


def test_two_folders_change_places_or_stay_as_they_are(tmp_path: Path) -> None:
    one, other = folders(tmp_path)
    done = exchange(one, other)
    assert ((one / "file").exists(), (other / "file").exists()) == (not done, done)
    assert not exchange(one, tmp_path / "missing")
    assert one.exists()
