"""One fetch: a source streamed into one commit of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomscan.errors import AssetError
from anomscan.jobs.fetch import rejects, warnings
from anomscan.jobs.fetch.clock_changes import clock_changes, followers
from anomscan.jobs.fetch.fetch_report import FetchReport
from anomscan.jobs.fetch.odd_times import AHEAD, OLD, OddTimes, divided
from anomscan.jobs.fetch.requests import current_time
from anomscan.jobs.outputs import check_names
from anomscan.sources.base import AssetFailure, Notice, Request, Source
from anomscan.storage.places import local
from anomscan.store.rules import CommitRules
from anomscan.tables.salvage import Reject
from anomscan.tables.zones import wall_clock
from anomscan.telemetry.rows import ASSET

if TYPE_CHECKING:
    from anomscan.store.findings import RejectedRow
    from anomscan.store.store import Store

_TICK = np.timedelta64(1, "us")
_STRICT = CommitRules()


@dataclass(slots=True)
class _Stream:
    """What a source gives: the rows for the store come out, the rest is counted and kept.

    Parameters
    ----------
    latest_complete
        datetime64[us]: the last sample to take; its period is over.
    latest
        datetime64[us]: what lies further ahead is not telemetry.
    earliest
        datetime64[us]: older samples are left out; None for no bound.
    missing
        Assets that were asked for and of which nothing has come yet.
    """

    source: Source
    latest_complete: np.datetime64
    latest: np.datetime64
    earliest: np.datetime64 | None
    on_rows: Callable[[int], None] | None
    missing: set[str]
    failures: list[AssetFailure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    rows: int = 0
    current: int = 0
    early: OddTimes = field(default_factory=OddTimes)
    old: OddTimes = field(default_factory=OddTimes)
    ahead: OddTimes = field(default_factory=OddTimes)

    def complete(self, request: Request) -> Iterator[pa.Table]:
        """Rows of ``layout.schema`` whose time is right, in pieces that are not empty."""
        for item in self.source.fetch(request):
            match item:
                case AssetFailure():
                    self.missing.discard(item.asset)
                    self.failures.append(item)
                case Notice():
                    self.warnings.append(item.text)
                case Reject():
                    self.rejects.append(item)
                case _:
                    if len(rows := self._timely(item)):
                        yield rows

    def _timely(self, rows: pa.Table) -> pa.Table:
        self.rows += len(rows)
        if self.missing:
            self.missing.difference_update(pc.unique(rows[ASSET]).to_pylist())
        if self.on_rows is not None:
            self.on_rows(len(rows))
        if self.earliest is not None:
            left_out, rows = divided(rows, self.earliest)
            self.early.add(left_out)
        complete, later = divided(rows, self.latest_complete + _TICK)
        self.current += len(later)
        if len(later):
            self.ahead.add(divided(later, self.latest + _TICK)[1])
        if len(complete) and self.earliest is None:
            self.old.add(divided(complete, OLD)[0])
        return complete


def fetch_into(
    store: Store,
    source: Source,
    request: Request,
    *,
    now: np.datetime64 | None = None,
    late: np.timedelta64 | None = None,
    rules: CommitRules = _STRICT,
    earliest: np.datetime64 | None = None,
    include_current: bool = False,
    on_rows: Callable[[int], None] | None = None,
) -> FetchReport:
    """Stream a source into one commit of the store. If anything is raised, nothing is stored.

    Parameters
    ----------
    now
        datetime64[us], UTC: when the rows arrive, and what the current period is told by; the clock's by default.
    late
        The margin for late data, by which silent assets are told; none are told without it.
    rules
        What becomes of rows off the grid of their asset, and of rows that contradict one another.
    earliest
        datetime64[us], UTC: older samples are left out and counted; None for no bound.
    include_current
        Whether to take samples whose period (their timestamp and the cadence after it, days in the source's time zone)
        is not over. What lies further ahead is left out all the same.
    on_rows
        Called with the number of rows of each piece.

    Raises
    ------
    InputError
        Rows none of which can be used: see the source, and the store on cadences; assets all of which follow the local
        time through changes of clocks.
    ServiceError
        The source is unreachable, or refuses us.
    LockedError
        Another run writes the store.
    OutputError
        The store cannot be written.
    """
    now = current_time() if now is None else now.astype("datetime64[us]")
    cadence = source.layout.cadence
    clock = np.datetime64(wall_clock(now, source.timezone), "us") if cadence.whole_days else now
    latest = clock + AHEAD
    stream = _Stream(
        source,
        latest if include_current else clock - cadence.step,
        latest,
        earliest,
        on_rows,
        set(request.assets or ()),
    )
    rejects_file, new_rejects = None, 0

    def keep_rejects(of_store: Sequence[RejectedRow]) -> None:
        nonlocal rejects_file, new_rejects
        stream.rejects.extend(rejects.with_places(source, of_store))
        rejects_file, new_rejects = rejects.keep_rejects(store, source.name, stream.rejects, now)

    check_names(f"source '{source.name}'", [rejects.rejects_path(store, source.name)])
    with store.writer(source.name, source.layout, arrived_at=now, late=late, rules=rules) as writer:
        changes = clock_changes(source.timezone, cadence, partial(store.last_timestamps, source.name))
        for complete in stream.complete(request):
            for each in changes:
                each.see(complete)
            writer.append(complete)
        tally = writer.commit(keep_rejects, failed=followers(changes))
        told = warnings.clock_behind(now, writer.arrived_before, source.name, local(store.path) / source.name)
        told += warnings.variables_added(source.name, writer.added)
        told += warnings.variables_left_out(source.name, writer.left_out)
    ends = store.last_timestamps(source.name)
    told += warnings.odd_times(stream.old, stream.ahead, writer.gaps, source)
    if tally.new:
        told += warnings.alike(ends)
    failures = [
        *stream.failures,
        *(AssetFailure(each.asset, AssetError(each.reason, hint=each.hint)) for each in tally.failed),
    ]
    for asset in sorted(stream.missing - ends.keys() - {each.asset for each in tally.failed}):
        error = AssetError(f"source '{source.name}' gave no row of it, and the store has none")
        failures.append(AssetFailure(asset, error))
    if stream.rows == 0 and not failures and not stream.rejects:
        told.append(f"source '{source.name}' gave no rows for what was asked")
    return FetchReport(
        assets=tally.assets,
        rows=stream.rows,
        new=tally.new,
        revised=tally.revised,
        unchanged=tally.unchanged,
        current=stream.current,
        rejects=tuple(stream.rejects),
        rejects_file=rejects_file,
        new_rejects=new_rejects,
        silent=() if late is None else _silent(ends, late),
        failures=tuple(failures),
        warnings=(*stream.warnings, *told),
        older=stream.early.text(cadence) if stream.early.rows else "",
    )


def _silent(ends: dict[str, np.datetime64], late: np.timedelta64) -> tuple[tuple[str, np.datetime64], ...]:
    if not ends:
        return ()
    newest = max(ends.values())
    return tuple((asset, last) for asset, last in sorted(ends.items()) if last < newest - late)
