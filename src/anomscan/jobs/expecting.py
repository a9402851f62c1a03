"""Until when samples are expected: the run's end, and when an asset without them is silent."""

from __future__ import annotations

import numpy as np

from anomscan.backtest.fleet import Expectations
from anomscan.config import Settings, SourceSettings
from anomscan.jobs.job import Job, Known
from anomscan.jobs.views import asset_list
from anomscan.store.snapshot import Snapshot
from anomscan.telemetry.cadence import Cadence, last_instant, parse_duration

#: Steps without a sample after which an asset is silent, unless the source says otherwise.
SILENT_AFTER = 3


def silent_after(source: SourceSettings, cadence: Cadence) -> int:
    """So many steps without a sample make an asset silent."""
    if source.silent_after is None:
        return SILENT_AFTER
    return max(int(parse_duration(source.silent_after).astype(np.int64) // cadence.step_us), 1)


def expectations(settings: Settings, job: Job, snapshot: Snapshot, steps: int) -> Expectations | None:
    """Until when samples are expected of each asset; None in ``detect``, and where there is none at all.

    The run's end is ``--through``, else the newest sample of the source that the run may know.

    Raises
    ------
    StoreError
        If the store is damaged.
    """
    end = None if job.whole else _run_end(job.known(settings), snapshot)
    if end is None:
        return None
    rows = asset_list(settings, snapshot, job.known(settings))
    zone = settings.source(job.source)[1].sample_zone
    retired = {asset: last_instant(cells["retired"], zone) for asset, cells in rows.items() if "retired" in cells}
    return Expectations(end, steps, retired)


def stale(name: str, source: SourceSettings, cadence: Cadence, newest: np.datetime64) -> str | None:
    """Why a source is stale, in one line; None if it is not.

    Its newest sample is older, by the clock, than ``late`` and ``silent_after`` together.
    """
    # A sample stands for the step that begins with it.
    margin = parse_duration(source.late) + (silent_after(source, cadence) + 1) * cadence.step
    if np.datetime64("now", "us") - newest <= margin:
        return None
    return f"source '{name}' is stale: its newest sample is of {cadence.text(newest)}"


def stale_run(settings: Settings, job: Job, snapshot: Snapshot) -> str | None:
    """Why the source of a run is stale; a run of an earlier time (``--as-of``, ``--through``) asks no clock."""
    known, newest = job.known(settings), snapshot.newest()
    if job.whole or newest is None or known.as_of is not None or known.through is not None:
        return None
    name, source = settings.source(job.source)
    return stale(name, source, snapshot.layout.cadence, np.datetime64(newest, "us"))


def _run_end(known: Known, snapshot: Snapshot) -> np.datetime64 | None:
    if known.through is not None:
        return known.through
    if known.as_of is None:
        newest = snapshot.newest()
        return None if newest is None else np.datetime64(newest, "us")
    ends = [series.timestamps[-1] for batch in snapshot.stream(as_of=known.as_of) for series in batch if len(series)]
    return max(ends, default=None)
