"""A request that knows where each asset's history ends, in as few queries as it takes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from anomscan.sources.base import Request

#: Assets that end within so long of the newest are asked for together; those that lag further behind alone.
_TOGETHER = np.timedelta64(7, "D")


def parts(request: Request, *, per_asset: bool) -> Iterator[Request]:
    """Split a request into those that a query can answer.

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
