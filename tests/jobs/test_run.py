"""A run whose partitions are lost, interrupted or read for a worker gives the results of an undisturbed one."""

from __future__ import annotations

import pickle
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from anomscan.config import Settings, load
from anomscan.detectors.rcf.detector import RcfDetector
from anomscan.detectors.rcf.forest import Forest
from anomscan.jobs.checkpoint import Checkpoint
from anomscan.jobs.engines import Lost, Threads
from anomscan.jobs.job import Job
from anomscan.jobs.run import Run
from anomscan.jobs.tally import Tally
from anomscan.reports.records import SCAN_SCHEMA, read_records
from anomscan.reports.results import EncodedRecord
from anomscan.store.partitions import Partition, key_of
from anomscan.store.snapshot import AwayError
from anomscan.store.store import Store
from fleets import Rows, config, model, put

ASSETS = [f"asset {n:02d}" for n in range(60)]


def fleet(assets: Iterable[str] = ASSETS, days: range = range(40)) -> Rows:
    rng = random.Random(0)
    return {(asset, day): ([rng.choice([rng.random(), 0.5])], "ok") for asset in assets for day in days}


class Place:
    """A store with a model beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "anomscan.toml").write_text(config())
        model(folder / "models" / "rcf.forest")
        self.settings: Settings = load(folder / "anomscan.toml").settings
        self.store = Store.create(folder / "anomscan-data")
        self.parts = folder / "out.jsonl.parts"

    def run(self, *assets: str, **asked: Any) -> Run:
        job = Job(schema=SCAN_SCHEMA, whole=False, assets=assets or None, **asked)
        detector = RcfDetector.load("rcf", self.folder / "models" / "rcf.forest")
        return Run.of(self.settings, job, self.store.snapshot("fleet"), detector)

    def results(self, run: Run, engine: Any = None, *, resume: bool = False) -> tuple[list[EncodedRecord], Tally]:
        """Do a run to its end, or to where its engine breaks off."""
        watched = Tally()
        columns = run.work.columns
        with Checkpoint(self.parts, run.key, columns, resume=resume) as checkpoint:
            before = checkpoint.tally().assets
            with engine or Threads(1) as workers:
                run.go(workers, checkpoint, watched.merge)
            results, tally = list(checkpoint.results()), checkpoint.tally()
        assert watched.assets + before == tally.assets
        tally.stages = {}
        return results, tally


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr("anomscan.jobs.run.LEAST_ROWS", 200)
    monkeypatch.setattr("anomscan.jobs.run.PARTITIONS", 10)
    place = Place(tmp_path)
    put(place.store, fleet(), 0)
    return place


class BrokenOffError(Exception):
    """The run ends here."""


@dataclass
class Shaky:
    """An engine whose workers die of some assets, and which breaks off itself after some partitions."""

    deadly: frozenset[str] = frozenset()
    last: float = float("inf")
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    done: Counter[str] = field(default_factory=Counter)
    workers: int = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def work_on(self, work: Callable[..., Any], partition: Partition, load: Callable[[Partition], Any]) -> Any:
        return work(partition)

    def map(
        self, work: Callable[..., Any], partitions: Iterable[Partition], load: Callable[[Partition], Any]
    ) -> Iterator[tuple[Partition, Any]]:
        waiting = list(partitions)
        self.rng.shuffle(waiting)
        for partition in waiting:
            if any(partition.holds(key_of(asset)) for asset in self.deadly):
                yield partition, Lost("its worker was killed")
                continue
            if self.last <= 0:
                raise BrokenOffError
            self.last -= 1
            self.done[partition.name] += 1
            yield partition, self.work_on(work, partition, load)


def check(results: list[EncodedRecord], tally: Tally, undisturbed: list[EncodedRecord], deadly: frozenset[str]) -> None:
    assert [each.asset for each in results] == sorted(ASSETS)
    for each, expected in zip(results, undisturbed, strict=True):
        if each.asset in deadly:
            (record,) = read_records([each.line.decode()])
            assert record.error == "its worker was killed"
            assert each.days == b""
        else:
            assert each == expected
    assert (tally.assets, tally.failed) == (len(ASSETS), len(deadly))
    assert tally.failures == [(asset, "its worker was killed") for asset in sorted(deadly)]
    with_findings = {each.asset for each in undisturbed if b'"anomalies": []' not in each.line} - deadly
    assert tally.findings == len(with_findings) > 0


@pytest.mark.parametrize("seed", range(4))
def test_a_unit_that_ends_its_workers_is_halved_until_one_asset_is_to_blame(place: Place, seed: int) -> None:
    rng = random.Random(seed)
    undisturbed, _ = place.results(place.run())
    deadly = frozenset(rng.sample(ASSETS, [1, 2, 20, 60][seed]))
    engine = Shaky(deadly, rng=rng)
    if seed == 3:
        results, tally = place.results(place.run(), engine)
        assert tally.failed == len(ASSETS) == len(results)
        return
    check(*place.results(place.run(), engine), undisturbed, deadly)
    assert set(engine.done.values()) == {1}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_broken_off_and_resumed_nothing_is_missing_doubled_or_done_again(place: Place, seed: int) -> None:
    rng = random.Random(seed)
    undisturbed, tally = place.results(place.run())
    deadly = frozenset(rng.sample(ASSETS, seed))
    done: Counter[str] = Counter()
    tries = 0
    while True:
        tries += 1
        run = place.run()
        engine = Shaky(deadly, rng.randrange(1, 5), rng, done)
        try:
            results, tally = place.results(run, engine, resume=tries > 1)
            break
        except BrokenOffError:
            assert tries < 100
    assert tries > 1
    check(results, tally, undisturbed, deadly)
    assert set(done.values()) == {1}
    # A complete checkpoint leaves nothing to do.
    engine = Shaky(deadly, 0, rng, done)
    assert place.results(place.run(), engine, resume=True) == (results, tally)


def test_assets_asked_for_by_name_are_units_and_strangers_are_failures(place: Place) -> None:
    wanted = ["asset 07", "nobody", "asset 03", "asset 03", "else"]
    engine = Shaky(last=1)
    with pytest.raises(BrokenOffError):
        place.results(place.run(*wanted), engine)
    results, tally = place.results(place.run(*wanted), Shaky(done=engine.done), resume=True)
    assert [each.asset for each in results] == ["asset 03", "asset 07", "else", "nobody"]
    assert len(engine.done) == 2
    assert set(engine.done.values()) == {1}
    assert (tally.assets, [asset for asset, _ in tally.failures]) == (4, ["else", "nobody"])


def test_what_decides_the_results_decides_what_is_resumed(place: Place) -> None:
    keys = [place.run().key, place.run().key]
    keys += [place.run("asset 01").key, place.run("asset 02").key, place.run("asset 02", "asset 01").key]
    keys += [place.run("asset 01", "asset 02").key]
    assert keys[0] == keys[1]
    assert keys[4] == keys[5]
    keys += [place.run(days=1).key, place.run(as_of="2020-01-01").key, place.run(through="2020-01-01").key]
    keys += [place.run(start="1970-01-02").key, place.run(end="1970-01-02").key, place.run(min_severity=0.5).key]
    for name, value in (("window", 21), ("sigma", 3.0), ("baseline", "exclude-newest"), ("skip_health", ("ok",))):
        place.settings = place.settings.model_copy(
            update={"scan": place.settings.scan.model_copy(update={name: value})}
        )
        keys.append(place.run().key)
    model(place.folder / "models" / "rcf.forest", seed=1)
    keys.append(place.run().key)
    put(place.store, fleet(ASSETS[:1], range(40, 41)), 1)
    keys.append(place.run().key)
    assert len(set(keys)) == len(keys) - 2
    # These do not.
    place.store.compact("fleet")
    assert place.run().key == keys[-1]
    assert place.run(rescore=True).key == keys[-1]


@dataclass
class Blind(Shaky):
    """An engine whose workers are elsewhere and do not see the store."""

    def work_on(self, work: Callable[..., Any], partition: Partition, load: Callable[[Partition], Any]) -> Any:
        there = pickle.loads(pickle.dumps(work))  # noqa: S301
        there.snapshot.folder = Path("/nowhere")
        try:
            result = there(partition)
        except AwayError:
            result = there(*pickle.loads(pickle.dumps((partition, load(partition)))))  # noqa: S301
        return pickle.loads(pickle.dumps(result))  # noqa: S301


def counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many points a forest scores, call by call."""
    scored: list[int] = []
    plain = Forest.score
    monkeypatch.setattr(
        Forest, "score", lambda self, points, **more: scored.append(len(points)) or plain(self, points, **more)
    )
    return scored


