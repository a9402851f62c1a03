"""What was kept and what has come since, as telemetry: a night does not read again what it read the night before."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from anomscan.detectors.kept.file import Book, Kept
from anomscan.telemetry.rows import Layout
from anomscan.telemetry.series import Instants, Series
from anomscan.telemetry.snapshot import Snapshot
from anomscan.telemetry.units import Unit


def continued(book: Book, snapshot: Snapshot, unit: Unit) -> list[Series] | None:
    """The series of a unit, laid on their calendars, from what was kept of them and from the files written since.

    A file of the store never changes once it is written, so what its rows came to need not be asked again.

    Returns
    -------
    None where only the whole store can tell: a file has gone since, an old sample was revised or came late, or not all
    assets were kept.
    """
    files = snapshot.files
    if not book.kept or book.files is None or files is None or not book.files <= files:
        return None
    layout = snapshot.layout
    fresh = {series.asset: series for series in snapshot.read(unit, leave_out={name for name, *_ in book.files})}
    found = []
    for asset, kept in book.kept.items():
        if kept.values.shape[1] != len(layout.variables):
            return None
        series = _series(asset, kept, layout)
        newer = fresh.pop(asset, None)
        if newer is not None:
            if newer.timestamps[0] <= series.timestamps[-1]:
                return None
            series = _joined(series, newer)
        found.append(series)
    found += fresh.values()
    return found if len(found) == unit.assets else None


def _series(asset: str, kept: Kept, layout: Layout) -> Series:
    timestamps = _calendar(kept.origin, layout.cadence.step_us, len(kept.score))
    return Series(
        asset,
        layout.cadence,
        layout.variables,
        timestamps,
        kept.values,
        kept.health.astype(np.int32),
        kept.health_names,
    )


@lru_cache(256)
def _calendar(origin: int, step: int, length: int) -> Instants:
    """Kept, as the assets of a fleet share their days."""
    return (origin + step * np.arange(length)).view("datetime64[us]")


def _joined(older: Series, newer: Series) -> Series:
    """Two series, one after the other, laid on the calendar; all of the newer one is later."""
    newer = newer.on_calendar()
    step = older.cadence.step
    gap = int((newer.timestamps[0] - older.timestamps[-1]) // step) - 1
    names = older.health_names
    codes = newer.health_codes
    if newer.health_names != names:
        names = tuple(sorted({*names, *newer.health_names}))
        codes = _recoded(newer, names)
        older_codes = _recoded(older, names)
    else:
        older_codes = older.health_codes
    length = len(older) + gap + len(newer)
    d = older.values.shape[1]
    return Series(
        older.asset,
        older.cadence,
        older.variables,
        _calendar(int(older.timestamps.view(np.int64)[0]), older.cadence.step_us, length),
        np.concatenate([older.values, np.full((gap, d), np.nan), newer.values]),
        np.concatenate([older_codes, np.full(gap, -1, np.int32), codes]),
        names,
    )


def _recoded(series: Series, names: tuple[str, ...]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    table = np.array([*map(names.index, series.health_names), -1], np.int32)
    return table[series.health_codes]
