"""What is done with a unit: read it, score it, judge it, say what was found. It may be done on another machine."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from anomscan.backtest.asset import AssetScan
from anomscan.backtest.failures import Failure, surviving
from anomscan.backtest.fleet import Backtest
from anomscan.detectors.base import FrozenDetector
from anomscan.detectors.kept import Keeper, Kept, KeptDetector, continued
from anomscan.errors import AssetError
from anomscan.reports.findings import notes_of, record_of
from anomscan.reports.records import Record
from anomscan.reports.results import Packed
from anomscan.runs.finished import Finished
from anomscan.runs.job import Horizon
from anomscan.runs.tally import Tally
from anomscan.telemetry.series import Series
from anomscan.telemetry.snapshot import AwayError, FileId, Snapshot
from anomscan.telemetry.units import Unit, key_of


@dataclass(frozen=True, slots=True)
class Piece:
    """The telemetry of a unit whose scores are kept in one file.

    Parameters
    ----------
    unit
        Which one.
    series
        Its assets' telemetry.
    kept
        What scores are kept of them.
    files
        The store's files that they go by; None if that is not known.
    end
        The checksum at the end of the file they are kept in; None if there is none that could be continued.
    """

    unit: Unit
    series: Sequence[Series]
    kept: Mapping[str, Kept] = field(default_factory=dict)
    files: frozenset[FileId] | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A unit whose telemetry comes with it, for a worker that does not see the store.

    Parameters
    ----------
    unit
        Which one.
    pieces
        Its telemetry.
    """

    unit: Unit
    pieces: Sequence[Piece]


class Away:
    """What a worker answers that does not see the store, or another state of it."""


@dataclass(frozen=True, slots=True)
class Work:
    """All that decides the results of a unit.

    Parameters
    ----------
    snapshot
        The telemetry.
    horizon
        How much of it exists.
    backtest
        The detector and the rules.
    schema
        Of the records.
    keeper
        Where scores are kept; None for nowhere.
    """

    snapshot: Snapshot
    horizon: Horizon
    backtest: Backtest
    schema: str
    keeper: Keeper | None

    def __call__(self, unit: Unit | Sent) -> Finished | Away:
        """Do a unit."""
        clock = _Clock()
        with clock.of("read"):
            try:
                sent = unit if isinstance(unit, Sent) else self.sent(unit)
            except AwayError:
                return Away()
        with clock.of("scan"):
            detector = self.backtest.detector
            if isinstance(detector, FrozenDetector) and not self.backtest.whole:
                kept = {asset: each for piece in sent.pieces for asset, each in piece.kept.items()}
                detector = KeptDetector(detector, kept)
            results = replace(self.backtest, detector=detector).scan(
                [series for piece in sent.pieces for series in piece.series]
            )
        with clock.of("record"):
            finished = self.finished(results)
            if isinstance(detector, KeptDetector) and self.keeper is not None and self.keeper.writes:
                news = [(piece, known) for piece in sent.pieces if (known := self._news(piece, detector))]
                if sent is unit:
                    finished = replace(
                        finished, known={asset: each for _, known in news for asset, each in known.items()}
                    )
                else:
                    for piece, known in news:
                        self.keeper.keep(piece.unit, known, self.snapshot.files, piece.end)
        finished.tally.stages = dict(clock.spent)
        return finished

    def sent(self, unit: Unit) -> Sent:
        """A unit with all that is needed to do it.

        Raises
        ------
        AwayError
            If this process does not see the store.
        StoreError
            If it is damaged.
        """
        return Sent(unit, [self._piece(piece) for piece in unit.pieces])

    def _piece(self, unit: Unit) -> Piece:
        if self.keeper is None:
            return Piece(unit, self.read(unit))
        book = self.keeper.read(unit)
        # Only the calendar makes of a series the same again, whatever piece of it comes when.
        if self.horizon == Horizon() and self.backtest.rules.calendar:
            grown = continued(book, self.snapshot, unit)
            if grown is not None:
                kept = grown.kept()
                series = [each.series(asset, self.snapshot.layout) for asset, each in kept.items()]
                return Piece(unit, series, kept, book.files, book.end)
        return Piece(unit, self.read(unit), book.kept(), book.files, book.end)

    def _news(self, piece: Piece, detector: KeptDetector) -> dict[str, Kept]:
        """What there is to keep of a piece; nothing if that is what is kept already."""
        assets = [series.asset for series in piece.series]
        as_before = piece.end is not None and piece.files == self.snapshot.files
        if as_before and detector.changed.isdisjoint(assets):
            return {}
        return {asset: detector.known[asset] for asset in assets if asset in detector.known}

    def keep(self, unit: Unit, known: Mapping[str, Kept]) -> None:
        """Keep the scores of a unit that was done elsewhere."""
        for piece in unit.pieces:
            own = {asset: each for asset, each in known.items() if piece.holds(key_of(asset))}
            if own and self.keeper is not None:
                self.keeper.keep(piece, own, self.snapshot.files)

    def read(self, unit: Unit) -> list[Series]:
        """A unit's telemetry, as far as it exists for this run.

        Raises
        ------
        AwayError
            If this process does not see the store.
        StoreError
            If it is damaged.
        """
        series = self.snapshot.read(unit, as_of=self.horizon.as_of)
        if self.horizon.through is not None:
            series = [known for each in series if len(known := each.through(self.horizon.through))]
        return series

    def failed(self, asset: str, reason: str) -> Finished:
        """What an asset comes to that could not be scanned."""
        return self.finished([Failure(asset, AssetError(reason))])

    def finished(self, results: Sequence[AssetScan | Failure]) -> Finished:
        """Results as they are kept; one that cannot be put into words is a failure, too."""
        packed, tally = [], Tally()
        for told in surviving(self._told, results):
            ((record, result, notes),) = self._told([told]) if isinstance(told, Failure) else (told,)
            packed.append(result)
            tally.add(record, notes)
        tally.shorten()
        return Finished(packed, tally)

    def _told(self, results: Sequence[AssetScan | Failure]) -> list[tuple[Record, Packed, list[str]]]:
        told = []
        for result in results:
            record = record_of(
                result, schema=self.schema, detector=self.backtest.detector.name, shingle=self.backtest.rules.shingle
            )
            told.append((record, Packed.of(record, result), notes_of(result, self.backtest.min_severity)))
        return told


class _Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.spent[stage] += time.perf_counter() - began
