"""Cached scores of assets that are neighbours in the store's order, each beside the samples it depends on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anomscan.store.block import Block, Codes
from anomscan.store.partitions import Partition
from anomscan.store.snapshot import FileId
from anomscan.telemetry.rows import Layout
from anomscan.telemetry.series import Floats, Instants, LongGaps, Series

Counts = NDArray[np.int64]
#: Rows, and how many places of the calendar were left out before each.
Skips = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, eq=False)
class CachedScores:
    """One asset's scores.

    Parameters
    ----------
    origin
        The instant of the first row, microseconds since 1970, UTC.
    values
        (n, d) float64.
    scores
        (n, 1 + c) float64: the score of the shingle that ends at each row, NaN where not scored, and the detector's
        other columns.
    health
        (n,) int32 into ``health_names``; -1 where there is none.
    health_names
        The names that the codes mean.
    filed
        How many rows at the beginning are in the file of the asset's partition; 0 if the file has other rows or none.
    skips
        Where long gaps were shortened.
    """

    origin: int
    values: Floats
    scores: Floats
    health: Codes
    health_names: tuple[str, ...]
    filed: int = 0
    skips: Skips = ()

    def with_scores(self, places: NDArray[np.intp], scores: Floats) -> CachedScores:
        """The same with scores at some places, in rising order; those of a file are copied, others changed in place."""
        changed = self.scores if self.scores.flags.writeable else self.scores.copy()
        changed[places] = scores
        filed = self.filed if places[0] >= self.filed else 0
        return replace(self, scores=changed, filed=filed)

    def timestamps(self, step_us: int) -> Instants:
        """(n,) datetime64[us]: of the rows."""
        return _calendar(self.origin, step_us, len(self.scores), self.skips)

    def series(self, asset: str, layout: Layout, gaps: LongGaps) -> Series:
        """The samples on their calendar, with long gaps as given; the values are not copied."""
        return Series(
            asset,
            layout.cadence,
            layout.variables,
            self.timestamps(layout.cadence.step_us),
            self.values,
            self.health,
            self.health_names,
            laid=gaps if self.skips else None,
        )


@dataclass(frozen=True, slots=True, eq=False)
class CachedRows:
    """Consecutive rows of some assets, one asset after another.

    Parameters
    ----------
    counts
        (a,) int64: the number of rows of each asset.
    values
        (n, d) float64.
    scores
        (n, 1 + c) float64.
    health
        (n,) integers into ``health_names``; -1 where there is none.
    health_names
        Sorted.
    """

    counts: Counts
    values: Floats
    scores: Floats
    health: NDArray[np.signedinteger]
    health_names: tuple[str, ...]

    def edges(self) -> list[int]:
        """(a + 1) places: where each asset's rows begin, and where the last one's end."""
        return [0, *np.cumsum(self.counts).tolist()]

    def in_terms_of(self, names: tuple[str, ...]) -> Self:
        """The same with health as codes into other names, which include all that occur."""
        if names == self.health_names:
            return self
        places = {name: place for place, name in enumerate(names)}
        table = np.array([*(places[name] for name in self.health_names), -1], np.int32)
        return replace(self, health=table[self.health], health_names=names)

    def only(self, which: NDArray[np.bool_]) -> Self:
        """The rows of some of the assets."""
        if which.all():
            return self
        rows = np.repeat(which, self.counts)
        return replace(
            self,
            counts=self.counts[which],
            values=self.values[rows],
            scores=self.scores[rows],
            health=self.health[rows],
        )

    def of_more(self, assets: int) -> Self:
        """The same for so many assets; the additional ones at the end have no rows."""
        return replace(self, counts=np.append(self.counts, np.zeros(assets - len(self.counts), np.int64)))


@dataclass(frozen=True, slots=True, eq=False)
class ScoreColumns:
    """The cached scores of some assets.

    Parameters
    ----------
    assets
        Their ids.
    origins
        (a,) int64: the instant of each one's first row, microseconds since 1970, UTC.
    pieces
        Their rows: those of a later piece follow those of earlier ones on the same calendar.
    partition
        The partition whose file they are from, with all its assets; None if they come from several files.
    files
        The store's files that held all their samples; None if not known.
    end
        The checksum at the end of its file; None if there is no file that can be appended to.
    fresh
        How many pieces at the end are not in the file.
    gaps
        How long gaps were shortened; None if rows were taken as they stand, or that is not known.
    skips
        Of each asset that has such gaps, where.
    """

    assets: list[str] = field(default_factory=list)
    origins: Counts = field(default_factory=lambda: np.empty(0, np.int64))
    pieces: tuple[CachedRows, ...] = ()
    partition: Partition | None = None
    files: frozenset[FileId] | None = None
    end: int | None = None
    fresh: int = 0
    gaps: LongGaps | None = None
    skips: Mapping[str, Skips] = field(default_factory=dict)

    @property
    def counts(self) -> Counts:
        """(a,) int64: the number of rows of each asset."""
        return _sum(self.pieces)

    def kept(self) -> dict[str, CachedScores]:
        """By asset."""
        if not self.pieces:
            return {}
        rows = _joined(self.pieces)
        health = rows.health.astype(np.int32, copy=False)
        filed = np.zeros(len(self.assets), np.int64)
        if self.end is not None:
            filed = _sum(self.pieces[: len(self.pieces) - self.fresh])
        return {
            asset: CachedScores(
                origin,
                rows.values[a:b],
                rows.scores[a:b],
                health[a:b],
                rows.health_names,
                old,
                self.skips.get(asset, ()),
            )
            for asset, origin, (a, b), old in zip(
                self.assets, self.origins.tolist(), pairwise(rows.edges()), filed.tolist(), strict=True
            )
        }

    def only(self, wanted: Callable[[str], bool]) -> ScoreColumns:
        """The same for only some of the assets."""
        which = np.fromiter(map(wanted, self.assets), bool, len(self.assets))
        if which.all():
            return self
        assets = [asset for asset, is_wanted in zip(self.assets, which.tolist(), strict=True) if is_wanted]
        pieces = tuple(piece.only(which) for piece in self.pieces)
        skips = {asset: skips for asset, skips in self.skips.items() if wanted(asset)}
        return ScoreColumns(assets, self.origins[which], pieces, files=self.files, gaps=self.gaps, skips=skips)

    def grown(self, block: Block, step_us: int) -> ScoreColumns | None:
        """The same with rows added since, which are not scored yet.

        Parameters
        ----------
        block
            The new rows, in order; all later than those of their asset here.
        step_us
            From one row to the next, in microseconds.

        Returns
        -------
        None if a row is not later than all cached ones of its asset, or so much later that the gap is a long one.
        """
        places = {asset: place for place, asset in enumerate(self.assets)}
        edges = block.edges()
        new = [name not in places for name in block.names]
        newcomers = [name for name, is_new in zip(block.names, new, strict=True) if is_new]
        assets = self.assets + newcomers
        places.update((asset, place) for place, asset in enumerate(newcomers, len(self.assets)))
        origins = np.append(self.origins, block.timestamps[edges[:-1][new]])
        old = np.append(self.counts, np.zeros(len(newcomers), np.int64))
        for asset, skips in self.skips.items():
            old[places[asset]] += sum(left_out for _, left_out in skips)
        owners = np.fromiter((places[name] for name in block.names), np.int64, len(block.names))
        owner = owners[block.assets]
        after = (block.timestamps - origins[owner]) // step_us - old[owner]
        if (after < 0).any():
            return None
        missing = np.diff(after, prepend=-1) - 1
        missing[edges[:-1]] = after[edges[:-1]]
        if self.gaps is None or self.gaps.left_out(missing).any():
            return None
        counts = np.zeros(len(assets), np.int64)
        counts[owners] = after[edges[1:] - 1] + 1
        where = (np.cumsum(counts) - counts)[owner] + after
        values = np.full((counts.sum(), block.values.shape[1]), np.nan)
        values[where] = block.values
        health = np.full(len(values), -1, np.int32)
        health[where] = block.health
        scores = np.full((len(values), self.pieces[0].scores.shape[1]), np.nan)
        rows = CachedRows(counts, values, scores, health, block.health_names)
        before = (piece.of_more(len(assets)) for piece in self.pieces)
        return replace(self, assets=assets, origins=origins, pieces=(*before, rows), fresh=self.fresh + 1)


def together(tables: Sequence[ScoreColumns]) -> ScoreColumns:
    """Join the scores of different assets; the result belongs to no single file."""
    tables = [columns for columns in tables if columns.assets]
    if not tables:
        return ScoreColumns()
    each = [_joined(columns.pieces) for columns in tables]
    files, gaps = {columns.files for columns in tables}, {columns.gaps for columns in tables}
    return ScoreColumns(
        [asset for columns in tables for asset in columns.assets],
        np.concatenate([columns.origins for columns in tables]),
        (_stacked(each),),
        files=files.pop() if len(files) == 1 else None,
        gaps=gaps.pop() if len(gaps) == 1 else None,
        skips={asset: skips for columns in tables for asset, skips in columns.skips.items()},
    )


def _sum(pieces: Sequence[CachedRows]) -> Counts:
    """(a,) int64: the number of rows of each asset in all pieces."""
    return np.asarray(np.sum([piece.counts for piece in pieces], axis=0), np.int64)


def _stacked(each: Sequence[CachedRows]) -> CachedRows:
    """The rows of some assets, then those of others."""
    names = tuple(sorted({name for rows in each for name in rows.health_names}))
    each = [rows.in_terms_of(names) for rows in each]
    return CachedRows(
        np.concatenate([rows.counts for rows in each]),
        np.concatenate([rows.values for rows in each]),
        np.concatenate([rows.scores for rows in each]),
        np.concatenate([rows.health for rows in each]),
        names,
    )


def _joined(pieces: Sequence[CachedRows]) -> CachedRows:
    """Rows of the same assets, those of each one after another."""
    first, *later = pieces
    if not later:
        return first
    if len(later) > 1:
        # These have few rows, so sorting them is cheap.
        stacked = _stacked(later)
        order = np.concatenate([np.repeat(np.arange(len(rows.counts)), rows.counts) for rows in later]).argsort(
            kind="stable"
        )
        last = CachedRows(
            _sum(later),
            stacked.values[order],
            stacked.scores[order],
            stacked.health[order],
            stacked.health_names,
        )
    else:
        (last,) = later
    names = tuple(sorted({*first.health_names, *last.health_names}))
    one, other = first.in_terms_of(names), last.in_terms_of(names)
    counts = np.stack([one.counts, other.counts], axis=1)
    return CachedRows(
        counts.sum(axis=1),
        _alternating(one.values, other.values, counts),
        _alternating(one.scores, other.scores, counts),
        _alternating(one.health, other.health, counts),
        names,
    )


def _alternating(one: NDArray[Any], other: NDArray[Any], counts: Counts) -> NDArray[Any]:
    """For each asset its rows of the one array, then those of the other; ``counts`` is (a, 2)."""
    assets, shape = len(counts), one.shape[1:]
    if (counts == counts[0]).all():
        parts = one.reshape(assets, -1, *shape), other.reshape(assets, -1, *shape)
        return np.concatenate(parts, axis=1).reshape(-1, *shape)
    is_one = np.repeat(np.tile([True, False], assets), counts.ravel())
    both = np.empty((len(is_one), *shape), np.result_type(one, other))
    both[is_one], both[~is_one] = one, other
    return both


@lru_cache(256)
def _calendar(origin: int, step: int, length: int, skips: Skips) -> Instants:
    """Cached, as the assets of a fleet share their days."""
    places = np.arange(length)
    for row, left_out in skips:
        places[row:] += left_out
    return (origin + step * places).view("datetime64[us]")
