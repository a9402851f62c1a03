"""Whether the incidents of a report are told against peers, which records do not say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from anomscan.reports.records import Record
from anomscan.telemetry.cohorts import FEWEST_OTHERS
from anomscan.telemetry.names import PREFIX


def against_peers(records: Iterable[Record], facts: Mapping[str, Any]) -> Iterator[Record]:
    """The records, with incidents that say so if every asset of the run had peers.

    Parameters
    ----------
    facts
        Of the run.
    """
    known = _all_have_peers(facts)
    for record in records:
        if known and not record.asset.startswith(PREFIX):
            yield replace(record, incidents=[replace(each, against_peers=True) for each in record.incidents])
        else:
            yield record


def _all_have_peers(facts: Mapping[str, Any]) -> bool:
    cohorts = facts.get("cohorts")
    if not isinstance(cohorts, Mapping) or not cohorts or facts.get("without_cohort") != 0:
        return False
    sizes = [cohort.get("assets") if isinstance(cohort, Mapping) else None for cohort in cohorts.values()]
    return all(isinstance(size, int) and size > FEWEST_OTHERS for size in sizes)
