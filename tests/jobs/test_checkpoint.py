"""The checkpoint: what is whole in it counts, whatever befell the rest; what is not its own is left alone."""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from anomscan.backtest.verdicts import Verdict
from anomscan.errors import InputError, OutputError
from anomscan.jobs import checkpoint as module
from anomscan.jobs.checkpoint import Checkpoint
from anomscan.jobs.finished import Finished
from anomscan.jobs.tally import Tally
from anomscan.reports.records import Record
from anomscan.reports.results import EncodedRecord
from anomscan.store.partitions import Partition, key_of

KEY, COLUMNS = "a run", ("severity", "place")
DAY = np.dtype(
    [("timestamp", "<i8"), ("score", "<f8"), ("cutoff", "<f8"), ("verdict", "i1"), *((name, "<f8") for name in COLUMNS)]
)


def finished(*assets: str, size: int = 40) -> tuple[str, Finished, Partition]:
    """What a partition of assets came to; every third failed."""
    results, tally = [], Tally()
    for place, asset in enumerate(assets):
        error = "broken" if place % 3 == 2 else None
        verdicts = {"ok": 0 if error else len(asset)}
        tally.add(Record("s", asset, "d", None, None, [], [], verdicts, error))
        days = np.zeros(0 if error else size * (place + 1), DAY)
        for name in ("score", "cutoff", *COLUMNS):
            days[name] = np.random.default_rng(len(assets)).normal(size=len(days))
        days["severity"][::3] = np.nan
        days["timestamp"] = np.arange(len(days)) * 10**9 + place
        days["verdict"] = np.arange(len(days)) % len(Verdict)
        line = json.dumps({"asset": asset, "error": error}).encode()
        results.append(EncodedRecord(asset, line, days.tobytes(), COLUMNS))
    tally.stages = {"scan": 1.0}
    tally.ranked, tally.notes, tally.failures = [(3, "é", "a..b")], ["note"], [("a", "broken")]
    partition = Partition(key_of(assets[0]), key_of(assets[-1]), len(assets))
    return partition.name, Finished(results, tally), partition


PARTITIONS = [finished("c", "b", "a"), finished("é"), finished("x\ny", "", "z z", "\U0001f9ca")]


def opened(path: Path | None, key: str = KEY, *, resume: bool = False) -> Checkpoint:
    return Checkpoint(path, key, COLUMNS, resume=resume)


def kept(checkpoint: Checkpoint) -> tuple[object, ...]:
    """All that a checkpoint knows."""
    partitions = sorted(checkpoint.partitions, key=lambda partition: partition.name)
    return list(checkpoint.results()), checkpoint.tally(), sorted(checkpoint.tallies), partitions


NOTHING = ([], Tally(), [], [])


def checkpoint_of(path: Path | None, number: int) -> tuple[object, ...]:
    """Write the first partitions; what the checkpoint knows then."""
    with opened(path) as checkpoint:
        for name, result, partition in PARTITIONS[:number]:
            checkpoint.add(name, result, partition)
        return kept(checkpoint)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl.parts"


def test_results_come_sorted_and_counts_add_up(path: Path) -> None:
    results, tally, names, partitions = checkpoint_of(path, 3)
    expected = {each.asset: each for _, result, _ in PARTITIONS for each in result.results}
    assert results == [expected[asset] for asset in sorted(expected)]
    assert (tally.assets, tally.failed, tally.stages) == (8, 2, {"scan": 3.0})
    assert names == sorted(name for name, _, _ in PARTITIONS)
    assert {each.name: each for each in partitions} == {name: partition for name, _, partition in PARTITIONS}
    with opened(path, resume=True) as checkpoint:
        assert kept(checkpoint) == (results, tally, names, partitions)


