"""``anomscan store drop``: a scan afterwards is that of a store that never had the samples."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from anomscan.cli.app import run
from anomscan.store.store import Store
from fleets import DAY_US, Rows, config, model, put

DAYS = 150


class Site:
    """A folder with a store and a model, and a command line that runs in it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys
        folder.mkdir()
        (folder / "anomscan.toml").write_text(config(window=60, sigma=2.5))
        model(folder / "models" / "rcf.forest", trees=20)
        self.store = Store.create(folder / "anomscan-data")

    def __call__(self, *arguments: str) -> tuple[int, str]:
        self._monkeypatch.chdir(self.folder)
        self._capsys.readouterr()
        code = run(list(arguments))
        return code, self._capsys.readouterr().err

    def scan(self, *arguments: str) -> tuple[bytes, bytes]:
        code, said = self("scan", "--all", "-o", "r.jsonl", "--overwrite", *arguments)
        assert code in (0, 4), said
        return (self.folder / "r.jsonl").read_bytes(), (self.folder / "r.jsonl.scores.parquet").read_bytes()


def fleet() -> Rows:
    dice = random.Random(1)
    return {(f"a{n:02}", day): ([dice.random() ** 4], "ok") for n in range(12) for day in range(DAYS)}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda name: Site(tmp_path / name, monkeypatch, capsys)


@pytest.mark.parametrize("rescore", [(), ("--rescore",)])
def test_a_scan_after_it_is_one_that_never_had_the_samples(site: Any, rescore: tuple[str, ...]) -> None:
    ours, never = site("ours"), site("never")
    rows = fleet()
    gone = {("a03", day) for day in range(DAYS)} | {("a05", day) for day in range(70, 80)}
    gone |= {("a07", day) for day in range(140, DAYS)}
    left = {sample: content for sample, content in rows.items() if sample not in gone}
    for place, given in ((ours, rows), (never, left)):
        put(place.store, {s: c for s, c in given.items() if s[1] < 145}, DAYS)
        put(place.store, {s: c for s, c in given.items() if s[1] >= 145}, DAYS + 1)
    before = ours.scan()
    assert ours.scan() == before  # with the score cache
    assert ours("store", "drop", "--asset", "a03") == (0, "fleet: 150 samples of 1 asset dropped\n")
    assert ours("store", "drop", "--asset", "a05", "--from", "1970-03-12", "--to", "1970-03-21")[0] == 0
    assert ours("store", "drop", "--asset", "a07", "--asset", "a03", "--from", "1970-05-21") == (
        4,
        "error: asset 'a03' is not in the store of source 'fleet'\nfleet: 10 samples of 1 asset dropped\n",
    )
    after = ours.scan(*rescore)
    assert after == never.scan()
    assert after != before
    assert ours.scan() == after
    known_then = ours.scan("--as-of", "1970-06-01")
    assert known_then == before
    # A night later: a day more, and what was dropped has come back.
    night = {(f"a{n:02}", DAYS): ([0.5], "ok") for n in range(12)}
    now = ours.store.snapshot("fleet").arrived.astype("int64") // DAY_US + 1
    for place in (ours, never):
        put(place.store, {**night, ("a05", 72): rows["a05", 72]}, int(now))
    assert ours.scan() == never.scan()


def test_it_names_what_it_needs(site: Any) -> None:
    place = site("x")
    put(place.store, fleet(), DAYS)
    for flags in ((), ("--asset", "a01", "--all")):
        code, said = place("store", "drop", *flags)
        assert (code, said) == (2, "error: store drop takes --asset or --all (name assets, or say --all)\n")
    assert place("store", "drop", "--all", "--from", "1970-02-01", "--to", "1970-01-01")[0] == 2
    assert place("store", "drop", "--all", "--from", "1990-01-01") == (0, "fleet: 0 samples of 0 assets dropped\n")
    assert place("store", "drop", "--all") == (0, "fleet: 1,800 samples of 12 assets dropped\n")
    code, said = place("scan", "--all", "-o", "r.jsonl")
    assert code == 2, said


def test_the_other_columns_of_the_results_say_so(site: Any) -> None:
    place = site("y")
    put(place.store, fleet(), DAYS)
    place.scan()
    first = json.loads((place.folder / "r.jsonl.run.json").read_text())
    place("store", "drop", "--asset", "a01", "--from", "1970-03-01", "--to", "1970-03-01")
    place.scan()
    second = json.loads((place.folder / "r.jsonl.run.json").read_text())
    assert first["data_hash"] != second["data_hash"]
    assert second["data_arrived"] > first["data_arrived"]
