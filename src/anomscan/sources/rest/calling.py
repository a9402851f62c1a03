"""What one fetch from a service uses: threads, connections, deadlines, and shared knowledge."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event, Lock
from typing import Any, TypeVar

from anomscan.config import RestSource
from anomscan.retrying import Backoff, Clock, Deadline, TransientError, persist
from anomscan.sources.rest.faults import StoppedError, UnreachedError
from anomscan.sources.rest.http import Http, key_of
from anomscan.sources.rest.paging import Page, Paging, parsed, records_of
from anomscan.sources.rest.urls import shown_url
from anomscan.tables.values import Numbers

_TICK_S = 0.2
_BACKOFF = Backoff(0.5, 30.0, jitter=(0.0, 1.0))
_TRIES_BEFORE_CONTACT = 3

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
        self._deadline = Deadline(clock, settings.deadline_s)
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
            See :func:`anomscan.retrying.persist`, :class:`Http` and ``take``.
        """
        run = self._run

        def attempt() -> tuple[Page[_T], int]:
            if run.stop.is_set():
                raise StoppedError
            try:
                answer = run.http.get(url, end=self._deadline.end, room=self._room, contact=run.contact)
            except TransientError as error:
                if isinstance(error, UnreachedError) and not run.contact.is_set():
                    # If nothing was ever reachable, a wrong url is more likely than a pause.
                    error.most_tries = _TRIES_BEFORE_CONTACT
                raise
            if answer.body is None:
                run.records_seen = True
                return Page(take([]), 0, None), 0
            # One at a time: parsed JSON is several times its text, and threads parse no faster together.
            with run.parsing:
                body = parsed(answer)
                found = records_of(body, self._path, shown_url(url), run.secret)
                run.records_seen |= found is not None
                records = found or []
                return Page(take(records), len(records), paging.next(body, answer)), len(answer.body)

        page, size = persist(attempt, _BACKOFF, self._deadline, run.clock, run.sleep, once=self._once)
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
        self.clock = clock
        self.stop = Event()
        self.sleep = clock.sleep or self.stop.wait
        #: Set once the service has answered anything at all.
        self.contact = Event()
        self._threads = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="anomscan-rest")
        self._under_way: set[Future[Any]] = set()
        self.http = Http(name, settings, clock, self.stop)
        #: Masked in whatever the service says.
        self.secret = key_of(name, settings)
        self.parsing = Lock()
        #: Whether any answer had an array of records.
        self.records_seen = False
        #: Of the assets' records; what it has seen is that of all of them.
        self.paging = Paging(settings)
        #: Reads the values of all assets.
        self.numbers = Numbers(settings.missing)

    def calls(self, path: str | None, *, once: bool = False) -> Calls:
        """Calls that belong together; their deadline begins now."""
        return Calls(self, self._settings, self.clock, path, once=once)

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
        self.stop.set()
        self._threads.shutdown(wait=False)  # work that has not begun ends at its first call
        while self._under_way:
            self.http.cut_overdue()
            self._under_way -= wait(self._under_way, timeout=_TICK_S).done
        self.http.close()