def test_one_without_a_path_is_the_same_and_leaves_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    assert checkpoint_of(None, 3) == checkpoint_of(path, 3)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_its_files_are_those_that_people_can_read(path: Path) -> None:
    checkpoint_of(path, 1)
    name, result, _ = PARTITIONS[0]
    assert set(content(path)) == {"checkpoint.json", f"{name}.jsonl", f"{name}.parquet"}
    scores = pq.read_table(path / f"{name}.parquet")
    assert scores.column_names == ["asset", "timestamp", "score", "cutoff", "verdict", *COLUMNS]
    assert scores.num_rows == sum(len(each.judged) for each in result.results)
    lines = (path / f"{name}.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["asset"] for line in lines[:-2]] == ["a", "b", "c"]
    assert json.loads((path / "checkpoint.json").read_bytes())["run"] == KEY


@pytest.mark.parametrize("number", [1, 2, 3, 7])
def test_many_partitions_are_merged_a_few_at_a_time(path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    partitions = [finished(*(f"{n:02d} of {place}" for n in range(place % 3 + 1))) for place in range(20)]
    expected = sorted((each for _, result, _ in partitions for each in result.results), key=lambda each: each.asset)
    monkeypatch.setattr(module, "FAN_IN", number + 1)
    with opened(path) as checkpoint:
        for name, result, partition in partitions:
            checkpoint.add(name, result, partition)
        assert list(checkpoint.results()) == list(checkpoint.results()) == expected
        before = set(content(path))
        assert any(name.startswith("merged") for name in before)
    # Interrupted after that, it is resumed from the partitions.
    with opened(path, resume=True) as checkpoint:
        assert set(content(path)) == {name for name in before if not name.startswith("merged")}
        assert len(checkpoint.tallies) == 20
        assert list(checkpoint.results()) == expected
        checkpoint.remove()
    assert not path.exists()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_torn_missing_or_flipped_it_costs_its_partition_alone(path: Path, suffix: str) -> None:
    two = checkpoint_of(path, 2)
    start = set(content(path))
    three = checkpoint_of(path, 3)
    file = path / f"{PARTITIONS[2][0]}.{suffix}"
    whole, files = file.read_bytes(), content(path)
    step = max(len(whole) // 100, 1)
    flips = [whole[:n] + bytes([whole[n] ^ 1 << n % 8]) + whole[n + 1 :] for n in range(0, len(whole), step)]
    torn = [whole[:n] for n in range(0, len(whole), 2 * step)]
    longer = [whole + end for end in (b"\n", bytes(9), b"{}\n", whole)]
    for spoilt in [None, *torn, whole[:-1], *flips, *longer, bytes(len(whole))]:
        file.unlink() if spoilt is None else file.write_bytes(spoilt)
        with opened(path, resume=True) as checkpoint:
            assert kept(checkpoint) == two
            assert set(content(path)) == start
            checkpoint.add(*PARTITIONS[2])
            assert kept(checkpoint) == three
        assert content(path) == files


def test_what_a_killed_writer_left_unfinished_goes(path: Path) -> None:
    three = checkpoint_of(path, 3)
    files = content(path)
    for name in ("checkpoint.json", f"{PARTITIONS[0][0]}.jsonl", f"{PARTITIONS[0][0]}.parquet", "merged-0.parquet"):
        (path / f"{name}.tmp").write_bytes(b"half")
    (path / "merged-0.jsonl").write_bytes(b"whole")
    with opened(path, resume=True) as checkpoint:
        assert kept(checkpoint) == three
        assert set(content(path)) - set(files) <= {"checkpoint.json.tmp"}
        checkpoint.remove()
    assert not path.exists()


def test_a_partition_of_another_run_or_under_another_name_does_not_count(path: Path, tmp_path: Path) -> None:
    two = checkpoint_of(path, 2)
    name, other = PARTITIONS[2][0], finished("another")[0]
    with opened(tmp_path / "other", "another run") as checkpoint:
        checkpoint.add(*PARTITIONS[2])
    for suffix in (".jsonl", ".parquet"):
        shutil.copy(tmp_path / "other" / (name + suffix), path / (name + suffix))
        shutil.copy(path / (PARTITIONS[0][0] + suffix), path / (other + suffix))
    with opened(path, resume=True) as checkpoint:
        assert kept(checkpoint) == two


@pytest.mark.parametrize(
    "change",
    [
        lambda summary: summary.pop("tally"),
        lambda summary: summary["tally"].update(assets="many"),
        lambda summary: summary["tally"].update(ranked=[[1]]),
        lambda summary: summary.update(partition=[[1, "a"], [2]]),
        lambda summary: summary["assets"].append(["more", 1]),
        lambda summary: summary["assets"][0].append(1),
        lambda summary: summary["assets"][0].__setitem__(1, -1),
        lambda summary: summary.clear(),
    ],
)
def test_a_summary_of_another_shape_does_not_count(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    checkpoint_of(path, 1)
    name = PARTITIONS[0][0]
    *records, line, _ = (path / f"{name}.jsonl").read_bytes().splitlines()
    summary = json.loads(line)
    change(summary)
    written = b"\n".join([*records, json.dumps(summary).encode(), b""])
    with opened(None) as checkpoint:
        checksum = checkpoint._checksum(name, written, (path / f"{name}.parquet").read_bytes())
    (path / f"{name}.jsonl").write_bytes(written + b"%d\n" % checksum)
    with opened(path, resume=True) as checkpoint:
        assert kept(checkpoint) == NOTHING


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize("spoil", [lambda file: file.write_bytes(b"PAR1"), lambda file: file.unlink()])
def test_a_file_that_is_spoilt_during_the_run_is_said(path: Path, suffix: str, spoil: Callable[[Path], None]) -> None:
    with opened(path) as checkpoint:
        checkpoint.add(*PARTITIONS[0])
        spoil(path / f"{PARTITIONS[0][0]}.{suffix}")
        with pytest.raises((InputError, OutputError), match=r"out\.jsonl\.parts"):
            kept(checkpoint)


def test_only_the_same_run_resumes_and_only_if_asked(path: Path) -> None:
    three = checkpoint_of(path, 3)
    with opened(path, resume=True) as checkpoint:
        assert kept(checkpoint) == three
    with opened(path, KEY + "2", resume=True) as checkpoint:
        assert kept(checkpoint) == NOTHING
    with opened(path, resume=True) as checkpoint:
        assert kept(checkpoint) == NOTHING
    checkpoint_of(path, 3)
    with opened(path) as checkpoint:
        assert kept(checkpoint) == NOTHING


def test_a_partition_of_nowhere_has_a_name_and_no_bounds(path: Path) -> None:
    with opened(path) as checkpoint:
        checkpoint.add("nowhere", PARTITIONS[0][1], None)
        before = kept(checkpoint)
        assert checkpoint.partitions == []
    with opened(path, resume=True) as checkpoint:
        assert kept(checkpoint) == before


def a_file(path: Path) -> None:
    path.write_text("my parts")


def an_older_one(path: Path) -> None:
    path.write_bytes(b"anomscan.checkpoint/1 a run\n")


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "mine").write_text("precious")


def a_folder_with_a_file_of_that_name(path: Path) -> None:
    path.mkdir()
    (path / "checkpoint.json").write_text('{"schema": "torch"}')


def a_folder_with_a_link(path: Path) -> None:
    checkpoint_of(path.with_name("victim"), 3)
    path.mkdir()
    (path / "checkpoint.json").symlink_to(path.with_name("victim") / "checkpoint.json")


def a_link_to_a_checkpoint(path: Path) -> None:
    checkpoint_of(path.with_name("victim"), 3)
    path.symlink_to(path.with_name("victim"))


def a_link_to_a_file(path: Path) -> None:
    path.with_name("victim").write_text("precious")
    path.symlink_to(path.with_name("victim"))


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to(path.with_name("victim"))


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize(
    "lay",
    [
        *(a_file, an_older_one, a_folder, a_folder_with_a_file_of_that_name, a_folder_with_a_link),
        *(a_link_to_a_checkpoint, a_link_to_a_file, a_link_to_nothing, a_pipe),
    ],
)
def test_what_is_not_a_checkpoint_is_refused_and_stays(
    path: Path, tmp_path: Path, lay: Callable[[Path], None], resume: bool
) -> None:
    lay(path)

    def there() -> dict[str, object]:
        return {
            str(each): (each.lstat().st_mode, each.lstat().st_ino, each.is_file() and each.read_bytes())
            for each in tmp_path.rglob("*")
        }

    before = there()
    with (
        pytest.raises(OutputError, match=r"out\.jsonl\.parts is in the way: .*move it, or name another output"),
        opened(path, resume=resume),
    ):
        pytest.fail("the block must not run")
    assert there() == before


def test_what_strangers_lay_in_it_is_neither_read_nor_removed(path: Path, tmp_path: Path) -> None:
    checkpoint_of(path, 3)
    name = PARTITIONS[2][0]
    precious = tmp_path / "precious"
    shutil.move(path / f"{name}.parquet", precious)
    (path / f"{name}.parquet").symlink_to(precious)
    (path / f"{name}.parquet.tmp").symlink_to(precious)
    os.mkfifo(path / "nowhere.jsonl")
    (path / "notes.jsonl").write_text("mine")
    whole = precious.read_bytes()
    with opened(path, resume=True) as checkpoint:
        assert sorted(checkpoint.tallies) == sorted(name for name, _, _ in PARTITIONS[:2])
        checkpoint.add(*PARTITIONS[2])
        assert len(list(checkpoint.results())) == 8
        checkpoint.remove()
    assert content(path) == {"notes.jsonl": b"mine"}
    assert precious.read_bytes() == whole


def test_an_empty_folder_is_taken(path: Path) -> None:
    path.mkdir()
    checkpoint_of(path, 1)
    shutil.rmtree(path)
    path.mkdir()
    (path / "checkpoint.json.tmp").write_bytes(b"{")
    checkpoint_of(path, 1)
    assert len(content(path)) == 3


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
    large = finished(*(f"asset {n}" for n in range(300)), size=2)
    two = checkpoint_of(path, 2)
    whole = content(path)
    with opened(path, resume=True) as checkpoint:
        with small_disk(size), pytest.raises(OutputError, match="cannot be written"):
            checkpoint.add(*large)
        assert kept(checkpoint) == two
        assert whole.items() <= content(path).items()
        shutil.copytree(path, path.with_name("killed"))
        # There is room again.
        checkpoint.add(*PARTITIONS[2])
        after = kept(checkpoint)
        assert after[2] == sorted(name for name, _, _ in PARTITIONS)
    with opened(path, resume=True) as checkpoint:
        assert kept(checkpoint) == after
    with opened(path.with_name("killed"), resume=True) as checkpoint:
        assert kept(checkpoint) == two
    assert content(path.with_name("killed")) == whole


def test_a_disk_that_is_full_while_partitions_are_merged(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    three = checkpoint_of(path, 3)
    monkeypatch.setattr(module, "FAN_IN", 2)
    with opened(path, resume=True) as checkpoint:
        with small_disk(100), pytest.raises(OutputError, match="cannot be written"):
            kept(checkpoint)
        assert kept(checkpoint) == three


def test_a_disk_that_is_full_from_the_start(path: Path) -> None:
    with small_disk(0), pytest.raises(OutputError, match="cannot be written"), opened(path):
        pytest.fail("the block must not run")
    assert not path.exists()
    assert checkpoint_of(path, 1)[1].assets == 3


def test_without_a_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    with pytest.raises(OutputError, match="cannot be written"), opened(None):
        pytest.fail("the block must not run")


def test_it_is_gone_with_a_run_that_finished_nothing_or_all(path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), opened(path):
        raise KeyboardInterrupt
    assert not path.exists()
    with opened(path) as checkpoint:
        checkpoint.add(*PARTITIONS[0])
        checkpoint.remove()
        assert not path.exists()
        checkpoint.remove()
