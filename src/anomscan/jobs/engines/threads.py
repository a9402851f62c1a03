"""Threads of this process; the scoring kernel lets them run in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from types import TracebackType
from typing import Self

from anomscan.jobs.engines.base import Item, Result
from anomscan.jobs.engines.cpus import usable_cpus


class Threads:
    """An engine without requirements; an item that kills its worker kills the process.

    Parameters
    ----------
    workers
        Threads; by default as many as CPUs this process may use.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or usable_cpus()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def map(
        self, work: Callable[..., Result], items: Iterable[Item], load: Callable[[Item], object] | None = None
    ) -> Iterator[tuple[Item, Result]]:
        """See :meth:`anomscan.jobs.engines.base.Engine.map`; one worker, or one item, needs no thread but this."""
        source = iter(items)
        first = list(islice(source, 2))
        if self.workers == 1 or len(first) < 2:
            for item in chain(first, source):
                yield item, work(item)
            return
        source = chain(first, source)
        from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="scan")
        try:
            # One more than there are workers, so that none waits for this thread.
            pending: dict[Future[Result], Item] = {
                pool.submit(work, item): item for item in islice(source, self.workers + 1)
            }
            while pending:
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    item = pending.pop(future)
                    pending.update({pool.submit(work, following): following for following in islice(source, 1)})
                    yield item, future.result()
        finally:
            # After an interruption nobody waits here: work in progress may wait for a service that only its own
            # detector can tell to stop.
            pool.shutdown(wait=False, cancel_futures=True)
