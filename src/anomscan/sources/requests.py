"""What a request asks for: as few queries as possible, and the rows of their answers that belong to it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from anomscan.sources.base import Request
from anomscan.telemetry import arrow
from anomscan.telemetry.rows import ASSET, TIMESTAMP

#: Assets that end within this of the newest are asked for together; those further behind one by one.
_TOGETHER = np.timedelta64(7, "D")


def parts(request: Request, *, per_asset: bool) -> Iterator[Request]:
    """Split a request into requests that one query can answer.

    Parameters
    ----------
    per_asset
        Whether the query can be asked for one asset.

    Yields
    ------
    Requests without ``since``: of one asset, or of all. Together they ask for all that is asked, and perhaps for more.
    """
    if request.assets is not None and per_asset:
        for asset in request.assets:
            yield Request((asset,), request.since.get(asset, request.start), request.end)
        return
    since = {asset: start for asset, start in request.since.items() if not request.assets or asset in request.assets}
    if not since or (request.assets is not None and len(since) < len(request.assets)):
        yield Request(request.assets, request.start, request.end)
        return
    if not per_asset:
        yield Request(request.assets, min(since.values()), request.end)
        return
    together = max(since.values()) - _TOGETHER
    yield Request(None, min(start for start in since.values() if start >= together), request.end)
    for asset, start in sorted(since.items()):
        if start < together:
            yield Request((asset,), start, request.end)


def asked(rows: pa.Table, request: Request) -> pa.Table:
    """The rows that a request asks for."""
    keep = None
    if request.assets is not None:
        keep = pc.is_in(rows[ASSET], arrow.to_texts(request.assets))
    if request.start is not None:
        late = pc.greater_equal(
            rows[TIMESTAMP], arrow.to_numbers(np.array([request.start], "datetime64[us]"), pa.timestamp("us"))[0]
        )
        keep = late if keep is None else pc.and_(keep, late)
    if request.end is not None:
        early = pc.less_equal(
            rows[TIMESTAMP], arrow.to_numbers(np.array([request.end], "datetime64[us]"), pa.timestamp("us"))[0]
        )
        keep = early if keep is None else pc.and_(keep, early)
    return rows if keep is None else rows.filter(keep)
