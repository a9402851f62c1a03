"""Taking samples out of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anomscan.jobs.fetch.requests import current_time
from anomscan.sources.base import Request

if TYPE_CHECKING:
    from anomscan.store.drop import Dropped
    from anomscan.store.store import Store


def drop_from(
    store: Store, source: str, request: Request, *, late: np.timedelta64, now: np.datetime64 | None = None
) -> Dropped:
    """Take what a request asks for out of the data of a source.

    Parameters
    ----------
    late
        The margin for late data.
    now
        datetime64[us], UTC; the clock's by default. What was known before still holds the samples.

    Raises
    ------
    StoreError
        The store has nothing of the source, is damaged, or on object storage.
    LockedError
        Another run writes the store.
    OutputError
        The store cannot be written.
    """
    now = current_time() if now is None else now
    return store.drop(source, assets=request.assets, start=request.start, end=request.end, now=now, late=late)
