"""What the user should hear of after a fetch, although its rows are stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from anomscan.jobs.fetch.odd_times import OLD, OddTimes
from anomscan.sources.base import Source
from anomscan.telemetry.cadence import instant_text

if TYPE_CHECKING:
    from anomscan.store.gaps import LongestGaps

#: What clocks may differ by without a warning; commits in one instant are microseconds apart.
_CLOCK_PRECISION = np.timedelta64(1, "s")


def clock_behind(now: np.datetime64, before: np.datetime64 | None, source: str, folder: Path) -> list[str]:
    """A warning where rows are there that arrived after now: the clock is wrong, or was."""
    if before is None or now >= before - _CLOCK_PRECISION:
        return []
    clocks = [instant_text(each.astype("datetime64[s]")) for each in (now, before)]
    return [
        f"the clock says {clocks[0]}, but the last rows of source '{source}' arrived at {clocks[1]}: "
        "new ones count as arriving just after those, for --as-of too "
        f"(set the clock; if it was wrong then, delete {folder} and fetch again)"
    ]


def odd_times(old: OddTimes, ahead: OddTimes, gaps: LongestGaps, source: Source) -> list[str]:
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


def variables_added(source: str, names: Sequence[str]) -> list[str]:
    """A warning for variables that a source did not have before."""
    if not names:
        return []
    return [
        f"source '{source}' now has {', '.join(names)}: samples that this fetch did not bring have "
        "no value of it (fetch --from brings older ones; models of other variables must be trained again)"
    ]


def variables_left_out(source: str, names: Sequence[str]) -> list[str]:
    """A warning for variables that a source had before."""
    if not names:
        return []
    return [
        f"source '{source}' no longer has {', '.join(names)}: what is stored of it is not used any more, and goes "
        "in time (models that know it must be trained again)"
    ]


def alike(assets: Iterable[str]) -> list[str]:
    """A warning for ids that differ in nothing but case or blanks: as a rule they are one asset."""
    groups: dict[str, list[str]] = {}
    for asset in assets:
        groups.setdefault("".join(asset.casefold().split()), []).append(asset)
    alike = [" and ".join(f"'{asset}'" for asset in sorted(group)) for group in groups.values() if len(group) > 1]
    if not alike:
        return []
    more = f", and {len(alike) - 5} more" if len(alike) > 5 else ""
    return [f"ids that differ only in case or blanks are taken for different assets: {', '.join(alike[:5])}{more}"]
