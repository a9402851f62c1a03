"""One fetch: a source streamed into one commit of the store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from anomscan.errors import AssetError, ConfigError
from anomscan.jobs.clock_changes import clock_changes, followers
from anomscan.jobs.odd_times import AHEAD, OLD, OddTimes, divided
from anomscan.jobs.outputs import check_names
from anomscan.sources.base import AssetFailure, Notice, Placed, Request, Source
from anomscan.storage.durable import output_errors, replace_file
from anomscan.storage.places import local
from anomscan.store.rules import CommitRules
from anomscan.tables.salvage import Reject
from anomscan.tables.zones import wall_clock
from anomscan.telemetry.cadence import first_instant, instant_text, last_instant
from anomscan.telemetry.rows import ASSET
from anomscan.wording import counted

if TYPE_CHECKING:
    from anomscan.config import Settings, SourceSettings
    from anomscan.store.findings import RejectedRow
    from anomscan.store.gaps import LongestGaps
    from anomscan.store.store import Store

_MOST_DAYS = 700_000
_TICK = np.timedelta64(1, "us")
_STRICT = CommitRules()
#: What clocks may differ by without a warning; commits in one instant are microseconds apart.
_CLOCK_PRECISION = np.timedelta64(1, "s")


@dataclass(frozen=True, slots=True)
class FetchReport:
    """What a fetch did.

    Parameters
    ----------
    assets
        How many assets the stored rows were of.
    rows
        Rows the source gave for what was asked, those of the current period among them.
    new, revised, unchanged
        What the stored rows were to the store; rows given twice alike count once.
    current
        Rows left out because their period is not over.
    rejects
        Rows that cannot be used.
    rejects_file
        Where they are kept; None if there are none.
    new_rejects
        How many of them were not there yet: a file keeps its bad row, and is not reported again for it.
    silent
        Assets whose last sample is older than the newest of the source by more than the margin for late data, and that
        sample; sorted by asset.
    failures
        Assets that failed; nothing of this fetch is stored for them.
    warnings
        What else the user should hear of.
    older
        What was left out as it is older than ``earliest``, in words; empty if nothing was.
    """

    assets: int
    rows: int
    new: int
    revised: int
    unchanged: int
    current: int
    rejects: tuple[Reject, ...]
    rejects_file: Path | None
    new_rejects: int
    silent: tuple[tuple[str, np.datetime64], ...]
    failures: tuple[AssetFailure, ...]
    warnings: tuple[str, ...]
    older: str = ""

    @property
    def summary(self) -> str:
        """One line for a person."""
        text = (
            f"{counted(self.rows, 'row')} of {counted(self.assets, 'asset')}: {self.new:,} new, "
            f"{self.revised:,} revised, {self.unchanged:,} unchanged, {len(self.rejects):,} rejected"
        )
        if self.current:
            text += f", {self.current:,} of the current period left out"
        if self.older:
            text += f", {self.older} before earliest left out"
        if self.silent:
            text += f", {counted(len(self.silent), 'asset')} silent"
        return f"{text}, {counted(len(self.failures), 'asset')} failed" if self.failures else text


def request_of(
    *,
    assets: Sequence[str] | None = None,
    start: str | None = None,
    end: str | None = None,
    days: int | None = None,
    timezone: str = "UTC",
    dates: bool = False,
    now: np.datetime64 | None = None,
) -> Request:
    """The request for a user's options.

    Parameters
    ----------
    assets
        Ids, each taken once; None or none at all for every asset.
    start, end
        Dates or instants; a date is included whole.
    days
        The last N days before today, and today.
    timezone
        IANA name; where days begin.
    dates
        Whether samples are dates, which are midnights in UTC, wherever they begin.
    now
        datetime64[us], UTC; the clock's by default.

    Raises
    ------
    ConfigError
        Not a date or an instant; the start after the end.
    """
    zone = "UTC" if dates else timezone
    first = None if start is None else first_instant(start, zone)
    last = None if end is None else last_instant(end, zone)
    if first is not None and last is not None and first > last:
        raise ConfigError(f"--from {start} is after --to {end}")
    if days is not None:
        today = np.datetime64(wall_clock(current_time() if now is None else now, timezone), "D")
        since = first_instant(str(today - np.timedelta64(min(days, _MOST_DAYS), "D")), zone)
        first = since if first is None else max(first, since)
        if last is not None and first > last:
            raise ConfigError(f"--days {days} begins after --to {end}")
    return Request(tuple(dict.fromkeys(assets)) if assets else None, first, last)


def rules_of(settings: SourceSettings) -> CommitRules:
    """What becomes of a source's rows that do not fit."""
    # The files of a source whose newest file counts are read in the order of their age.
    how = "last" if settings.duplicates == "newest-file" else settings.duplicates
    return CommitRules(how, settings.tolerance_us, settings.columns.health is not None)


