"""What one fetch from a service uses: threads, connections, deadlines, and shared knowledge."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event, Lock
from typing import Any, TypeVar

from anomscan.config import RestSource
from anomscan.sources.rest.http import Http
from anomscan.sources.rest.paging import Page, Paging, parsed, records_of
from anomscan.sources.rest.retrying import Clock, Retrying
from anomscan.sources.rest.urls import shown_url

_TICK_S = 0.2

_T = TypeVar("_T")


class Calls:
    """The calls that belong together, those of one asset: one deadline and one limit of size for all of them.

    Parameters
    ----------
    path
        Where the records are in an answer.
    once
        Whether a call that fails is not made again.
    """

    def __init__(self, run: RestFetch, settings: RestSource, clock: Clock, path: str | None, *, once: bool) -> None:
        self._run = run
        self._path = path
        self._once = once
        self._end = clock.monotonic() + settings.deadline_s
        self._room = int(settings.max_response_mb * 1e6)

    def page(self, url: str, paging: Paging, take: Callable[[list[Any]], _T]) -> Page[_T]:
        """Request one page, again if that helps.

        Parameters
        ----------
        take
            What to make of the page's records.

        Raises
        ------
        GaveUpError, StoppedError, AssetError, InputError, ServiceError, ConfigError
            See :class:`Retrying`, :class:`Http` and ``take``.
        """

        def attempt() -> tuple[Page[_T], int]:
            answer = self._run.http.get(url, end=self._end, room=self._room, contact=self._run.retrying.contact)
            if answer.body is None:
                return Page(take([]), 0, None), 0
            # One at a time: parsed JSON is several times its text, and threads parse no faster together.
            with self._run.parsing:
                body = parsed(answer)
                records = records_of(body, self._path, shown_url(url))
                return Page(take(records), len(records), paging.next(body, answer)), len(answer.body)

        page, size = self._run.retrying.persist(attempt, self._end, once=self._once)
        self._room -= size
        return page


class RestFetch:
    """One fetch; close it at the end.

    Parameters
    ----------
    name
        The source's, for errors.

    Raises
    ------
    ConfigError
        See :class:`Http`.
    """

    def __init__(self, name: str, settings: RestSource, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._stop = Event()
        self._threads = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="anomscan-rest")
        self._under_way: set[Future[Any]] = set()
        self.http = Http(name, settings, clock, self._stop)
        self.retrying = Retrying(clock, self._stop)
        self.parsing = Lock()
        #: Of the assets' records; what it has seen is that of all of them.
        self.paging = Paging(settings)

    def calls(self, path: str | None, *, once: bool = False) -> Calls:
        """Calls that belong together; their deadline begins now."""
        return Calls(self, self._settings, self._clock, path, once=once)

    def submit(self, work: Callable[..., _T], *arguments: object) -> Future[_T]:
        """Do work in a thread."""
        future = self._threads.submit(work, *arguments)
        self._under_way.add(future)
        return future

    def done(self, futures: Collection[Future[_T]]) -> set[Future[_T]]:
        """The work that is done, at least one item; meanwhile, calls beyond their deadline are cut."""
        finished: set[Future[_T]] = set()
        while not finished:
            finished = wait(futures, timeout=_TICK_S, return_when=FIRST_COMPLETED).done
            self.http.cut_overdue()
        self._under_way -= finished
        return finished

    def close(self) -> None:
        """End work in progress: waits end, connections are cut."""
        self._stop.set()
        self._threads.shutdown(wait=False)  # work that has not begun ends at its first call
        while self._under_way:
            self.http.cut_overdue()
            self._under_way -= wait(self._under_way, timeout=_TICK_S).done
        self.http.close()
