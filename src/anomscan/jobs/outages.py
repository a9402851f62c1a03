"""The planned outages of a run: maintenance, and the time before and after an asset's service."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from anomscan.config import MaintenanceSettings, Settings
from anomscan.jobs.job import Job
from anomscan.jobs.views import asset_list
from anomscan.store.asset_list import tags_of
from anomscan.store.snapshot import Snapshot
from anomscan.telemetry.cadence import first_instant, last_instant
from anomscan.telemetry.names import PREFIX
from anomscan.telemetry.outages import FIRST, LAST, Outage, Outages, WeeklyOutage, in_sample_time

_NEXT = np.timedelta64(1, "us")


def outages(settings: Settings, job: Job, snapshot: Snapshot) -> Outages:
    """Those that the settings and the list of assets name.

    Raises
    ------
    StoreError
        If the list is damaged.
    """
    rows = asset_list(settings, snapshot, job.known(settings))
    zone = settings.source(job.source)[1].zone
    dates_of = zone if snapshot.layout.cadence.whole_days else None
    found: defaultdict[str, list[Outage | WeeklyOutage]] = defaultdict(list)
    for each in settings.maintenance:
        outage = _maintenance(each, zone, dates_of)
        for asset in _assets(each, rows):
            found[asset].append(outage)
    for asset, cells in rows.items():
        found[asset] += _out_of_service(cells, zone, dates_of)
    return Outages({asset: tuple(own) for asset, own in found.items() if own})


def _maintenance(each: MaintenanceSettings, zone: str, dates_of: str | None) -> Outage | WeeklyOutage:
    own = each.timezone or zone
    if each.from_ is None or each.to is None:
        return WeeklyOutage(*each.minutes, own, dates_of, each.reason)
    end = last_instant(each.to, own)
    # A date includes its whole day, an instant is where it ends.
    end = end + _NEXT if end != first_instant(each.to, own) else end
    return Outage(in_sample_time(first_instant(each.from_, own), dates_of), in_sample_time(end, dates_of), each.reason)


def _assets(each: MaintenanceSettings, rows: Mapping[str, Mapping[str, str]]) -> Iterable[str]:
    named = set(each.assets)
    if each.cohort is not None:
        named.add(PREFIX + each.cohort)
    named |= {
        asset
        for asset, cells in rows.items()
        if (each.cohort is not None and cells.get("cohort") == each.cohort) or tags_of(cells) & set(each.tags)
    }
    return named


def _out_of_service(cells: Mapping[str, str], zone: str, dates_of: str | None) -> Iterator[Outage]:
    if "commissioned" in cells:
        begin = in_sample_time(first_instant(cells["commissioned"], zone), dates_of)
        yield Outage(FIRST, begin, "not commissioned yet")
    if "retired" in cells:
        yield Outage(in_sample_time(last_instant(cells["retired"], zone) + _NEXT, dates_of), LAST, "retired")
