"""Scores that are kept beside the store: results as without them, and nothing scored twice."""

from __future__ import annotations

import json
import math
import random
import shutil
import struct
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomscan.cli.app import run
from anomscan.detectors.rcf.forest import Forest
from anomscan.store.part_reader import PartReader
from anomscan.store.store import Store
from fleets import Rows, config, layout, model, outcome, put

pytestmark = pytest.mark.slow

WINDOW, SHINGLE = 20, 3
#: More than a forest takes.
BEYOND = 1e39


@dataclass
class Bench:
    """A folder in which scans run; how many points the forest has scored in the last one."""

    folder: Path
    patch: pytest.MonkeyPatch
    scored: list[int] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return Store.create(self.folder / "anomscan-data")

    @property
    def kept(self) -> Path:
        return self.folder / "anomscan-data" / "fleet" / "scores"

    @property
    def files(self) -> list[Path]:
        return sorted(self.kept.glob("*/*"))

    def scan(self, *arguments: str, code: int | None = 0, out: str = "results.jsonl") -> tuple[object, ...]:
        self.scored = []
        found = run(["-q", "scan", *(arguments or ("--all",)), "-o", out])
        # At random no day may be judged.
        assert found == code or (code in (None, 0) and found in (0, 4))
        return outcome(self.folder / out)

    def bare(self, *arguments: str, code: int | None = 0) -> tuple[object, ...]:
        """A scan that knows of no kept scores."""
        with self.patch.context() as patch:
            patch.setattr("anomscan.jobs.run._cache", lambda *_: None)
            return self.scan(*arguments, code=code, out="bare.jsonl")

    @property
    def points(self) -> int:
        return sum(self.scored)


def bench_of(folder: Path, patch: pytest.MonkeyPatch, *, variables: tuple[str, ...] = ("x",), gaps: str) -> Bench:
    bench = Bench(folder, patch)
    (folder / "anomscan.toml").write_text(config(variables, gaps=gaps))
    model(folder / "models" / "rcf.forest", variables=variables, shingle=SHINGLE)
    plain = Forest.score

    def counted(self: Forest, points: np.ndarray, **options: int) -> np.ndarray:
        bench.scored.append(len(points))
        return plain(self, points, **options)

    patch.setattr(Forest, "score", counted)
    # Partitions of few assets, so that a few assets more cut the fleet anew.
    patch.setattr("anomscan.jobs.run.LEAST_ROWS", 100)
    patch.setattr("anomscan.jobs.run.PARTITIONS", 6)
    patch.chdir(folder)
    patch.setenv("XDG_STATE_HOME", str(folder / "state"))
    return bench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return bench_of(tmp_path, monkeypatch, gaps="calendar")


def fleet_rows(assets: int, days: Iterable[int], seed: int = 0) -> Rows:
    rng = random.Random(seed)
    days = list(days)
    return {(f"asset {n:02d}", day): ([rng.random()], "ok") for n in range(assets) for day in days}


Known = dict[tuple[str, int], bytes]


