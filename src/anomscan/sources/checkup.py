"""Check a source against its settings: connect to it, ask for one day, and report what was found."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow.compute as pc

from anomscan.errors import AnomscanError, AssetError, ExitCode, worst
from anomscan.sources.base import AssetFailure, Notice, Request, Source
from anomscan.tables.salvage import Reject
from anomscan.tables.zones import wall_clock
from anomscan.telemetry.rows import ASSET, TIMESTAMP
from anomscan.wording import counted

_DAY = np.timedelta64(1, "D")
#: A larger difference between clocks sometimes makes the wrong day the current one.
_CLOCK_S = 60.0


@runtime_checkable
class Described(Protocol):
    """A source that can describe its server."""

    def describe(self) -> Iterator[tuple[str, str]]:
        """Facts as (what, said): server, TLS and the like; ``("clock", ISO instant)`` is compared with ours.

        Raises
        ------
        ServiceError
            Unreachable, or refused.
        """


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of a check-up.

    Parameters
    ----------
    what
        What was looked at.
    said
        What was found.
    code
        ``DONE`` where it is good; else the exit code it calls for.
    """

    what: str
    said: str
    code: ExitCode = ExitCode.DONE


def check(source: Source, now: np.datetime64) -> Iterator[CheckResult]:
    """Check a source; results come one by one, up to the first that makes going on pointless.

    Parameters
    ----------
    now
        datetime64[us], UTC.
    """
    layout = source.layout
    yield CheckResult("settings", f"cadence {layout.cadence.name}, variables {', '.join(layout.variables)}")
    local = wall_clock(now, source.timezone).isoformat(sep=" ", timespec="minutes")
    yield CheckResult("time zone", f"{source.timezone}, local time {local}")
    try:
        if isinstance(source, Described):
            for what, said in source.describe():
                yield _clock(said, now) if what == "clock" else CheckResult(what, said)
        yield from _one_day(source, now)
    except AnomscanError as error:
        yield CheckResult("query", str(error), error.exit_code)


def verdict(findings: list[CheckResult]) -> ExitCode:
    """The exit code that findings call for."""
    return worst(finding.code for finding in findings)


def _one_day(source: Source, now: np.datetime64) -> Iterator[CheckResult]:
    yesterday = np.datetime64(wall_clock(now, source.timezone), "D") - _DAY
    start = yesterday.astype("datetime64[us]")
    request = Request(None, start, start + _DAY - np.timedelta64(1, "us"))
    began = time.monotonic()
    rows = 0
    assets: set[str] = set()
    newest: np.datetime64 | None = None
    rejects: list[Reject] = []
    failures: list[AssetFailure] = []
    for item in source.fetch(request):
        if isinstance(item, Notice):
            yield CheckResult("note", item.text)
        elif isinstance(item, Reject):
            rejects.append(item)
        elif isinstance(item, AssetFailure):
            failures.append(item)
        elif len(item):
            rows += len(item)
            assets.update(pc.unique(item[ASSET]).to_pylist())
            last = np.datetime64(pc.max(item[TIMESTAMP]).as_py(), "us")
            newest = last if newest is None else max(newest, last)
    seconds = time.monotonic() - began
    said = f"{counted(rows, 'row')} of {counted(len(assets), 'asset')} for {yesterday}, in {seconds:.1f} s"
    if newest is not None:
        said += f"; the newest is from {source.layout.cadence.text(newest)}"
    yield CheckResult("query", said)
    if rejects:
        yield CheckResult("rows", f"{len(rejects):,} cannot be used, the first: {rejects[0].reason}", ExitCode.INPUT)
    if failures:
        first = failures[0]
        code = worst(ExitCode.INPUT if isinstance(f.error, AssetError) else f.error.exit_code for f in failures)
        yield CheckResult("assets", f"{len(failures):,} failed, the first: '{first.asset}': {first.error}", code)


def _clock(said: str, now: np.datetime64) -> CheckResult:
    off = float((np.datetime64(said.replace(" ", "T"), "us") - now) / np.timedelta64(1, "s"))
    if abs(off) > _CLOCK_S:
        return CheckResult("clock", f"its clock is {off:+.0f} s off ours: set one of them right", ExitCode.INPUT)
    return CheckResult("clock", f"agrees with ours to {abs(off):.0f} s")