def resumed(request: Request, store: Store, source: str, late: np.timedelta64) -> Request:
    """The request, begun with each known asset at its last sample less the margin for late data.

    A request that says itself where to begin or to end is left as it is.
    """
    if request.start is not None or request.end is not None:
        return request
    return replace(request, since={asset: last - late for asset, last in store.last_timestamps(source).items()})


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
    last = clock - cadence.step
    missing = set(request.assets or ())
    failures: list[AssetFailure] = []
    warnings: list[str] = []
    rejects: list[Reject] = []
    rows = current = 0
    rejects_file, new_rejects = None, 0

    def keep_rejects(of_store: Sequence[RejectedRow]) -> None:
        nonlocal rejects_file, new_rejects
        rejects.extend(_with_places(source, of_store))
        rejects_file, new_rejects = _keep_rejects(store, source.name, rejects)

    check_names(f"source '{source.name}'", [_rejects_path(store, source.name)])
    early, old, ahead = OddTimes(), OddTimes(), OddTimes()
    latest = clock + AHEAD
    with store.writer(source.name, source.layout, arrived_at=now, late=late, rules=rules) as writer:
        changes = clock_changes(source.timezone, cadence, partial(store.last_timestamps, source.name))
        for item in source.fetch(request):
            if isinstance(item, AssetFailure):
                missing.discard(item.asset)
                failures.append(item)
                continue
            if isinstance(item, Notice):
                warnings.append(item.text)
                continue
            if isinstance(item, Reject):
                rejects.append(item)
                continue
            rows += len(item)
            if missing:
                missing.difference_update(pc.unique(item[ASSET]).to_pylist())
            if on_rows is not None:
                on_rows(len(item))
            if earliest is not None:
                left_out, item = divided(item, earliest)
                early.add(left_out)
            complete, later = divided(item, (latest if include_current else last) + _TICK)
            current += len(later)
            if len(later):
                ahead.add(divided(later, latest + _TICK)[1])
            if len(complete):
                for each in changes:
                    each.see(complete)
                writer.append(complete)
                if earliest is None:
                    old.add(divided(complete, OLD)[0])
        tally = writer.commit(keep_rejects, failed=followers(changes))
        warnings += _clock_behind(now, writer.arrived_before, source.name, local(store.path) / source.name)
        if writer.added:
            warnings.append(
                f"source '{source.name}' now has {', '.join(writer.added)}: samples that this fetch did not bring have "
                "no value of it (fetch --from brings older ones; models of other variables must be trained again)"
            )
    for failed in tally.failed:
        missing.discard(failed.asset)
        failures.append(AssetFailure(failed.asset, AssetError(failed.reason, hint=failed.hint)))
    ends = store.last_timestamps(source.name)
    warnings += _odd_times(old, ahead, writer.gaps, source)
    if tally.new:
        warnings += _alike(ends)
    for asset in sorted(missing - ends.keys()):
        error = AssetError(f"source '{source.name}' gave no row of it, and the store has none")
        failures.append(AssetFailure(asset, error))
    if rows == 0 and not failures and not rejects:
        warnings.append(f"source '{source.name}' gave no rows for what was asked")
    return FetchReport(
        assets=tally.assets,
        rows=rows,
        new=tally.new,
        revised=tally.revised,
        unchanged=tally.unchanged,
        current=current,
        rejects=tuple(rejects),
        rejects_file=rejects_file,
        new_rejects=new_rejects,
        silent=() if late is None else _silent(ends, late),
        failures=tuple(failures),
        warnings=tuple(warnings),
        older=early.text(cadence) if early.rows else "",
    )


def _with_places(source: Source, rejects: Sequence[RejectedRow]) -> list[Reject]:
    """Rows that the store does not take, each with where it stood, in that order."""
    told = []
    for each in sorted(rejects, key=lambda each: each.origin):
        place = f"{source.place(each.origin)}: " if isinstance(source, Placed) and each.origin >= 0 else ""
        told.append(Reject(f"{place}{each.reason}", each.row))
    return told


def _clock_behind(now: np.datetime64, before: np.datetime64 | None, source: str, folder: Path) -> list[str]:
    """A warning where rows are there that arrived after now: the clock is wrong, or was."""
    if before is None or now >= before - _CLOCK_PRECISION:
        return []
    clocks = [instant_text(each.astype("datetime64[s]")) for each in (now, before)]
    return [
        f"the clock says {clocks[0]}, but the last rows of source '{source}' arrived at {clocks[1]}: "
        "new ones count as arriving just after those, for --as-of too "
        f"(set the clock; if it was wrong then, delete {folder} and fetch again)"
    ]