@dataclass
class Fleet:
    """A fleet whose telemetry grows, is revised and is found to reach further back, at random."""

    rng: random.Random
    variables: int
    rows: dict[str, dict[int, tuple[list[float | None], str | None]]] = field(default_factory=dict)
    today: int = 40

    def values(self) -> list[float | None]:
        rng = self.rng
        return [
            None if rng.random() < 0.02 else rng.choice([rng.random(), 0.5, 0.5, 5.0]) for _ in range(self.variables)
        ]

    def sample(self) -> tuple[list[float | None], str | None]:
        return self.values(), self.rng.choice(["ok", "ok", "ok", "Unknown", None])

    def newcomer(self) -> Rows:
        asset = f"asset {self.rng.randrange(10_000):04d}"
        first = self.today - self.rng.choice([0, 5, 25, 60])
        days = [day for day in range(first, self.today + 1) if self.rng.random() < 0.97]
        if self.rng.random() < 0.3:  # a stray old row, or history from before an outage
            gap = self.rng.choice([30, 50, 500, 5000])
            days += range(first - gap - self.rng.choice([1, 5]), first - gap)
        return {(asset, day): self.sample() for day in days}

    def night(self) -> Rows:
        """What the next fetch brings."""
        rng, new = self.rng, {}
        for _ in range(rng.choice([0, 0, 1, 4])):
            new.update(self.newcomer())
        if rng.random() < 0.8:
            self.today += rng.choice([1, 1, 1, 3, 3, 60])
            new.update({(asset, self.today): self.sample() for asset in self.rows if rng.random() < 0.9})
        for asset in rng.sample(sorted(self.rows), min(len(self.rows), rng.choice([0, 0, 1, 3]))):
            days = sorted(self.rows[asset])
            kind = rng.random()
            if kind < 0.5:  # revised, some only in their health
                revised = rng.sample(days, min(3, len(days)))
                new.update({(asset, day): self.sample() for day in revised})
                values, _ = self.rows[asset][days[0]]
                new[asset, days[0]] = (values, "revised")
            elif kind < 0.8:  # it begins earlier
                new.update({(asset, days[0] - back): self.sample() for back in range(1, rng.choice([2, 5]))})
            else:  # more than a forest takes, until it is corrected
                new[asset, days[len(days) // 2]] = ([BEYOND] * self.variables, "ok")
        for (asset, day), sample in new.items():
            self.rows.setdefault(asset, {})[day] = sample
        return new

    def mend(self) -> Rows:
        """Corrections of all that cannot be scored."""
        new = {}
        for asset, rows in self.rows.items():
            for day, (values, _) in rows.items():
                if values[0] == BEYOND:
                    new[asset, day] = rows[day] = self.sample()
        return new

    def shingles(self, days: int | None, flagged: Collection[str]) -> Iterator[tuple[str, int, bytes, bool]]:
        """Each shingle that can be scored: asset, day, its values, and whether its score is needed.

        Assets that are flagged are judged from their beginning, so that it is known since when.
        """
        end = max(max(rows) for rows in self.rows.values())
        for asset, rows in self.rows.items():
            first, last = min(rows), max(rows)
            since = first if days is None or asset in flagged else end - days + 1 - (WINDOW - 1)
            if days is not None and last <= end - days:
                since = last + 1
            for day in range(first + SHINGLE - 1, last + 1):
                parts = [rows.get(day - back, ([None], None))[0] for back in reversed(range(SHINGLE))]
                if all(value is not None and value != BEYOND for part in parts for value in part):
                    flat = [value for part in parts for value in part if value is not None]
                    yield asset, day, struct.pack(f"{len(flat)}d", *flat), day >= since

    def wanted(self, known: Known, days: int | None, flagged: Collection[str] = ()) -> tuple[int, Known]:
        """How many shingles have to be scored, and what is known when they are."""
        after, count = {}, 0
        for asset, day, values, needed in self.shingles(days, flagged):
            held = known.get((asset, day)) == values
            count += needed and not held
            if needed or held:
                after[asset, day] = values
        return count, after


@pytest.mark.parametrize(("seed", "gaps"), [*((seed, "calendar") for seed in range(4)), (4, "ignore"), (5, "ignore")])
def test_any_history_gives_the_same_bytes_and_scores_only_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, gaps: str
) -> None:
    rng, clocks = random.Random(seed), random.Random(f"clock {seed}")
    variables = ("x", "y")[: 1 + seed % 2]
    bench = bench_of(tmp_path, monkeypatch, variables=variables, gaps=gaps)
    fleet = Fleet(rng, len(variables))
    known: Known = {}
    partitions = set()
    for night in range(10):
        rows = fleet.mend() if night % 5 == 4 else {}
        rows |= fleet.night()
        if night == 0:
            for _ in range(12):
                rows |= (newcomer := fleet.newcomer())
                for (asset, day), sample in newcomer.items():
                    fleet.rows.setdefault(asset, {})[day] = sample
        if rows:
            # The clock may be behind, or far ahead once.
            put(bench.store, rows, night + clocks.choice([0, 0, 0, -3, 1000]), layout(variables))
        if rng.random() < 0.2:
            bench.store.compact("fleet")
        days = 1 if night == 0 or rng.random() < 0.5 else None
        arguments = ["--all", *(["--days", "1"] if days else [])]
        arguments += rng.choice([[], [], ["--window", "20"], ["--sigma", "2"], ["--workers", "1"]])
        found = bench.scan(*arguments)
        points = bench.points
        records = map(json.loads, found[0].splitlines())
        flagged = [record["asset"] for record in records if record["anomalies"]]
        count, known = fleet.wanted(known, days, flagged)
        if gaps == "calendar":
            assert points == count
        assert bench.bare(*arguments) == found
        assert bench.points >= points
        assert bench.scan(*arguments) == found
        assert bench.points == 0
        partitions.add(tuple(path.name for path in bench.files))
    assert len(partitions) > 2  # the fleet was cut in several ways
    assert {path.suffix for path in bench.files} == {".scores"}
    assert len({path.parent for path in bench.files}) == 1


def spoil(rng: random.Random, files: list[Path]) -> None:
    """Do to one file what may happen to it, or to some of another kind."""
    path, other = rng.choice(files), rng.choice(files)
    content = path.read_bytes()
    kind = rng.randrange(5)
    if kind == 0:
        path.unlink()
    elif kind == 1:
        path.write_bytes(content[: rng.randrange(len(content))])
    elif kind == 2:
        place = rng.randrange(len(content))
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    elif kind == 3:
        path.write_bytes(other.read_bytes())
    else:
        path.write_bytes(content + other.read_bytes())


@pytest.mark.parametrize("seed", range(10, 16))
def test_whatever_becomes_of_the_files_the_results_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng, clocks = random.Random(seed), random.Random(f"clock {seed}")
    bench = bench_of(tmp_path, monkeypatch, gaps="calendar")
    monkeypatch.setattr("anomscan.detectors.score_cache.file._MOST_FRAMES", 3)
    fleet = Fleet(rng, 1)
    for night in range(12):
        # The last revision of a night corrects all that a forest does not take.
        rows = fleet.night() | fleet.mend() if night else {}
        for _ in range(0 if night else 12):
            rows |= fleet.newcomer()
        for (asset, day), sample in rows.items():
            fleet.rows.setdefault(asset, {})[day] = sample
        put(bench.store, rows, night + clocks.choice([0, 0, 0, -3, 1000]), layout(("x",)))
        earlier = {path: path.read_bytes() for path in bench.files}
        if night and rng.random() < 0.7:
            spoil(rng, bench.files)
        monkeypatch.setattr("anomscan.jobs.run.LEAST_ROWS", rng.choice([100, 100, 100, 300]))
        arguments = rng.choice([["--all"], ["--all", "--days", "1"], ["--all", "--days", "1"]])
        assert bench.scan(*arguments) == bench.bare(*arguments)
        bench.scan(*arguments)
        assert bench.points == 0
        if earlier and rng.random() < 0.3:  # as if from a backup
            path, content = rng.choice(sorted(earlier.items()))
            path.write_bytes(content)
    assert bench.scan() == bench.bare()


def test_the_first_night_of_all_and_the_second(bench: Bench) -> None:
    put(bench.store, fleet_rows(10, range(50)), 0)
    first = bench.scan()
    assert bench.points == 10 * (50 - SHINGLE + 1)
    put(bench.store, fleet_rows(10, range(50, 51), 1), 1)
    second = bench.scan("--all", "--days", "1")
    assert bench.points == 10
    assert first != second == bench.bare("--all", "--days", "1")
    assert bench.points == 10 * WINDOW
    assert bench.scan("--all", "--days", "1", "--window", "30") == bench.bare("--all", "--days", "1", "--window", "30")
    bench.scan("--all", "--sigma", "3", "--window", "15")
    assert bench.points == 0


def test_one_day_first_then_all_the_others(bench: Bench) -> None:
    put(bench.store, fleet_rows(10, range(50)), 0)
    bench.scan("--all", "--days", "1")
    assert bench.points == 10 * WINDOW
    assert bench.scan("--all", "--from", "1970-02-01") == bench.bare("--all", "--from", "1970-02-01")
    found = bench.scan()
    assert found == bench.bare()
    bench.scan()
    assert bench.points == 0


def test_another_shingle_or_another_treatment_of_gaps_has_scores_of_its_own(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = fleet_rows(10, range(50))
    put(bench.store, {key: row for key, row in rows.items() if key[1] % 7}, 0)
    found = bench.scan()
    monkeypatch.setenv("ANOMSCAN_SCAN__GAPS", "ignore")
    assert bench.scan() == bench.bare() != found
    assert len(list(bench.kept.iterdir())) == 2
    monkeypatch.delenv("ANOMSCAN_SCAN__GAPS")
    assert bench.scan() == found
    assert bench.points == 0


def ways_to_spoil(content: bytes) -> Iterator[bytes | None]:
    """What may have become of a file: gone, empty, torn, damaged, of another version, something else."""
    yield from (None, b"", content[:4], content[:12], content[: len(content) // 2], content[:-1])
    for place in [0, 9, *range(16, len(content), len(content) // 12), len(content) - 1]:
        yield content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]
    for version in (0, content[7] - 1, content[7] + 1):
        yield content[:7] + bytes([version]) + content[8:]
    yield b"PAR1" + bytes(100)
    yield b'{"partition": [[0, "a"], [63, "z"], 3]}'
    for place in (8, 16):
        for length in ((1 << 64) - 1, 1 << 62, 0, 1, len(content) - 1, len(content) + 1):
            yield content[:place] + struct.pack("<Q", length) + content[place + 8 :]


def test_a_file_that_is_not_as_it_was_written_is_made_anew(bench: Bench) -> None:
    put(bench.store, fleet_rows(4, range(40)), 0)
    found = bench.scan()
    everything = bench.points
    files = bench.files
    assert len(files) > 1
    spoilt = files[0]
    content = spoilt.read_bytes()
    for new in ways_to_spoil(content):
        spoilt.unlink()
        if new is not None:
            spoilt.write_bytes(new)
        assert bench.scan() == found
        assert 0 < bench.points < everything
        assert [path.read_bytes() for path in bench.files if path == spoilt] == [content]
        bench.scan()
        assert bench.points == 0


def night(bench: Bench, day: int) -> tuple[object, ...]:
    put(bench.store, fleet_rows(10, range(day, day + 1), day), day)
    return bench.scan("--all", "--days", "1")


def test_a_night_adds_to_what_other_nights_have_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomscan.jobs.run.LEAST_ROWS", 10_000)  # one partition
    monkeypatch.setattr("anomscan.detectors.score_cache.file._MOST_FRAMES", 4)
    put(bench.store, fleet_rows(10, range(40)), 0)
    bench.scan("--all", "--days", "1")
    (path,) = bench.files
    sizes = []
    for day in range(40, 48):
        before = path.read_bytes()
        found = night(bench, day)
        assert bench.points == 10
        sizes.append(len(path.read_bytes()) - len(before))
        assert (path.read_bytes()[: len(before)] == before) == (day not in (43, 47))
        assert found == bench.bare("--all", "--days", "1")
    assert sizes[0] < len(before) / 4
    assert bench.scan() == bench.bare()


def test_what_follows_a_torn_night_does_not_count(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomscan.jobs.run.LEAST_ROWS", 10_000)
    put(bench.store, fleet_rows(10, range(40)), 0)
    bench.scan("--all", "--days", "1")
    (path,) = bench.files
    contents = [path.read_bytes()]
    for day in (40, 41):
        found = night(bench, day)
        contents.append(path.read_bytes())
    first, second, third = contents
    last, before = third[len(second) :], second[len(first) :]
    # How many days have to be scored again.
    spoilt = {
        third + b"\0": 0,
        third + last: 0,  # two runs that did the same night
        third[:-1]: 1,
        second + bytes(len(last)): 1,
        second + before: 1,
        second + last[:-1] + bytes([last[-1] ^ 1]): 1,
        first + last: 2,  # another run has written the file anew meanwhile
        first + before[:-1] + bytes([before[-1] ^ 1]) + last: 2,
        first + last + before: 2,
    }
    for content, days in spoilt.items():
        path.write_bytes(content)
        assert bench.scan("--all", "--days", "1") == found
        assert bench.points == 10 * days
        assert bench.scan("--all", "--days", "1") == found
        assert bench.points == 0
        assert night_after(bench, path.read_bytes()) == found


def night_after(bench: Bench, content: bytes) -> tuple[object, ...]:
    """A scan that changes nothing in the file."""
    (path,) = bench.files
    found = bench.scan("--all", "--days", "1")
    assert path.read_bytes() == content
    return found


def test_whatever_else_lies_there_does_no_harm(bench: Bench) -> None:
    put(bench.store, fleet_rows(10, range(50)), 0)
    found = bench.scan()
    (folder,) = {path.parent for path in bench.files}
    for name in ("x.scores", ".anomscan-0123456789abcdef.tmp", "00-63-0123456789abcdef.scores", "notes.txt"):
        (folder / name).write_bytes(b"what")
    (folder / "folder").mkdir()
    (folder / "folder.scores").mkdir()
    (bench.kept / "notes.txt").write_text("?")
    (bench.kept / "another").mkdir()
    put(bench.store, fleet_rows(13, range(50)), 1)  # now others are cut
    assert bench.scan()[0].startswith(found[0][:100])
    assert bench.bare() == bench.scan()
    assert bench.points == 0


def test_scores_of_other_assets_in_their_place_are_not_taken(bench: Bench) -> None:
    """A file that is whole, but of other telemetry."""
    put(bench.store, fleet_rows(10, range(50)), 0)
    bench.scan()
    old = [path.read_bytes() for path in bench.files]
    put(bench.store, fleet_rows(10, range(50), 1), 1)
    assert bench.scan() == bench.bare()
    for path, content in zip(bench.files, old, strict=True):
        path.write_bytes(content)
    found = bench.scan()
    assert bench.points == 10 * (50 - SHINGLE + 1)
    assert found == bench.bare()


def lie(folder: Path) -> None:
    """Change the scores in all files, so that whoever uses them can be told by his results."""
    for path in folder.glob("*/*.scores"):
        content, start, checksum = bytearray(path.read_bytes()), 0, 0
        while start < len(content):
            length, header = struct.unpack_from("<QQ", content, start + 8)
            rows = sum(json.loads(content[start + 24 : start + 24 + header])["rows"])
            stop = start + length - 4
            scores = slice(stop - 10 * rows, stop - 2 * rows)
            content[scores] = (
                np.frombuffer(bytes(content[scores])) * 0 + np.random.default_rng(0).random(rows)
            ).tobytes()
            checksum = zlib.crc32(bytes(content[start:stop]), checksum)
            content[stop : stop + 4] = struct.pack("<I", checksum)
            start = stop + 4
        path.write_bytes(bytes(content))


@pytest.mark.parametrize("newcomers", [0, 2])
def test_scores_gathered_from_files_of_which_one_is_missing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, newcomers: int
) -> None:
    put(bench.store, fleet_rows(10, range(50)), 0)
    bench.scan()
    assert len(bench.files) > 2
    bench.files[1].unlink()
    monkeypatch.setattr("anomscan.jobs.run.LEAST_ROWS", 10_000)  # the fleet is cut otherwise now
    put(bench.store, fleet_rows(10 + newcomers, range(50, 51), 1), 1)
    assert bench.scan("--all", "--days", "1") == bench.bare("--all", "--days", "1")
    assert bench.scan() == bench.bare()


def test_files_in_each_others_place_are_not_taken_for_each_other(bench: Bench) -> None:
    put(bench.store, fleet_rows(12, range(50)), 0)
    found = bench.scan()
    contents = [path.read_bytes() for path in bench.files]
    assert len(contents) > 2
    for path, content in zip(bench.files, [*contents[1:], contents[0]], strict=True):
        path.write_bytes(content)
    for _ in range(2):
        assert bench.scan() == found
    assert bench.points == 0
    assert [path.read_bytes() for path in bench.files] == contents


def test_more_healths_than_a_short_number_tells_apart(bench: Bench) -> None:
    names = [f"fault {n}" for n in range(33_000)]
    put(bench.store, {("a", day): ([day % 7], name) for day, name in enumerate(names)}, 0)
    found = bench.scan("--all", "--days", "9")
    put(bench.store, {("a", len(names)): ([0.5], "fault new")}, 1)
    assert bench.scan("--all", "--days", "9") == bench.bare("--all", "--days", "9") != found


def test_rescore_leaves_them_aside_and_writes_them_anew(bench: Bench) -> None:
    put(bench.store, fleet_rows(10, range(50)), 0)
    found = bench.scan()
    content = [path.read_bytes() for path in bench.files]
    lie(bench.kept)
    assert bench.scan() != found  # it would trust them: they hold
    lie(bench.kept)
    assert bench.scan("--all", "--rescore") == found
    assert bench.points == 10 * (50 - SHINGLE + 1)
    assert [path.read_bytes() for path in bench.files] == content
    assert bench.scan() == found
    assert bench.points == 0


PARTS = [
    ["--all", "--as-of", "1970-01-02"],
    ["--all", "--through", "1970-02-10"],
    ["--asset", "asset 03", "--asset", "asset 07"],
    ["--asset", "asset 03", "--days", "1"],
    ["--all", "--as-of", "1970-01-02", "--rescore"],
]


@pytest.mark.parametrize("arguments", PARTS)
def test_a_part_of_the_fleet_or_of_what_is_known_reads_and_does_not_write(bench: Bench, arguments: list[str]) -> None:
    put(bench.store, fleet_rows(10, range(50)), 0)
    expected = bench.scan(*arguments)
    assert not bench.kept.exists()
    put(bench.store, fleet_rows(12, range(50, 60), 1), 5)
    bench.scan()
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in bench.files}
    found = bench.scan(*arguments)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in bench.files} == before
    assert (bench.points == 0) == ("--rescore" not in arguments)
    assert found == bench.bare(*arguments)
    if "--as-of" in arguments:
        assert found[:2] == expected[:2]


def test_detect_neither_reads_nor_writes_them(bench: Bench) -> None:
    put(bench.store, fleet_rows(10, range(50)), 0)
    arguments = ["-q", "detect", "--asset", "asset 03", "-o", "detected.jsonl"]
    assert run(arguments) == 0
    assert not bench.kept.exists()
    found = outcome(bench.folder / "detected.jsonl")
    bench.scan()
    lie(bench.kept)
    before = [path.read_bytes() for path in bench.files]
    bench.scored.clear()
    assert run(arguments) == 0
    assert bench.points == 48
    assert outcome(bench.folder / "detected.jsonl") == found
    assert [path.read_bytes() for path in bench.files] == before


def test_where_they_cannot_be_written_the_scan_goes_on(bench: Bench) -> None:
    put(bench.store, fleet_rows(10, range(50)), 0)
    found = bench.bare()
    bench.kept.write_text("no folder")
    assert bench.scan() == found
    assert bench.kept.read_text() == "no folder"
    bench.kept.unlink()
    bench.kept.symlink_to("/proc/self/nowhere")  # not even root can
    assert bench.scan() == found
    assert bench.scan("--all", "--rescore") == found


def test_a_new_model_has_its_own(bench: Bench) -> None:
    put(bench.store, fleet_rows(10, range(50)), 0)
    results, folders = [], []
    for seed in range(6):
        model(bench.folder / "models" / "rcf.forest", seed=seed)
        results.append(bench.scan())
        assert bench.points == 10 * (50 - SHINGLE + 1)
        assert results[-1] == bench.bare()
        folders.append(max(bench.kept.iterdir(), key=lambda folder: folder.stat().st_mtime_ns).name)
    assert len(set(folders)) == 6
    # Those of four models are kept, and the others begin anew.
    assert {path.name for path in bench.kept.iterdir()} == set(folders[2:])
    for seed in (2, 5, 1):
        model(bench.folder / "models" / "rcf.forest", seed=seed)
        assert bench.scan() == results[seed]
        assert (bench.points == 0) == (seed != 1)
    # The one that was not used for longest has gone.
    assert {path.name for path in bench.kept.iterdir()} == {folders[seed] for seed in (4, 2, 5, 1)}


def test_a_model_trained_again_to_the_same_forest_goes_on(bench: Bench) -> None:
    put(bench.store, fleet_rows(10, range(50)), 0)
    found = bench.scan()
    model(bench.folder / "models" / "rcf.forest")
    assert bench.scan() == found
    assert bench.points == 0


def test_a_store_that_was_copied_has_them(bench: Bench) -> None:
    put(bench.store, fleet_rows(10, range(50)), 0)
    found = bench.scan()
    shutil.copytree(bench.folder / "anomscan-data", bench.folder / "copy")
    shutil.rmtree(bench.folder / "anomscan-data")
    (bench.folder / "copy").rename(bench.folder / "anomscan-data")
    assert bench.scan() == found
    assert bench.points == 0


def test_an_empty_value_that_is_filled_in_and_one_that_is_emptied(bench: Bench) -> None:
    rows = dict(fleet_rows(3, range(50)))
    rows["asset 01", 30] = ([None], "ok")
    put(bench.store, rows, 0)
    bench.scan()
    put(bench.store, {("asset 01", 30): ([0.5], "ok"), ("asset 02", 20): ([math.nan], "ok")}, 1)
    found = bench.scan()
    assert bench.points == SHINGLE
    assert found == bench.bare()


def test_a_store_with_the_same_rows_under_other_ids(bench: Bench) -> None:
    """Ids are told apart to the last code point."""
    ids = ["A", "a", "é", "e\u0301", "x\ny", "", " ", "a\0", "../a", "\U0001f9ca"]
    put(bench.store, {(asset, day): ([n / 10 + day % 7], "ok") for n, asset in enumerate(ids) for day in range(40)}, 0)
    found = bench.scan()
    assert found == bench.bare()
    assert bench.scan() == found
    assert bench.points == 0


def test_a_night_reads_only_what_was_written_since(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    put(bench.store, fleet_rows(10, range(40)), 0)
    monkeypatch.setattr("anomscan.jobs.run.LEAST_ROWS", 10_000)  # one partition
    bench.scan("--all", "--days", "1")
    read: list[str] = []
    plain = PartReader.between

    def watched(self: PartReader, *bounds: Any) -> Any:
        read.append(self.name)
        return plain(self, *bounds)

    monkeypatch.setattr(PartReader, "between", watched)
    # A day is left out, one asset is silent, one is new, and one has a health never seen before.
    rows = {
        (asset, 41): (values, "odd" if asset == "asset 03" else "ok")
        for (asset, day), (values, _) in fleet_rows(10, range(41, 42), seed=1).items()
        if asset != "asset 07"
    }
    put(bench.store, rows | {("newcomer", 41): ([0.5], "ok")}, 1)
    found = bench.scan("--all", "--days", "1")
    assert set(read) == {"batch-000002.parquet"}
    assert bench.bare("--all", "--days", "1") == found
    assert bench.bare() == bench.scan()


@pytest.mark.parametrize("day", [39, -1, 5_000])
def test_a_revision_late_history_and_a_leap_are_read_with_all_there_is(bench: Bench, day: int) -> None:
    put(bench.store, fleet_rows(10, range(40)), 0)
    bench.scan("--all", "--days", "1")
    put(bench.store, {("asset 04", day): ([0.7], "ok")} | {(f"asset {n:02d}", 40): ([0.4], "ok") for n in range(10)}, 1)
    assert bench.scan("--all", "--days", "1") == bench.bare("--all", "--days", "1")
    assert bench.scan() == bench.bare()


@pytest.mark.parametrize("window", [15, 25, 60])
def test_a_long_gap_is_shortened_as_the_window_says_and_scores_hold(bench: Bench, window: int) -> None:
    rows = fleet_rows(10, [*range(-9_000, -8_970), *range(-100, -70), *range(40)])
    put(bench.store, rows, 0)
    bench.scan()
    assert bench.scan("--all", "--window", str(window)) == bench.bare("--all", "--window", str(window))
    bench.scan("--all", "--window", str(window))
    assert bench.points == 0
    # What comes after another long gap, too.
    put(bench.store, fleet_rows(10, range(240, 245), seed=1), 1)
    for arguments in (["--all"], ["--all", "--window", str(window)], ["--all", "--days", "1"]):
        assert bench.scan(*arguments) == bench.bare(*arguments)
    bench.scan()
    assert bench.points == 0


def test_a_night_reads_only_what_was_written_since_whatever_lies_far_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bench.store, fleet_rows(10, range(40)) | {("asset 03", -20_000): ([0.5], "ok")}, 0)
    monkeypatch.setattr("anomscan.jobs.run.LEAST_ROWS", 10_000)
    bench.scan()
    read: list[str] = []
    plain = PartReader.between

    def watched(self: PartReader, *bounds: Any) -> Any:
        read.append(self.name)
        return plain(self, *bounds)

    monkeypatch.setattr(PartReader, "between", watched)
    for night in (1, 2):
        put(bench.store, fleet_rows(10, range(39 + night, 40 + night), seed=night), night)
        found = bench.scan()
        assert read == [f"batch-{night + 1:06}.parquet"]
        assert bench.bare() == found
        read.clear()
    assert sum(path.stat().st_size for path in bench.files) < 100_000


def test_another_store_in_the_same_place_is_not_mistaken_for_the_one_before(bench: Bench) -> None:
    """The files have the same names and as many rows, and nothing else in common."""
    put(bench.store, fleet_rows(10, range(40)), 0)
    found = bench.scan()
    for path in (bench.folder / "anomscan-data" / "fleet").iterdir():
        if path.is_file():
            path.unlink()
    put(bench.store, fleet_rows(10, range(40), seed=1), 0)
    assert bench.scan() == bench.bare() != found
