"""Samples whose time makes them suspect: a clock that was not set, a year that was mistyped."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomscan.telemetry import arrow
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import ASSET, TIMESTAMP

#: Telemetry as assets send it today is not older; clocks that were not set begin in 1970 or 1980.
OLD = np.datetime64("1990-01-01", "us")
#: How far a timestamp may be ahead of the clock: zones and clocks differ by less.
AHEAD = np.timedelta64(1, "D")


@dataclass(slots=True)
class OddTimes:
    """Some of the samples of a fetch, counted.

    Parameters
    ----------
    rows
        How many.
    assets
        Whose they are.
    example
        Asset and timestamp of one of them.
    """

    rows: int = 0
    assets: set[str] = field(default_factory=set)
    example: tuple[str, np.datetime64] | None = None

    def add(self, rows: pa.Table) -> None:
        """Count rows of a source."""
        if len(rows) == 0:
            return
        self.rows += len(rows)
        self.assets.update(pc.unique(rows[ASSET]).to_pylist())
        if self.example is None:
            instant = arrow.numbers(rows[TIMESTAMP].slice(0, 1), "int64")[0]
            self.example = rows[ASSET][0].as_py(), np.datetime64(int(instant), "us")

    def text(self, cadence: Cadence) -> str:
        """In words: how many samples of how many assets, and one of them.

        >>> OddTimes(3, {"a", "b"}, ("a", OLD)).text(Cadence.parse("1D"))
        "3 samples of 2 assets (such as asset 'a', 1990-01-01)"
        """
        samples = "1 sample" if self.rows == 1 else f"{self.rows:,} samples"
        assets = "1 asset" if len(self.assets) == 1 else f"{len(self.assets):,} assets"
        if self.example is None:
            return f"{samples} of {assets}"
        asset, timestamp = self.example
        return f"{samples} of {assets} (such as asset '{asset}', {cadence.text(timestamp)})"


def divided(rows: pa.Table, bound: np.datetime64) -> tuple[pa.Table, pa.Table]:
    """The rows before an instant, and the others."""
    early = pc.less(rows[TIMESTAMP], arrow.to_numbers(np.array([bound], "datetime64[us]"), pa.timestamp("us"))[0])
    if not pc.any(early).as_py():
        return rows.slice(0, 0), rows
    if pc.all(early).as_py():
        return rows, rows.slice(0, 0)
    return rows.filter(early), rows.filter(pc.invert(early))