def _odd_times(old: OddTimes, ahead: OddTimes, gaps: LongestGaps, source: Source) -> list[str]:
    """Warnings for samples that lie where there should be none: a clock that was not set, a year that was mistyped."""
    cadence, warnings = source.layout.cadence, []
    remedy = f'[sources.{source.name}] earliest = "2010-01-01", or any other day, leaves out what is older'
    if old.rows:
        warnings.append(f"{old.text(cadence)} older than {cadence.text(OLD)[:4]} ({remedy})")
    if gaps.assets:
        who = "1 asset has" if gaps.assets == 1 else f"{gaps.assets:,} assets have"
        ends = [cadence.text(np.datetime64(end, "us")) for end in (gaps.before, gaps.after)]
        warnings.append(
            f"{who} a gap that is longer than the rest of the history: "
            f"'{gaps.asset}' from {ends[0]} to {ends[1]} ({remedy})"
        )
    if ahead.rows:
        warnings.append(f"{ahead.text(cadence)} more than a day ahead of the clock: left out")
    return warnings


def listed_assets(settings: Settings) -> dict[str, dict[str, str]] | None:
    """Who the assets are, as ``[assets]`` says; None without it.

    Raises
    ------
    ConfigError
        If its source is not a database.
    InputError
        If the list cannot be read, names an asset twice, or has a date that is none.
    ServiceError
        If the database cannot be reached.
    """
    assets = settings.assets
    if assets.path is not None:
        from anomscan.tables.asset_list import read_asset_list

        return read_asset_list(assets.path, assets.columns)
    if assets.query is not None:
        from anomscan.sources.sql.asset_query import read_asset_query

        name, source = settings.source(assets.source)
        if source.kind != "sql":
            raise ConfigError(f"[assets] cannot ask source '{name}', which is not a database", hint='use kind = "sql"')
        return read_asset_query(name, source, assets.query, assets.columns)
    return None


def keep_assets(store: Store, source: str, assets: Mapping[str, Mapping[str, str]]) -> bool:
    """Keep in the store who the assets are; whether that is new.

    Raises
    ------
    LockedError
        Another run writes the store.
    OutputError
        If it cannot be kept.
    """
    from anomscan.storage import lock
    from anomscan.store.asset_list import keep_asset_list
    from anomscan.store.manifest import LOCK

    folder = local(store.path) / source
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with lock.hold(folder / LOCK, f"source '{source}' of the store"):
        return keep_asset_list(folder, assets, current_time())


def _alike(assets: Iterable[str]) -> list[str]:
    """A warning for ids that differ in nothing but case or blanks: as a rule they are one asset."""
    groups: dict[str, list[str]] = {}
    for asset in assets:
        groups.setdefault("".join(asset.casefold().split()), []).append(asset)
    alike = [" and ".join(f"'{asset}'" for asset in sorted(group)) for group in groups.values() if len(group) > 1]
    if not alike:
        return []
    more = f", and {len(alike) - 5} more" if len(alike) > 5 else ""
    return [f"ids that differ only in case or blanks are taken for different assets: {', '.join(alike[:5])}{more}"]


def _silent(ends: dict[str, np.datetime64], late: np.timedelta64) -> tuple[tuple[str, np.datetime64], ...]:
    if not ends:
        return ()
    newest = max(ends.values())
    return tuple((asset, last) for asset, last in sorted(ends.items()) if last < newest - late)


def _keep_rejects(store: Store, source: str, rejects: Sequence[Reject]) -> tuple[Path | None, int]:
    """Add rejects to the source's file of them, and say how many are new; a row that is there is not added again."""
    if not rejects:
        return None, 0
    path = _rejects_path(store, source)
    # As bytes: text would also be split at characters that JSON allows unescaped.
    lines = path.read_bytes().splitlines() if path.is_file() else []
    for each in rejects:
        line = json.dumps({"row": dict(each.row), "reason": each.reason}, ensure_ascii=False)
        lines.append(line.encode(errors="backslashreplace"))
    kept: dict[bytes, bytes] = {}
    known = 0
    for number, encoded in enumerate(lines):
        if number == len(lines) - len(rejects):
            known = len(kept)
        # Without the reason, because it names the place, which differs in the next response.
        kept.setdefault(encoded.partition(b'}, "reason": "')[0], encoded)
    with replace_file(path, follow=False) as file:
        for encoded in kept.values():
            file.write(encoded + b"\n")
    return path, len(kept) - known


def _rejects_path(store: Store, source: str) -> Path:
    return local(store.path) / f"{source}.rejects.jsonl"


def current_time() -> np.datetime64:
    """The time by the clock, datetime64[us], UTC."""
    return np.datetime64(datetime.now(UTC).replace(tzinfo=None), "us")
