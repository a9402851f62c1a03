"""The rows of the fleet as the page's script reads them: columns of JSON, and days as bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomscan.reports.chartdata import instant
from anomscan.reports.fleet.cells import CODES, Cells
from anomscan.reports.fleet.packing import levels, packed, runs
from anomscan.reports.fleet.rows import Row
from anomscan.reports.fleet.told import Told
from anomscan.telemetry.series import Floats, Instants, Series


class AssetVerdicts(NamedTuple):
    """The judged samples of an asset: (n,) timestamps in time order, and of each the code of its verdict."""

    asset: str
    timestamps: Instants
    codes: NDArray[np.uint8]


#: So many bytes the values of all rows may take, before they are base64: those of 19,000 assets over a year.
_MOST_VALUES = 7_000_000
#: So many incidents the page tells of, those of each asset the worst first; each asset has one at least.
_MOST_INCIDENTS = 20_000


class Days:
    """The verdicts of a fleet's last year, and the values of the rows that come first, as far as they fit.

    Parameters
    ----------
    cells
        The calendar.
    rows
        In the order of the page.
    """

    def __init__(self, cells: Cells, rows: Sequence[Row]) -> None:
        self._cells, self._rows = cells, rows
        self._places = {row.asset: place for place, row in enumerate(rows)}
        self._strips: list[bytes] = [b""] * len(rows)
        self._measured = min(len(rows), _MOST_VALUES // max(cells.count, 1))
        self._levels = np.zeros((self._measured, cells.count), np.uint8)
        self._ends: list[list[float] | None] = [None] * len(rows)
        nobody = np.empty(0, "datetime64[us]")
        for place, row in enumerate(rows):
            self._strips[place] = runs(cells.verdicts(row.stretch, nobody, np.empty(0, np.uint8)))

    def judge(self, judged: Iterable[AssetVerdicts]) -> None:
        """Lay down verdicts, of each asset once."""
        for asset, timestamps, codes in judged:
            place = self._places.get(asset)
            if place is not None:
                stretch = self._rows[place].stretch
                self._strips[place] = runs(self._cells.verdicts(stretch, timestamps, codes))

    def measure(self, series: Iterable[Series]) -> None:
        """Lay down values, of each asset once: of the variable that is most amiss, else of the first."""
        for each in series:
            place = self._places.get(each.asset)
            if place is None or place >= self._measured or not len(each):
                continue
            values: Floats = each.values[:, _column(self._rows[place], each)]
            told, low, high = levels(self._cells.values(each.timestamps, values))
            if math.isfinite(low):
                self._levels[place] = told
                self._ends[place] = [float(f"{low:.6g}"), float(f"{high:.6g}")]

    def blocks(self) -> tuple[str, str]:
        """The verdicts as runs, and the values as levels, each as base64."""
        strips = np.frombuffer(b"".join(self._strips), np.uint8)
        return packed(strips), packed(self._levels) if any(self._ends) else ""

    @property
    def size(self) -> int:
        """How many characters both blocks take."""
        return 4 * (sum(map(len, self._strips)) + self._levels.size) // 3

    @property
    def without_values(self) -> int:
        """How many rows at the end have no values, for their number."""
        return len(self._rows) - self._measured

    @property
    def ends(self) -> list[list[float] | None]:
        """Of each row the lowest and the highest value; None where it has none."""
        return self._ends


def fleet_json(
    rows: Sequence[Row],
    cells: Cells,
    days: Days,
    *,
    embedded: Collection[str],
    paged: Collection[str],
    stem: Callable[[str], str],
    link: Callable[[Row], str | None],
) -> dict[str, Any]:
    """The fleet's table.

    Parameters
    ----------
    rows
        In the order of the page.
    embedded, paged
        The assets with a view in this file, and with a page in the folder.
    stem
        The name of an asset's view.
    link
        The address of an asset's page elsewhere.
    """
    most = _each([len(row.incidents) for row in rows])
    cohorts = sorted({row.cohort for row in rows})
    reasons = sorted({row.unjudged for row in rows})
    return {
        "cells": {"start": cells.start_us // 1000, "step": cells.step_us / 1000, "count": cells.count},
        "unit": cells.unit,
        "verdicts": ["nothing reported", *CODES],
        "cohorts": cohorts,
        "reasons": reasons,
        "assets": [row.asset for row in rows],
        "cohort": [cohorts.index(row.cohort) for row in rows],
        "unjudged": [reasons.index(row.unjudged) for row in rows],
        "state": [row.state for row in rows],
        "names": _few((place, row.name) for place, row in enumerate(rows)),
        "tags": _few((place, row.tags) for place, row in enumerate(rows)),
        "links": _few((place, link(row)) for place, row in enumerate(rows)),
        "incidents": _few(
            (place, [_incident(each) for each in row.incidents[:most]]) for place, row in enumerate(rows)
        ),
        "most": most if any(len(row.incidents) > most for row in rows) else 0,
        "more": _few((place, len(row.incidents) - most) for place, row in enumerate(rows) if len(row.incidents) > most),
        "area": _few((place, _short(row.area)) for place, row in enumerate(rows)),
        "ends": days.ends if any(days.ends) else [],
        "views": _few((place, stem(row.asset)) for place, row in enumerate(rows) if row.asset in embedded),
        "pages": _few((place, stem(row.asset)) for place, row in enumerate(rows) if row.asset in paged),
    }


def _each(counts: Sequence[int]) -> int:
    """How many incidents of each row fit.

    >>> _each([3, 1]), _each([30_000, 1])
    (3, 19999)
    """
    most, left = 0, _MOST_INCIDENTS
    rest = sorted(counts)
    for place, count in enumerate(rest):
        step = min(count - most, left // (len(rest) - place))
        most, left = most + step, left - step * (len(rest) - place)
    return max(most, 1)


def _incident(told: Told) -> list[Any]:
    incident = told.incident
    return [
        told.state,
        incident.kind,
        incident.since,
        incident.last,
        _ms(incident.since),
        _ms(incident.last),
        incident.days,
        told.words,
        _short(told.deviation),
        _short(told.loss),
        told.variable or "",
        told.muted,
        incident.id or "",
    ]


def _ms(timestamp: str) -> int:
    return int(instant(timestamp).astype("datetime64[ms]").astype(np.int64))


def _few(pairs: Iterable[tuple[int, Any]]) -> dict[int, Any]:
    """What is said of some rows only."""
    return {place: content for place, content in pairs if content}


def _short(number: float | None) -> float | None:
    return None if number is None or not math.isfinite(number) else float(f"{number:.4g}")


def _column(row: Row, series: Series) -> int:
    variable = next((each.variable for each in row.incidents if each.variable in series.variables), None)
    return 0 if variable is None else series.variables.index(variable)
