"""Finished partitions on disk, each in files of its own, until the run is complete.

========================  ===============================================================================
``checkpoint.json``       which run they are of
``PARTITION.parquet``     the judged days of the partition's assets, with the columns of the run's scores
``PARTITION.jsonl``       their records, a summary, and a checksum over all of this
``merged-N.*``            records and days of many partitions, while the output is written
========================  ===============================================================================

A partition is finished once its second file is there. A file that is missing, torn or of another run costs its
partition: that is done again.
"""

from __future__ import annotations

import heapq
import json
import os
import re
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import chain, count
from pathlib import Path
from types import TracebackType
from typing import Self

from pyarrow import ArrowException
from pydantic import BaseModel, ConfigDict, NonNegativeInt

from anomscan.errors import InputError, OutputError
from anomscan.jobs.finished import Finished
from anomscan.jobs.tally import Tally
from anomscan.reports.results import EncodedRecord, read_days, write_scores, written
from anomscan.storage.durable import output_errors
from anomscan.storage.folder import UNFINISHED, Folder
from anomscan.storage.scratch import remove_abandoned, scratch_folder
from anomscan.store.partitions import Key, Partition

_BEGIN = b'{"schema": "anomscan.checkpoint/'
_MANIFEST = "checkpoint.json"
#: How partitions are called, and all files beside the manifest.
_PARTITION = r"nowhere|cohorts|\d\d-\d\d-[0-9a-f]{16}"
_OURS = rf"(?P<name>{_PARTITION}|merged-\d+)\.(?:jsonl|parquet)(?P<unfinished>{UNFINISHED})?|{_MANIFEST}{UNFINISHED}"
#: How many files of each kind are open at a time. Memory holds a row group of each.
FAN_IN = 64


