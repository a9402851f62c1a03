"""What one fetch from a service uses: threads, connections, deadlines, and shared knowledge."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sized
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event, Lock
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa

from anomscan.config import RestSource
from anomscan.retrying import Backoff, Clock, Deadline, TransientError, persist
from anomscan.sources.rest.faults import StoppedError, UnreachedError
from anomscan.sources.rest.http import Http, key_of
from anomscan.sources.rest.paging import Page, Paging, parsed
from anomscan.sources.rest.urls import shown_url
from anomscan.tables.origins import Origins
from anomscan.tables.values import Numbers
from anomscan.telemetry import arrow
from anomscan.telemetry.rows import TIMESTAMP

_TICK_S = 0.2
_BACKOFF = Backoff(0.5, 30.0, jitter=(0.0, 1.0))
_TRIES_BEFORE_CONTACT = 3

_T = TypeVar("_T")
_Records = TypeVar("_Records", bound=Sized)


class Calls(Generic[_Records]):
    """The calls that belong together, those of one asset: one deadline and one limit of size for all of them.

    Parameters
    ----------
    find
        Finds the records in the JSON of an answer, given also what answered, for errors, and the secret to mask in
        them; None where there are none.
    once
        Whether a call that fails is not made again.
    """

    def __init__(
        self,
        run: RestFetch,
        settings: RestSource,
        clock: Clock,
        find: Callable[[Any, str, str], _Records | None],
        *,
        once: bool,
    ) -> None:
        self._run = run
        self._find = find
        self._once = once
        self._deadline = Deadline(clock, settings.deadline_s)
        self._room = int(settings.max_response_mb * 1e6)

    def page(self, url: str, paging: Paging, take: Callable[[_Records | None], _T]) -> Page[_T]:
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
                return Page(take(None), 0, None), 0
            # One at a time: parsed JSON is several times its text, and threads parse no faster together.
            with run.parsing:
                body = parsed(answer)
                found = self._find(body, shown_url(url), run.secret)
                run.records_seen |= found is not None
                run.empty_seen |= found is None
                count = 0 if found is None else len(found)
                return Page(take(found), count, paging.next(body, answer)), len(answer.body)

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
        #: Whether any answer said that there are none.
        self.empty_seen = False
        #: An asset whose rows are all of another time than was asked for, its first and its last.
        self.beside: tuple[str, np.datetime64, np.datetime64] | None = None
        #: Whether any row was of the time asked for.
        self.within = False
        #: Of the assets' records; what it has seen is that of all of them.
        self.paging = Paging(settings)
        #: Reads the values of all assets.
        self.numbers = Numbers(settings.missing)
        #: Where the rows of all assets stood.
        self.origins = Origins()

    def calls(self, find: Callable[[Any, str, str], _Records | None], *, once: bool = False) -> Calls[_Records]:
        """Calls that belong together; their deadline begins now."""
        return Calls(self, self._settings, self.clock, find, once=once)

    def saw(self, asset: str, rows: pa.Table, wanted: pa.Table) -> None:
        """Take note of the rows of an answer, and of those of them that had been asked for."""
        if len(wanted):
            self.within = True
        elif len(rows):
            moments = arrow.numbers(rows[TIMESTAMP], "int64").view("datetime64[us]")
            self.beside = (asset, moments.min(), moments.max())

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
