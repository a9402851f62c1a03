"""The checkpoint: what is whole in it counts, whatever befell the rest."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from anomscan.errors import OutputError
from anomscan.jobs.checkpoint import Checkpoint
from anomscan.jobs.finished import Finished
from anomscan.jobs.tally import Tally
from anomscan.reports.records import Record
from anomscan.reports.results import EncodedRecord
from anomscan.store.partitions import Partition, key_of

KEY = "a run"


def finished(*assets: str, size: int = 40) -> tuple[str, Finished, Partition]:
    """What a partition of assets came to; every third failed."""
    results, tally = [], Tally()
    for place, asset in enumerate(assets):
        error = "broken" if place % 3 == 2 else None
        verdicts = {"ok": 0 if error else len(asset)}
        tally.add(Record("s", asset, "d", None, None, [], [], verdicts, error))
        line = json.dumps({"asset": asset, "error": error}).encode()
        results.append(
            EncodedRecord(asset, line, bytes(range(size)) if place % 2 else b"", ("severity",) if place else ())
        )
    tally.stages = {"scan": 1.0}
    partition = Partition(key_of(assets[0]), key_of(assets[-1]), len(assets))
    return partition.name, Finished(results, tally), partition


PARTITIONS = [finished("a", "b", "c"), finished("é"), finished("x\ny", "", "z z", "\U0001f9ca")]


def kept(checkpoint: Checkpoint) -> tuple[object, ...]:
    """All that a checkpoint knows."""
    return list(checkpoint.results()), checkpoint.tally(), sorted(checkpoint.tallies), checkpoint.partitions


def journal_of(path: Path, number: int) -> tuple[object, ...]:
    """Write the first partitions; what the checkpoint knows then."""
    with Checkpoint(path, KEY) as checkpoint:
        for name, result, partition in PARTITIONS[:number]:
            checkpoint.add(name, result, partition)
        return kept(checkpoint)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl.parts"


def test_results_come_sorted_and_counts_add_up(path: Path) -> None:
    results, tally, names, partitions = journal_of(path, 3)
    expected = {each.asset: each for _, result, _ in PARTITIONS for each in result.results}
    assert results == [expected[asset] for asset in sorted(expected)]
    assert (tally.assets, tally.failed, tally.stages) == (8, 2, {"scan": 3.0})
    assert names == sorted(name for name, _, _ in PARTITIONS)
    assert partitions == [partition for _, _, partition in PARTITIONS]
    with Checkpoint(path, KEY, resume=True) as checkpoint:
        assert kept(checkpoint) == (results, tally, names, partitions)


def test_one_without_a_path_is_the_same(path: Path) -> None:
    with Checkpoint(None, KEY) as checkpoint:
        for name, result, partition in PARTITIONS:
            checkpoint.add(name, result, partition)
        assert kept(checkpoint) == journal_of(path, 3)


def test_torn_at_any_byte_the_whole_entries_count(path: Path) -> None:
    two = journal_of(path, 2)
    start = path.stat().st_size
    three = journal_of(path, 3)
    whole = path.read_bytes()
    for size in range(start, len(whole) + 1):
        path.write_bytes(whole[:size])
        with Checkpoint(path, KEY, resume=True) as checkpoint:
            assert kept(checkpoint) == (three if size == len(whole) else two)
            if size == len(whole):
                continue
            assert path.stat().st_size == start
            checkpoint.add(*PARTITIONS[2])
            assert kept(checkpoint) == three
        assert path.read_bytes() == whole


def test_torn_anywhere_at_all(path: Path) -> None:
    journal_of(path, 3)
    whole, counts = path.read_bytes(), []
    for size in range(0, len(whole), 5):
        path.write_bytes(whole[:size])
        with Checkpoint(path, KEY, resume=True) as checkpoint:
            counts.append(len(checkpoint.tallies))
            for name, result, partition in PARTITIONS:
                if name not in checkpoint.tallies:
                    checkpoint.add(name, result, partition)
        assert path.read_bytes() == whole
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2}


@pytest.mark.parametrize("flip", [0x01, 0x80])
def test_with_any_byte_flipped_the_entry_does_not_count(path: Path, flip: int) -> None:
    two = journal_of(path, 2)
    start = path.stat().st_size
    journal_of(path, 3)
    whole = path.read_bytes()
    for place in range(start, len(whole)):
        spoilt = bytearray(whole)
        spoilt[place] ^= flip
        path.write_bytes(spoilt)
        with Checkpoint(path, KEY, resume=True) as checkpoint:
            assert kept(checkpoint) == two
        assert path.read_bytes() == whole[:start]


@pytest.mark.parametrize(
    "tail", [bytes(4096), bytes(12), b"\xff" * 100, b"\n", b"anomscan.checkpoint/1 a run\n", bytes(11)]
)
def test_what_a_power_cut_leaves_at_the_end_does_not_count(path: Path, tail: bytes) -> None:
    three = journal_of(path, 3)
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    with Checkpoint(path, KEY, resume=True) as checkpoint:
        assert kept(checkpoint) == three
    assert path.read_bytes() == whole


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize(
    "content", [None, b"", b"anomscan.checkpoint/1 another run\n", b"{}", b"\0" * 5000, b"anomscan.jour"]
)
def test_what_is_not_of_this_run_is_dropped(path: Path, content: bytes | None, resume: bool) -> None:
    if content is not None:
        path.write_bytes(content)
    with Checkpoint(path, KEY, resume=resume) as checkpoint:
        assert kept(checkpoint) == ([], Tally(), [], [])
        checkpoint.add(*PARTITIONS[0])
        alone = kept(checkpoint)
    with Checkpoint(path, KEY, resume=True) as checkpoint:
        assert kept(checkpoint) == alone


def test_only_the_same_run_resumes_and_only_if_asked(path: Path) -> None:
    three = journal_of(path, 3)
    with Checkpoint(path, KEY, resume=True) as checkpoint:
        assert kept(checkpoint) == three
    with Checkpoint(path, KEY + "2", resume=True) as checkpoint:
        assert kept(checkpoint) == ([], Tally(), [], [])
    with Checkpoint(path, KEY, resume=True) as checkpoint:
        assert kept(checkpoint) == ([], Tally(), [], [])
    journal_of(path, 3)
    with Checkpoint(path, KEY) as checkpoint:
        assert kept(checkpoint) == ([], Tally(), [], [])


def test_a_unit_of_nowhere_has_a_name_and_no_bounds(path: Path) -> None:
    with Checkpoint(path, KEY) as checkpoint:
        checkpoint.add("nowhere", PARTITIONS[0][1], None)
        before = kept(checkpoint)
        assert checkpoint.partitions == []
    with Checkpoint(path, KEY, resume=True) as checkpoint:
        assert kept(checkpoint) == before


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """No file grows beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [1, 4096, 20_000])
def test_after_a_full_disk_what_was_there_is_there_and_more_can_come(path: Path, size: int) -> None:
    large = finished(*(f"asset {n}" for n in range(300)), size=256)
    two = journal_of(path, 2)
    start = path.stat().st_size
    whole = path.read_bytes()
    with Checkpoint(path, KEY, resume=True) as checkpoint:
        with small_disk(max(size, start)), pytest.raises(OutputError, match="cannot be written"):
            checkpoint.add(*large)
        assert kept(checkpoint) == two
        shutil.copy(path, path.with_name("killed"))
        # There is room again.
        checkpoint.add(*PARTITIONS[2])
        after = kept(checkpoint)
        assert after[2] == sorted(name for name, _, _ in PARTITIONS)
    with Checkpoint(path, KEY, resume=True) as checkpoint:
        assert kept(checkpoint) == after
    with Checkpoint(path.with_name("killed"), KEY, resume=True) as checkpoint:
        assert kept(checkpoint) == two
    assert path.with_name("killed").read_bytes() == whole


def test_a_disk_that_is_full_from_the_start(path: Path) -> None:
    with small_disk(0), pytest.raises(OutputError, match="cannot be written"), Checkpoint(path, KEY):
        pytest.fail("the block must not run")
    assert kept_anew(path)


def kept_anew(path: Path) -> bool:
    """Whether the place can be used again."""
    with Checkpoint(path, KEY, resume=True) as checkpoint:
        checkpoint.add(*PARTITIONS[0])
        return len(checkpoint.tallies) == 1


def test_a_place_that_cannot_be_written(path: Path) -> None:
    path.mkdir()
    with pytest.raises(OutputError, match="Is a directory"), Checkpoint(path, KEY):
        pytest.fail("the block must not run")


def test_removed_it_is_gone_and_a_second_time_no_harm(path: Path) -> None:
    with Checkpoint(path, KEY) as checkpoint:
        checkpoint.add(*PARTITIONS[0])
        checkpoint.remove()
        assert not path.exists()
        checkpoint.remove()
        assert len(list(checkpoint.results())) == 3
