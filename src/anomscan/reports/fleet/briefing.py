"""What a reader wants to know first: what is new, what goes on, what is over, who is silent, what was not judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from anomscan.incidents.words import percent
from anomscan.reports.chartdata import instant
from anomscan.reports.fleet.rows import Row
from anomscan.reports.fleet.told import Told
from anomscan.telemetry.names import PREFIX

#: So many are told at once; the rest is folded.
SHOWN = 8


@dataclass(frozen=True, slots=True)
class Item:
    """One incident, or a common cause of several.

    Parameters
    ----------
    row, told
        Whose it is, and what; of a common cause those of the cohort, else of the first asset.
    members
        Of a common cause the assets that have part in it, else empty.
    """

    row: Row
    told: Told
    members: tuple[tuple[Row, Told], ...] = ()

    @property
    def extent(self) -> str:
        """How far off the cohort of a common cause is, else its assets, in words; empty where nobody knows."""
        if self.row.is_cohort and self.told.deviation is not None:
            return _off(self.told.deviation, "expected")
        off = [told.deviation for _, told in self.members if told.deviation is not None]
        peers = any(told.incident.against_peers for _, told in self.members)
        return f"up to {_off(max(off, key=abs), 'their peers' if peers else 'expected')}" if off else ""

    @property
    def cohort(self) -> str:
        """The name of the cohort that has the cause in common; empty for a single asset."""
        if self.members:
            common = self.members[0][1].incident.common
            return "" if common is None else common.asset.removeprefix(PREFIX)
        return self.row.asset.removeprefix(PREFIX) if self.row.is_cohort else ""


@dataclass(frozen=True, slots=True)
class Section:
    """Some of them under one heading."""

    key: str
    title: str
    items: list[Item]

    @property
    def shown(self) -> list[Item]:
        """Those told at once."""
        return self.items[:SHOWN]

    @property
    def folded(self) -> list[Item]:
        """The rest."""
        return self.items[SHOWN:]


@dataclass(frozen=True, slots=True)
class Briefing:
    """The first screen.

    Parameters
    ----------
    sections
        The incidents, by what became of them.
    silent
        The rows of assets that send nothing at the end.
    unjudged
        By reason the rows of which nothing was judged.
    """

    sections: list[Section]
    silent: list[Row]
    unjudged: list[tuple[str, list[Row]]]

    @classmethod
    def of(cls, ranked: Sequence[Row], *, remembered: bool) -> Briefing:
        """That of some rows.

        Parameters
        ----------
        remembered
            Whether a ledger told the states.
        """
        headings = [
            ("new", "New since the last run", ("new", "reopened")),
            ("ongoing", "Ongoing", ("ongoing", "open", "quiet", "unknown")),
            ("closed", "Closed with this run", ("closed",)),
        ]
        if not remembered:
            headings = [
                ("open", "Open at the end", ("open", "new", "reopened", "ongoing", "quiet", "unknown")),
                ("closed", "Closed", ("closed",)),
            ]
        sections = [Section(key, title, _items(ranked, states)) for key, title, states in headings]
        unjudged = sorted((row for row in ranked if row.unjudged), key=lambda row: (row.unjudged, row.asset))
        return cls(
            sections,
            [row for row in ranked if any(each.is_silent for each in row.incidents)],
            [(reason, list(rows)) for reason, rows in groupby(unjudged, key=lambda row: row.unjudged)],
        )


def lasting(told: Told, last: str | None) -> str:
    """How long an incident has gone on, in whole days.

    >>> from anomscan.incidents.incident import Incident
    >>> days = ("2026-03-01", "2026-03-03", "2026-03-09")
    >>> dropped = Incident(None, "dropped", *days, True, 5, None, {}, {}, {}, {}, (), None)
    >>> lasting(Told("open", dropped, ""), "2026-03-10")
    '10 days'
    """
    end = last if told.is_open and last is not None else told.incident.last
    whole = int((instant(end) - instant(told.incident.since)).astype("timedelta64[D]").astype(int)) + 1
    return "1 day" if whole == 1 else f"{max(whole, 0):,} days"


def _off(deviation: float, due: str) -> str:
    return f"{percent(abs(deviation))} % {'above' if deviation > 0 else 'below'} {due}"


def _items(ranked: Iterable[Row], states: Sequence[str]) -> list[Item]:
    """The incidents of some states; those with a common cause are one."""
    found: dict[object, list[tuple[Row, Told]]] = {}
    for row in ranked:
        for told in row.incidents:
            if told.state in states:
                found.setdefault(_cause(row, told), []).append((row, told))
    items = [_item(each) for each in found.values()]
    if states == ("closed",):
        return sorted(items, key=lambda item: item.told.incident.last, reverse=True)
    return items


def _cause(row: Row, told: Told) -> object:
    """What incidents of one cause share."""
    common = told.incident.common
    if common is not None:
        return common.asset, common.since
    if row.is_cohort:
        return row.asset, told.incident.since
    return row.asset, told.incident.since, told.incident.kind, told.incident.id


def _item(pairs: Sequence[tuple[Row, Told]]) -> Item:
    members = tuple(pair for pair in pairs if not pair[0].is_cohort)
    row, told = next((pair for pair in pairs if pair[0].is_cohort), pairs[0])
    common = any(each.incident.common is not None for _, each in members)
    return Item(row, told, members if common and len(pairs) > 1 else ())
