"""Appending to the store: stage fetched rows, merge them, replace the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType, TracebackType

import numpy as np
import pyarrow as pa

from anomscan.errors import AnomscanError, StoreError
from anomscan.memory import rows_at_a_time
from anomscan.storage import lock
from anomscan.storage.durable import output_errors, replace_file
from anomscan.store.block import Block, empty, from_table
from anomscan.store.compact import (
    FILE_ROWS,
    TakeOut,
    clean,
    compact,
    newest_since,
    put_aside,
    remove,
    rewritten,
    superseded,
    write_apart,
)
from anomscan.store.findings import FailedAsset, Findings, RejectedRow
from anomscan.store.gaps import LongestGaps
from anomscan.store.manifest import LOCK, ROSTER, DataFile, Manifest, bucket_rows, load
from anomscan.store.merge import merge
from anomscan.store.part_reader import PartReader, present, read_parts
from anomscan.store.part_writer import PartWriter
from anomscan.store.partitions import spans_in_memory
from anomscan.store.roster import Roster
from anomscan.store.rules import CommitRules
from anomscan.store.spill import Spill
from anomscan.telemetry import arrow
from anomscan.telemetry.rows import ASSET, ORIGIN, TIMESTAMP, Layout

#: Rows held in memory before they are spilled to the store's folder; as many are merged at a time.
SPILL_ROWS = 70_000

#: Compact when there are more batch files than this.
MOST_BATCHES = 30

_NOBODY: Mapping[str, AnomscanError] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class CommitCounts:
    """Counts of a commit: assets fetched, and rows that were new, revised or unchanged; and what was not stored."""

    assets: int
    new: int
    revised: int
    unchanged: int
    rejects: tuple[RejectedRow, ...] = ()
    failed: tuple[FailedAsset, ...] = ()


class StoreWriter:
    """Commits to one source of a store; see :meth:`anomscan.store.store.Store.writer`.

    Leaving the block without ``commit``, or by an exception, changes nothing.

    Attributes
    ----------
    arrived_before
        When the last commit arrived, datetime64[us], UTC; None before the first.
    added
        Variables that nothing is stored of; rows that are stored have no value of them.
    left_out
        Variables that are stored and not wanted any more: from the commit on nobody sees them, and the next compaction
        removes them.
    gaps
        What ``commit`` found of gaps that are longer than the rest of an asset's history.
    """

    def __init__(
        self, folder: Path, layout: Layout, arrived_at: np.datetime64, late: np.timedelta64 | None, rules: CommitRules
    ) -> None:
        self._folder, self._layout, self._rules = folder, layout, rules
        self._late_us = 0 if late is None else int(late.astype("timedelta64[us]").astype(np.int64))
        self._arrived_at = int(arrived_at.astype("datetime64[us]").astype(np.int64))
        self.arrived_before: np.datetime64 | None = None
        self.gaps = LongestGaps()
        self.added: tuple[str, ...] = ()
        self.left_out: tuple[str, ...] = ()
        self._resources = ExitStack()
        self._manifest = Manifest(layout)
        self._held: list[pa.Table] = []
        self._held_rows = 0

    def __enter__(self) -> StoreWriter:
        with output_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.enter_context(lock.hold(self._folder / LOCK, f"source '{self._folder.name}' of the store"))
            manifest = load(self._folder)
            if manifest is not None and not manifest.is_blank:
                _check_layout(self._folder.name, manifest.layout, self._layout)
                stored, wanted = manifest.layout.variables, self._layout.variables
                self.added = tuple(variable for variable in wanted if variable not in stored)
                self.left_out = tuple(variable for variable in stored if variable not in wanted)
                later = dict.fromkeys(variable for variable in (*manifest.later, *self.added) if variable in wanted)
                self._manifest = replace(manifest, layout=self._layout, later=tuple(later))
            clean(self._folder, manifest)
            last = last_arrival(self._folder, self._manifest)
            self.arrived_before = None if last is None else np.datetime64(last, "us")
            # Whatever the clock says, a commit arrives after those before it: what was known then stays so, and the
            # last revision counts.
            self._arrived_at = self._arrived_at if last is None else max(self._arrived_at, last + 1)
            self._spill = Spill(self._folder, self._arrived_at)
            stack.enter_context(self._spill)
            self._resources = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()

    def append(self, table: pa.Table) -> None:
        """Stage rows of ``layout.schema``, with ``origin`` or without, in any order, in tables that fit in memory.

        Raises
        ------
        OutputError
            They cannot be written to the store's folder.
        """
        if ORIGIN not in table.column_names:
            table = table.append_column(ORIGIN, arrow.to_numbers(np.full(len(table), -1), pa.int64()))
        if not table.schema.remove(table.num_columns - 1).equals(self._layout.schema):
            raise ValueError(f"rows of another schema than the layout's: {table.schema}")
        self._held.append(table)
        self._held_rows += len(table)
        if self._held_rows > rows_at_a_time(SPILL_ROWS, len(self._layout.variables)):
            with output_errors(self._folder):
                self._spill.add(self._held_block())

    def commit(
        self,
        on_rejects: Callable[[Sequence[RejectedRow]], None] = lambda rejects: None,
        failed: Mapping[str, AnomscanError] = _NOBODY,
    ) -> CommitCounts:
        """Store what is new; if nothing is, no file is touched.

        Parameters
        ----------
        on_rejects
            Called with the rows that are not stored, before the others are.
        failed
            Assets of which nothing is stored, whatever was appended, and why.

        Raises
        ------
        InputError
            A cadence that no asset keeps, or no row that can be used; nothing is stored.
        StoreError
            The store is damaged.
        OutputError
            The store cannot be written; it stays as it was.
        """
        before, folder = self._manifest, self._folder
        findings = Findings(self._layout)
        state = hashlib.blake2b(before.revision.encode(), digest_size=16)
        entries: list[Roster] = []
        spill = self._spill
        spill.add(self._held_block(), in_memory=True)
        # A first fetch brings all history, which no night should read again before it is compacted.
        step_us, is_large = self._layout.cadence.step_us, spill.bucket_rows.sum() > FILE_ROWS
        since = newest_since(spill.earliest, spill.latest, step_us, self._late_us) if is_large else spill.latest + 1
        name = f"batch-{before.sequence + 1:06d}"
        older = PartWriter(folder, f"{name}.parquet", self._layout)
        newest = PartWriter(folder, f"{name}-1.parquet", self._layout)
        with present(folder), older, newest:
            roster = Roster.listed(folder, before)
            for fresh, newer in self._settled(roster, findings, failed):
                entries.append(newer)
                if len(fresh):
                    if before.is_blank and not (older.parts or newest.parts):
                        # Data without a manifest then always means damage, never an interrupted first commit.
                        before.save(folder)
                    write_apart(fresh, since, older, newest)
                    fresh.digest(state)
            findings.check()
        after = before
        if findings.regridded:
            after = self._without_old_grids(findings)
            roster = roster.without(findings.regridded)
        rejects = tuple(sorted(findings.rejects, key=lambda each: (each.row[ASSET], each.row[TIMESTAMP])))
        on_rejects(rejects)
        if added := [*older.parts, *newest.parts]:
            files = (*after.files, *added)
            after = replace(after, revision=state.hexdigest(), files=files, arrived=self._arrived_at)
            self._manifest = swap(folder, before, after, roster.updated(entries))
            if sum(file.is_batch for file in self._manifest.files) > MOST_BATCHES:
                self._manifest = compact(folder, self._manifest, late_us=self._late_us)
        lost = [*findings.failed, *(FailedAsset(name, each.message, each.hint or "") for name, each in failed.items())]
        return CommitCounts(
            findings.assets,
            findings.new,
            findings.revised,
            findings.unchanged,
            rejects,
            tuple(sorted(lost, key=lambda each: each.asset)),
        )

    def _without_old_grids(self, findings: Findings) -> Manifest:
        """The files without what is stored of assets that most of their samples say another grid of."""

        def note(gone: Block, left: Block) -> None:
            rows = gone.latest()
            reason = "stored before, off the grid of most samples of asset"
            told = (f"{reason} '{rows.names[asset]}'" for asset in rows.assets.tolist())
            findings.reject(rows, np.arange(len(rows)), told)

        ends = np.iinfo(np.int64)
        out = TakeOut(frozenset(findings.regridded), ends.min, ends.max, self._arrived_at, note)
        return rewritten(self._folder, self._manifest, late_us=self._late_us, out=out)

    def _settled(self, roster: Roster, findings: Findings, failed: Collection[str]) -> Iterator[tuple[Block, Roster]]:
        """The rows to store and the new entries of the roster, some buckets at a time."""
        spill, files = self._spill, self._neighbours()
        stored = [PartReader(self._folder, file, self._layout) for file in files]
        later = {variable for part in stored for variable in part.absent} | set(self._manifest.later)
        added = np.array([variable in later for variable in self._layout.variables])
        rows = np.where(spill.bucket_rows > 0, spill.bucket_rows + bucket_rows(files), 0)
        spans = spans_in_memory(rows.tolist(), SPILL_ROWS, self._layout)

        places = {name: place for place, name in enumerate(roster.names)}
        for (first, stop), fetched in zip(spans, spill.blocks(spans), strict=True):
            incoming = fetched.without(failed)
            if len(incoming) == 0:
                continue
            known = roster.pick(incoming.names, places)
            fresh, entries = merge(
                incoming, read_parts(stored, first, stop), known, self._arrived_at, self._rules, findings, added
            )
            self.gaps.add(fresh, roster.pick(fresh.names, places), self._layout.cadence.step_us)
            yield fresh, entries

    def _neighbours(self) -> list[DataFile]:
        """The stored files that may hold a fetched sample or one a step away; an asset's last is in the roster."""
        files, earliest, latest = self._manifest.files, self._spill.earliest, self._spill.latest
        if not files or earliest - self._rules.tolerance_us > max(file.latest for file in files):
            return []
        step = self._layout.cadence.step_us + self._rules.tolerance_us
        return [file for file in files if file.earliest <= latest + step and earliest - step <= file.latest]

    def _held_block(self) -> Block:
        if self._held_rows == 0:
            return empty(self._layout)
        table = pa.concat_tables(self._held)
        self._held, self._held_rows = [], 0
        return from_table(table, self._layout, arrived_at=self._arrived_at).in_order()


