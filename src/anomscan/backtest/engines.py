"""Who does the work: a function is mapped over chunks, results come back in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Protocol, TypeVar

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")


class Engine(Protocol):
    """Maps a function over chunks."""

    def map(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        """Results in the order of the chunks; a bounded number of chunks is held at a time."""


class Threads:
    """Threads of this process; the scoring kernel leaves them free to run side by side.

    Parameters
    ----------
    workers
        Threads; by default as many as CPUs this process may use.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or usable_cpus()

    def map(self, function: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        """Results in the order of the chunks; at most twice as many chunks as workers are held."""
        if self.workers == 1:
            yield from map(function, chunks)
            return
        source = iter(chunks)
        waiting: deque[Future[Result]] = deque()
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="scan")
        try:
            waiting.extend(pool.submit(function, chunk) for chunk in islice(source, 2 * self.workers))
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(function, chunk) for chunk in islice(source, 1))
        finally:
            # After an interruption nobody waits here: what is under way may wait for a service that only its own
            # detector can tell to stop.
            pool.shutdown(wait=False, cancel_futures=True)


def usable_cpus() -> int:
    """The CPUs this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        return os.cpu_count() or 1