class Checkpoint:
    """Gathers finished partitions; memory holds an index entry an asset. Used as a context manager.

    Parameters
    ----------
    path
        The folder to keep them in; None for one that is gone when this process ends.
    key
        Names the run: all that decides its results. Partitions of another run do not count.
    columns
        Further columns of the run's scores.
    resume
        Whether partitions that an interrupted run left there count; else they are dropped.

    Raises
    ------
    OutputError
        On entering: if something else is there. On entering and adding: if it cannot be written.
    """

    def __init__(self, path: Path | None, key: str, columns: Sequence[str], *, resume: bool = False) -> None:
        self._path, self._key, self._columns, self._resume = path, key, tuple(columns), resume
        self._parts: list[_Part] = []
        self._numbers = count()
        self.tallies: dict[str, Tally] = {}
        self.partitions: list[Partition] = []

    def __enter__(self) -> Self:
        remove_abandoned()
        with output_errors(self._named), ExitStack() as stack:
            if self._path is None:
                self._folder = Folder(stack.enter_context(scratch_folder()).path)
            else:
                self._folder = _own(self._path)
            stack.callback(self._folder.close)
            self._begin()
            self._resources = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and not self.tallies:
            self.remove()
        self._resources.close()

    def add(self, name: str, finished: Finished, partition: Partition | None) -> None:
        """Keep some results under a name, those of a partition or of none; they are on the disk when this returns."""
        results = sorted(finished.results, key=_asset)
        scores = BytesIO()
        write_scores(scores, results, self._columns, scratch=True)
        bounds = None if partition is None else (partition.low, partition.high, partition.assets)
        assets = [(each.asset, len(each.judged)) for each in results]
        summary = _Summary(partition=bounds, tally=finished.tally, assets=assets)
        content = b"".join(each.line + b"\n" for each in results) + summary.model_dump_json().encode() + b"\n"
        with output_errors(self._named):
            with self._folder.writing(f"{name}.parquet") as file:
                file.write(scores.getbuffer())
            with self._folder.writing(f"{name}.jsonl") as file:
                file.write(content + b"%d\n" % self._checksum(name, content, scores.getbuffer()))
        self._take(name, summary)

    def results(self) -> Iterator[EncodedRecord]:
        """All results, sorted by asset.

        Raises
        ------
        OutputError, InputError
            If a file of a partition has gone or was damaged since it was written.
        """
        while (excess := len(self._parts) - FAN_IN) > 0:
            self._parts.sort(key=lambda part: part.days)
            smallest = self._parts[: min(excess + 1, FAN_IN)]
            self._parts[: len(smallest)] = [self._merge(smallest)]
        yield from self._in_order(self._parts)

    def tally(self) -> Tally:
        """The counts of all partitions."""
        whole = Tally()
        for tally in self.tallies.values():
            whole.merge(tally)
        return whole

    def remove(self) -> None:
        """The run is complete; nothing is to be resumed."""
        if self._path is not None:
            self._clear()
            self._folder.remove(_MANIFEST)
            with suppress(OSError):  # what is still in it is not ours
                self._path.rmdir()

    @property
    def _named(self) -> Path:
        return self._path or Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - only to name it

    def _begin(self) -> None:
        """Take over what counts of what is there."""
        begin = _BEGIN + b'3", "run": %s}\n' % json.dumps(self._key).encode()
        if self._resume and _read(self._folder, _MANIFEST) == begin:
            names = [file.removesuffix(".jsonl") for file in self._folder.names() if file.endswith(".jsonl")]
            for name in names:
                if re.fullmatch(_PARTITION, name) and (summary := self._summary(name)):
                    self._take(name, summary)
            self._clear(keep=self.tallies)
            return
        self._clear()
        try:
            with self._folder.writing(_MANIFEST) as manifest:
                manifest.write(begin)
        except BaseException:
            self.remove()
            raise

    def _clear(self, keep: Collection[str] = ()) -> None:
        """Remove the files of all partitions but some; what has other names is not ours."""
        for file in self._folder.names():
            match = re.fullmatch(_OURS, file)
            if match and (match["unfinished"] or match["name"] not in keep):
                self._folder.remove(file)

    def _summary(self, name: str) -> _Summary | None:
        """What the files of a partition say; None if they are not whole, or not of this run."""
        content, scores = _read(self._folder, f"{name}.jsonl"), _read(self._folder, f"{name}.parquet")
        end = content.rfind(b"\n", 0, -1) + 1
        if content[end:] != b"%d\n" % self._checksum(name, content[:end], scores):
            return None
        try:
            *records, line, _ = content[:end].split(b"\n")
            summary = _Summary.model_validate_json(line)
        except ValueError:
            return None
        return summary if len(records) == len(summary.assets) else None

    def _checksum(self, name: str, content: bytes, scores: bytes | memoryview) -> int:
        return zlib.crc32(scores, zlib.crc32(content, zlib.crc32(f"{self._key} {name}".encode())))

    def _take(self, name: str, summary: _Summary) -> None:
        self._parts.append(_Part(name, summary.assets))
        self.tallies[name] = summary.tally
        if summary.partition is not None:
            self.partitions.append(Partition(*summary.partition))

    def _merge(self, parts: Sequence[_Part]) -> _Part:
        """Some parts as one."""
        merged = _Part(f"merged-{next(self._numbers)}", sorted(chain.from_iterable(part.assets for part in parts)))
        with (
            output_errors(self._named),
            self._folder.writing(f"{merged.name}.jsonl") as lines,
            self._folder.writing(f"{merged.name}.parquet") as scores,
        ):
            results = written(self._in_order(parts), lines.write)
            write_scores(scores, results, self._columns, scratch=True)
        return merged

    def _in_order(self, parts: Sequence[_Part]) -> Iterator[EncodedRecord]:
        with ExitStack() as files:
            yield from heapq.merge(*(self._read(part, files) for part in parts), key=_asset)

    def _read(self, part: _Part, files: ExitStack) -> Iterator[EncodedRecord]:
        try:
            with output_errors(self._named):
                lines = files.enter_context(self._folder.open(f"{part.name}.jsonl"))
                scores = files.enter_context(self._folder.open(f"{part.name}.parquet"))
                days = read_days(scores, [days for _, days in part.assets], self._columns)
                for asset, _ in part.assets:
                    yield EncodedRecord(asset, next(lines).removesuffix(b"\n"), next(days), self._columns)
        except (ValueError, KeyError, StopIteration, ArrowException):
            raise InputError(
                f"{self._named}: {part.name} was damaged", hint="run the same command with --resume"
            ) from None


class _Summary(BaseModel):
    """What is known of a partition beside its records: its bounds, its counts, and how many days each asset has."""

    model_config = ConfigDict(strict=True)

    partition: tuple[Key, Key, int] | None
    tally: Tally
    assets: list[tuple[str, NonNegativeInt]]


@dataclass(frozen=True, slots=True)
class _Part:
    """A pair of files: its name, and (asset, judged days) in the order in which they stand there."""

    name: str
    assets: Sequence[tuple[str, int]]

    @property
    def days(self) -> int:
        return sum(days for _, days in self.assets)


def _asset(result: EncodedRecord) -> str:
    return result.asset


def _read(folder: Folder, name: str) -> bytes:
    """A file; nothing if it is not there, or something else is."""
    try:
        return folder.read(name)
    except OSError:
        return b""


def _own(path: Path) -> Folder:
    """The folder of a checkpoint, made if nothing is there.

    Raises
    ------
    OutputError
        If something else is there.
    """
    with suppress(FileExistsError):
        path.mkdir()
    with suppress(NotADirectoryError):
        folder = Folder(path)
        # A run that is killed at its very beginning leaves it empty.
        if {*folder.names()} <= {_MANIFEST + UNFINISHED} or _read(folder, _MANIFEST).startswith(_BEGIN):
            return folder
        folder.close()
    raise OutputError(f"{path} is in the way: it is not a checkpoint", hint="move it, or name another output")