def last_arrival(folder: Path, manifest: Manifest) -> int | None:
    """When the last commit arrived, microseconds since 1970, UTC; None before the first."""
    if manifest.arrived is not None or not manifest.files:
        return manifest.arrived
    with present(folder):  # written before the manifest told it
        return max(PartReader(folder, file, manifest.layout).last_arrival() for file in manifest.files)


def swap(folder: Path, before: Manifest, after: Manifest, roster: Roster) -> Manifest:
    """Commit: put a manifest whose files are written, and the roster that goes with it, in place."""
    sequence = before.sequence + 1
    name = f"{ROSTER}/roster-{sequence:06d}.parquet"
    with replace_file(folder / name, follow=False) as out:
        roster.save(out)
    after = replace(after, sequence=sequence, roster=name)
    after.save(folder)
    put_aside(folder, superseded(before, after))
    if before.roster is not None:
        remove(folder / before.roster)
    return after


def _check_layout(source: str, stored: Layout, wanted: Layout) -> None:
    """Refuse another cadence, and variables none of which is stored."""
    differences = []
    if stored.cadence.step_us != wanted.cadence.step_us:
        differences.append(f"cadence {stored.cadence.name}, not {wanted.cadence.name}")
    if not set(wanted.variables) & set(stored.variables):
        differences.append(f"variables {', '.join(stored.variables)}, not {', '.join(wanted.variables)}")
    if differences:
        raise StoreError(
            f"source '{source}' is stored with {' and '.join(differences)}",
            hint="give the source another name, or use another store path",
        )