def test_partitions_are_read_here_for_workers_that_do_not_see_the_store(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = place.results(place.run(days=30))
    kept = {path.name: path.read_bytes() for path in place.folder.rglob("*.scores")}
    assert kept
    for path in place.folder.rglob("*.scores"):
        path.unlink()
    assert place.results(place.run(days=30), Blind()) == expected
    assert {path.name: path.read_bytes() for path in place.folder.rglob("*.scores")} == kept
    scored = counting(monkeypatch)
    assert place.results(place.run(days=30), Blind()) == expected
    assert sum(scored) == 0
    assert not Path("/nowhere").exists()
    deadly = frozenset(ASSETS[7:9])
    check(*place.results(place.run(), Blind(deadly)), place.results(place.run())[0], deadly)


@pytest.mark.slow
@pytest.mark.parametrize("engine", [Shaky, Blind])
def test_a_fleet_that_is_cut_anew_loses_no_scores(
    place: Place, monkeypatch: pytest.MonkeyPatch, engine: type[Shaky]
) -> None:
    place.results(place.run(), engine())
    names = {path.name for path in place.folder.rglob("*.scores")}
    scored = counting(monkeypatch)
    for least in (1000, 200):
        monkeypatch.setattr("anomscan.jobs.run.LEAST_ROWS", least)
        for _ in range(2):
            expected = place.results(place.run(), engine())
            assert sum(scored) == 0
        assert ({path.name for path in place.folder.rglob("*.scores")} == names) == (least == 200)
    assert place.results(place.run(rescore=True), engine()) == expected


@pytest.mark.slow
@pytest.mark.parametrize("engine", [Shaky, Blind])
@pytest.mark.parametrize("deadly", [frozenset(), frozenset(ASSETS[7:9])])
def test_nights_are_the_same_wherever_they_are_done(
    place: Place, monkeypatch: pytest.MonkeyPatch, engine: type[Shaky], deadly: frozenset[str]
) -> None:
    place.results(place.run(), engine())
    scored = counting(monkeypatch)
    for night in range(1, 4):
        put(place.store, fleet(days=range(39 + night, 40 + night)), night)
        run = place.run(days=1)
        assert max(len(partition.parts) for partition in run.partitions()) > 1
        results, _ = place.results(run, engine(deadly if night == 2 else frozenset()))
        if not deadly:
            assert sum(scored) == len(ASSETS)
        with monkeypatch.context() as patch:
            patch.setattr("anomscan.jobs.run._cache", lambda *_: None)
            expected, _ = place.results(place.run(days=1))
        others = [each for each in results if night != 2 or each.asset not in deadly]
        assert others == [each for each in expected if night != 2 or each.asset not in deadly]
        scored.clear()
    place.results(place.run(), engine())
    assert sum(scored) == 0


def test_a_run_through_a_day_knows_no_asset_that_begins_later(place: Place, tmp_path: Path) -> None:
    put(place.store, fleet(["late"], range(60, 90)), 1)
    run = place.run(through="1970-02-09")
    results, tally = place.results(run)
    assert [each.asset for each in results] == sorted(ASSETS)
    results, tally = place.results(place.run("late", "asset 01", through="1970-02-09"))
    assert [each.asset for each in results] == ["asset 01", "late"]
    assert (tally.assets, tally.failed) == (2, 1)
    (tmp_path / "shorter").mkdir()
    shorter = Place(tmp_path / "shorter")
    put(shorter.store, fleet(), 0)
    expected, _ = shorter.results(shorter.run("late", "asset 01", through="1970-02-09"))
    assert results == expected


def test_an_asset_that_there_is_no_memory_for_fails_alone_and_says_how_much(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(place.store, fleet(["large"], range(2_000)), 1)
    monkeypatch.setattr("anomscan.jobs.run.MOST_VALUES", 1_000)
    monkeypatch.setattr("anomscan.memory.free_bytes", lambda: 500_000)
    results, tally = place.results(place.run())
    assert tally.failures == [
        ("large", "to scan 2,000 samples of 1 variable takes about 1 MB of memory, and 1 MB are free")
    ]
    assert [each.asset for each in results] == sorted([*ASSETS, "large"])
    monkeypatch.setattr("anomscan.memory.free_bytes", lambda: 600_000)
    assert place.results(place.run())[1].failures == []
