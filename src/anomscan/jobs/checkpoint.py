r"""Finished partitions on disk, one after another, until the run is complete.

=====================  ==================================================================================
a line                 ``anomscan.checkpoint/1`` and the run's key
uint64, uint32         the length of an entry in bytes, and its CRC-32
entry                  a line of JSON (name, partition, tally, and of each result its asset, columns and two
                       lengths), then of each result its record and its judged days
=====================  ==================================================================================

An entry counts when it is whole; what a killed run left half-written is cut off by the next one.
"""

from __future__ import annotations

import json
import os
import struct
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from anomscan.jobs.finished import Finished
from anomscan.jobs.tally import Tally
from anomscan.reports.results import EncodedRecord
from anomscan.storage.durable import output_errors
from anomscan.store.partitions import Partition

_SCHEMA = "anomscan.checkpoint/1"
_FRAME = struct.Struct("<QI")

#: Of a result: its asset, its columns, and the lengths of its record and its days in bytes.
_Listed = tuple[str, tuple[str, ...], int, int]


class Checkpoint:
    """Gathers finished partitions; memory holds an index entry an asset. Used as a context manager.

    Parameters
    ----------
    path
        Where to keep them; None for a file that is gone with this process.
    key
        Names the run: all that decides its results. Partitions of another run do not count.
    resume
        Whether partitions that an interrupted run left there count; else they are dropped.

    Raises
    ------
    OutputError
        On entering and adding: if it cannot be written.
    """

    def __init__(self, path: Path | None, key: str, *, resume: bool = False) -> None:
        self._path, self._key, self._resume = path, key, resume
        self._places: dict[str, tuple[int, int, int, tuple[str, ...]]] = {}
        self.tallies: dict[str, Tally] = {}
        self.partitions: list[Partition] = []

    def __enter__(self) -> Self:
        with output_errors(self._named):
            if self._path is None:
                self._file: IO[bytes] = tempfile.TemporaryFile(prefix="anomscan-")
            else:
                self._file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b")
            try:
                self._begin()
            except BaseException:
                with suppress(OSError):
                    self._file.close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # a full disk once more
            self._file.close()
        if kind is not None and not self.tallies:
            self.remove()

    def add(self, name: str, finished: Finished, partition: Partition | None) -> None:
        """Keep some results under a name, those of a partition or of none; they are on the disk when this returns."""
        listed = [(each.asset, each.columns, len(each.line), len(each.days)) for each in finished.results]
        bounds = None if partition is None else [partition.low, partition.high, partition.assets]
        header = {"name": name, "partition": bounds, "tally": finished.tally.to_json(), "results": listed}
        parts = [json.dumps(header, ensure_ascii=False).encode() + b"\n"]
        for each in finished.results:
            parts += (each.line, each.days)
        entry = b"".join(parts)
        with output_errors(self._named):
            start = self._file.seek(0, os.SEEK_END)
            try:
                self._file.write(_FRAME.pack(len(entry), zlib.crc32(entry)) + entry)
                self._file.flush()
                if self._path is not None:
                    os.fsync(self._file.fileno())
            except OSError:
                with suppress(OSError):
                    self._file.truncate(start)
                raise
        self._take(name, finished.tally, partition, listed, start + _FRAME.size + len(parts[0]))

    def results(self) -> Iterator[EncodedRecord]:
        """All results, sorted by asset."""
        # Without a buffer, for what follows one asset here is another one's.
        with FileIO(self._file.fileno(), closefd=False) as file:
            for asset in sorted(self._places):
                place, line, days, columns = self._places[asset]
                with output_errors(self._named):
                    file.seek(place)
                    content = file.read(line + days)
                yield EncodedRecord(asset, content[:line], content[line:], columns)

    def tally(self) -> Tally:
        """The counts of all partitions."""
        whole = Tally()
        for tally in self.tallies.values():
            whole.merge(tally)
        return whole

    def remove(self) -> None:
        """The run is complete; nothing is to be resumed."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()

    @property
    def _named(self) -> Path:
        return self._path or Path(tempfile.gettempdir())

    def _begin(self) -> None:
        """Take over what counts of what is there."""
        begin = f"{_SCHEMA} {self._key}\n".encode()
        if self._file.readline() == begin and self._resume:
            self._read()
        else:
            try:
                self._file.seek(0)
                self._file.truncate()
                self._file.write(begin)
                self._file.flush()
            except BaseException:
                self.remove()
                raise

    def _read(self) -> None:
        """Take the whole entries, and cut off what follows them."""
        good, end = self._file.tell(), os.fstat(self._file.fileno()).st_size
        while len(frame := self._file.read(_FRAME.size)) == _FRAME.size:
            length, checksum = _FRAME.unpack(frame)
            if not 0 < length <= end - good - _FRAME.size:  # a power cut may leave zeros
                break
            entry = self._file.read(length)
            if zlib.crc32(entry) != checksum:
                break
            self._index(entry, good + _FRAME.size)
            good = self._file.tell()
        self._file.truncate(good)

    def _index(self, entry: bytes, start: int) -> None:
        length = entry.index(b"\n") + 1
        header = json.loads(entry[:length])
        partition = None
        if header["partition"] is not None:
            low, high, assets = header["partition"]
            partition = Partition((low[0], low[1]), (high[0], high[1]), assets)
        results = [(asset, tuple(columns), line, days) for asset, columns, line, days in header["results"]]
        self._take(header["name"], Tally.from_json(header["tally"]), partition, results, start + length)

    def _take(
        self, name: str, tally: Tally, partition: Partition | None, results: Sequence[_Listed], place: int
    ) -> None:
        self.tallies[name] = tally
        if partition is not None:
            self.partitions.append(partition)
        for asset, columns, line, days in results:
            self._places[asset] = (place, line, days, columns)
            place += line + days
