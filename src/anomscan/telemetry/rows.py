"""Rows on their way into the store: one schema for every source."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from anomscan.telemetry.cadence import Cadence

ASSET = "asset"
TIMESTAMP = "timestamp"
HEALTH = "health"
ARRIVED_AT = "arrived_at"
#: The number of a row in its fetch, int64, in rows of sources that can tell where a row stood.
ORIGIN = "origin"


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of every row of one source.

    Parameters
    ----------
    cadence
        The declared step.
    variables
        The names of the values, in order.
    """

    cadence: Cadence
    variables: tuple[str, ...]

    @property
    def schema(self) -> pa.Schema:
        """``asset`` string, ``timestamp`` timestamp[us] (UTC, no zone), ``value:NAME`` float64 each, ``health`` string.

        An empty value is null, and so is the health of a sample without; nothing else is null, nothing NaN or infinite.
        """
        return pa.schema(
            [
                pa.field(ASSET, pa.string(), nullable=False),
                pa.field(TIMESTAMP, pa.timestamp("us"), nullable=False),
                *(pa.field(value_column(name), pa.float64()) for name in self.variables),
                pa.field(HEALTH, pa.string()),
            ]
        )

    @property
    def numbered(self) -> pa.Schema:
        """The same and ``origin``: the rows of sources that can tell where a row stood."""
        return self.schema.append(pa.field(ORIGIN, pa.int64()))


def value_column(variable: str) -> str:
    """The column of a variable; prefixed, so that a variable may have any name."""
    return f"value:{variable}"
