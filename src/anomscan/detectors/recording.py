"""Recording and replaying a remote detector, at the boundary where points go out and scores come back.

One request is all points of one asset in one call, so a recording does not depend on how requests are packed for the
wire, or on the number of workers. A line is ``{"request": SHA-256, "count": m, "scores": [...], "detector": ...,
"endpoint": ..., "at": ...}``; no header and no secret ever gets here.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from anomscan.detectors.points import Floats32
from anomscan.errors import AnomscanError, ConfigError, InputError
from anomscan.storage.durable import replace_file
from anomscan.storage.untrusted import open_regular, parse_json
from anomscan.telemetry.series import Floats
from anomscan.wording import counted


class Scorer(Protocol):
    """Scores points elsewhere. Threads may share it."""

    def score(self, points: Sequence[Floats32]) -> list[Floats | AnomscanError]:
        """Score the points of some assets, at least one.

        Parameters
        ----------
        points
            (m, d) float32, little-endian, finite; an asset each, m >= 1 and d the same for all.

        Returns
        -------
        For each asset its (m,) float64 scores, all finite, or why it has none.

        Raises
        ------
        AnomscanError
            Where nothing can be scored at all.
        """


@contextmanager
def taped(
    open_scorer: Callable[[], AbstractContextManager[Scorer]],
    *,
    detector: str,
    endpoint: str,
    record: Path | None,
    replay: Path | None,
) -> Iterator[Scorer]:
    """A scorer that is recorded, replayed, or neither.

    Parameters
    ----------
    open_scorer
        Reaches the service; not called for a replay.
    detector, endpoint
        Their names.
    record
        The file to write when the block ends, and only if it ends well.
    replay
        The file to answer from.

    Raises
    ------
    ConfigError
        For both files at once.
    InputError
        If the file to replay cannot be used.
    OutputError
        If the file to record cannot be written; an old one stays.
    """
    if record is not None and replay is not None:
        raise ConfigError("--record and --replay exclude each other", hint="give one of them")
    if replay is not None:
        yield Replay(replay, endpoint)
        return
    if record is None:
        with open_scorer() as scorer:
            yield scorer
        return
    with replace_file(record) as file, open_scorer() as scorer:
        yield Recorder(scorer, file, detector, endpoint)


class Recorder:
    """Passes points to a scorer and keeps its responses.

    Parameters
    ----------
    scorer
        Who answers.
    file
        Where a line goes for each request that was answered and is not there yet.
    detector, endpoint
        Their names.
    """

    def __init__(self, scorer: Scorer, file: BinaryIO, detector: str, endpoint: str) -> None:
        self._scorer = scorer
        self._file = file
        self._names = {"detector": detector, "endpoint": endpoint}
        self._kept: set[str] = set()
        self._lock = threading.Lock()

    def score(self, points: Sequence[Floats32]) -> list[Floats | AnomscanError]:
        """See :meth:`Scorer.score`. An asset that failed is not kept."""
        found = self._scorer.score(points)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        for table, scores in zip(points, found, strict=True):
            if isinstance(scores, AnomscanError):
                continue
            request = digest(table)
            entry = {"request": request, "count": len(scores), "scores": scores.tolist(), **self._names, "at": at}
            line = json.dumps(entry, ensure_ascii=False, allow_nan=False).encode() + b"\n"
            with self._lock:
                if request not in self._kept:
                    self._kept.add(request)
                    self._file.write(line)
        return found


class Replay:
    """Answers from a recording; nothing is sent.

    Parameters
    ----------
    path
        What a :class:`Recorder` wrote.
    endpoint
        Whose answers count.

    Raises
    ------
    InputError
        If the file is missing, cut off, not a recording, or contradicts itself.
    """

    def __init__(self, path: Path, endpoint: str) -> None:
        self._path = path
        self._endpoint = endpoint
        self._scores: dict[str, Floats] = {}
        self._others: set[str] = set()
        for line, request, scores, answered_by in _read(path):
            if answered_by != endpoint:
                self._others.add(answered_by)
            elif request in self._scores and not np.array_equal(self._scores[request], scores):
                raise InputError(f"{path} line {line} gives request {request} other scores than an earlier line")
            else:
                self._scores[request] = scores

    def score(self, points: Sequence[Floats32]) -> list[Floats | AnomscanError]:
        """See :meth:`Scorer.score`.

        Raises
        ------
        InputError
            For a request that is not in the file.
        """
        return [self._one(table) for table in points]

    def _one(self, points: Floats32) -> Floats:
        request = digest(points)
        scores = self._scores.get(request)
        if scores is None or len(scores) != len(points):
            others = f" (it has some of {', '.join(sorted(self._others))})" if self._others else ""
            raise InputError(
                f"{self._path} has no response of endpoint '{self._endpoint}' to request {request}, "
                f"{counted(len(points), 'point')} of dimension {points.shape[1]}{others}",
                hint="the data or the settings differ from the recorded run: record again with --record",
            )
        return scores.copy()


def digest(points: Floats32) -> str:
    """The SHA-256 of (m, d) points: of their shape, then of their float32 bytes, little-endian, row by row.

    >>> digest(np.zeros((2, 3), np.float32)) == digest(np.zeros((3, 2), np.float32))
    False
    """
    table = np.ascontiguousarray(points, "<f4")
    return hashlib.sha256(f"{table.shape[0]}x{table.shape[1]}:".encode() + table.tobytes()).hexdigest()


def _read(path: Path) -> Iterator[tuple[int, str, Floats, str]]:
    try:
        with open_regular(path) as file:
            for line, text in enumerate(file, 1):
                try:
                    entry = parse_json(text)
                    request, endpoint = (_text(entry[key]) for key in ("request", "endpoint"))
                    count = _count(entry["count"])
                    table = np.array(entry["scores"], np.float64)
                except (ValueError, KeyError, TypeError, OverflowError):
                    raise InputError(
                        f"{path} line {line} is cut off or not a recorded request", hint="record again with --record"
                    ) from None
                if table.shape != (count,) or not all(map(math.isfinite, table)):
                    raise InputError(f"{path} line {line} does not hold {counted(count, 'score')}", hint="record again")
                yield line, request, table, endpoint
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", hint="name a file that --record wrote") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value


def _count(value: object) -> int:
    if type(value) is not int:
        raise TypeError("count")
    return value
