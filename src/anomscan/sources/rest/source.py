"""Telemetry behind a JSON API that is asked asset by asset."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa

from anomscan.config import RestSource
from anomscan.errors import AssetError, ConfigError, InputError, ServiceError
from anomscan.retrying import Clock, GaveUpError
from anomscan.sources.base import AssetFailure, Notice, Request
from anomscan.sources.requests import asked
from anomscan.sources.rest.calling import RestFetch
from anomscan.sources.rest.faults import RefusedError, UnreachedError
from anomscan.sources.rest.http import key_of
from anomscan.sources.rest.paging import Page, Paging
from anomscan.sources.rest.paths import array_at
from anomscan.sources.rest.records import Records, Taken, ids_of
from anomscan.sources.rest.shapes import Shapes
from anomscan.sources.rest.stretches import in_stretches
from anomscan.sources.rest.urls import as_template, checked, filled, shown_url
from anomscan.sources.rest.words import without
from anomscan.tables.layouts import table_layout
from anomscan.tables.origins import Origins
from anomscan.tables.salvage import Reject
from anomscan.tables.secrets import resolve
from anomscan.tables.times import Times
from anomscan.tables.values import Plausible
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout

#: After this many assets in a row without a response, further ones get one call each, until one responds.
_DOWN_AFTER = 4
#: After this many without any response at all, the rest is not asked for.
_DEAD_AFTER = 40


class Rest:
    """A service's records of each asset.

    A few assets are asked for at a time, each in its own thread. The pages of an asset are held until the last of them
    is there, so its rows are delivered all or not at all, each once; a record that cannot be used is handed out alone.

    Parameters
    ----------
    clock
        Clocks, dice and sleep, for tests.

    Raises
    ------
    ConfigError
        A URL, a key or a format that cannot be used, or a secret that is not where the settings say.
    """

    def __init__(self, name: str, settings: RestSource, clock: Clock | None = None) -> None:
        self.name = name
        self._settings = settings = settings.model_copy(
            update={
                field: resolve(given)
                for field in ("url", "key", "assets_url")
                if (given := getattr(settings, field)) is not None
            }
        )
        self._clock = clock or Clock()
        self._origins = Origins()
        self.layout = Layout(Cadence.parse(settings.cadence), settings.columns.values)
        self.timezone = settings.timezone or "UTC"
        self._plausible = Plausible(settings.plausible)
        self._times()  # so that a wrong timestamp_format is refused before the service is asked
        columns = table_layout(settings.layout, settings.columns, self.layout).read(list)
        self._shapes = Shapes(name, settings, columns)
        key_of(name, settings)
        self._template = as_template(settings.url.get_secret_value(), f"sources.{name}.url")
        self._assets_url: str | None = None
        if settings.assets_url is not None:
            self._assets_url = checked(settings.assets_url.get_secret_value(), f"sources.{name}.assets_url")
        form = settings.time_format
        if form is not None and "%" not in form and form not in ("unix", "unix-ms"):
            raise ConfigError(
                f"sources.{name}.time_format '{form}' is not understood",
                hint="write it as %Y-%m-%dT%H:%M:%SZ, unix or unix-ms",
            )

    def place(self, number: int) -> str:
        """Where a row of the last fetch stood: asset, page and record."""
        return self._origins.place(number)

    def describe(self) -> Iterator[tuple[str, str]]:
        """A description of the connection; see :mod:`anomscan.sources.checkup`."""
        encrypted = self._template.lower().startswith("https:")
        yield "encryption", "TLS, certificate verified" if encrypted else "none, the URL begins with http:"

    def fetch(self, request: Request) -> Iterator[pa.Table | AssetFailure | Notice | Reject]:
        """Ask for the wanted assets.

        Where the request names none: those of the settings, else of the service's list, else those whose history is
        known, for a service that cannot list them.

        Raises
        ------
        ConfigError
            It is not said which assets there are.
        ServiceError
            The service is unreachable, refuses us, cannot list its assets, or has no answer for any of them.
        """
        key = key_of(self.name, self._settings)
        try:
            for item in self._items(request):
                yield _without(key, item) if key else item
        except ServiceError as error:
            if without(key, str(error)) == str(error):
                raise
            hint = None if error.hint is None else without(key, error.hint)
            raise ServiceError(without(key, error.message), hint=hint) from None

    def _items(self, request: Request) -> Iterator[pa.Table | AssetFailure | Notice | Reject]:
        self._check_end(request)
        run = RestFetch(self.name, self._settings, self._clock)
        self._origins = run.origins
        try:
            if key_of(self.name, self._settings) and _in_the_clear(self._template):
                yield Notice(f"source '{self.name}' sends its key over http, where others can read it; use https")
            assets = request.assets or self._settings.assets
            if not assets and self._assets_url is None:
                assets = tuple(sorted(request.since))
            if not assets:
                listing = run.submit(self._listed, run)
                run.done([listing])
                assets = listing.result()
            yield from self._all(assets, request, run)
            if run.empty_seen and self._settings.records is not None and not run.records_seen:
                yield Notice(
                    f"no answer of source '{self.name}' has records at '{self._settings.records}': none are new, or "
                    f"sources.{self.name}.records is wrong"
                )
            if not request.since:
                yield from map(Notice, run.numbers.told())
            yield from map(Notice, run.numbers.rounded)
            if run.beside is not None and not run.within:
                asset, *ends = run.beside
                first, last = map(self.layout.cadence.text, ends)
                yield Notice(
                    f"source '{self.name}' gave no row of the time asked for: those of asset '{asset}' are of {first} "
                    f"to {last}; are timestamp_format and the order of the columns right?"
                )
            if run.paging.path_unseen is not None:
                path = run.paging.path_unseen
                yield Notice(f"no answer of source '{self.name}' has '{path}', so each was taken to be the only page")
        finally:
            run.close()

    def _all(
        self, assets: Iterable[str], request: Request, run: RestFetch
    ) -> Iterator[pa.Table | AssetFailure | Reject]:
        queue = iter(assets)
        pending: dict[Future[tuple[pa.Table, list[Reject]]], str] = {}
        unanswered: list[AssetFailure] = []  # until it is known whether others succeed
        in_a_row = 0
        succeeded = False
        while True:
            while len(pending) < self._settings.concurrency and (asset := next(queue, None)) is not None:
                pending[run.submit(self._rows, asset, request, run, in_a_row >= _DOWN_AFTER)] = asset
            if not pending:
                break
            for future in run.done(pending):
                asset = pending.pop(future)
                try:
                    rows, rejects = future.result()
                except ConfigError:
                    raise
                except RefusedError as error:
                    in_a_row += 1
                    unanswered.append(AssetFailure(asset, error))
                    if not succeeded and in_a_row >= _DEAD_AFTER:
                        raise self._down(unanswered, unreached=False) from None
                except (AssetError, InputError) as error:
                    in_a_row = 0
                    yield AssetFailure(asset, error)
                except GaveUpError as error:
                    in_a_row += 1
                    unanswered.append(AssetFailure(asset, AssetError(str(error))))
                    unreached = isinstance(error.last, UnreachedError)
                    if not succeeded and (in_a_row >= _DEAD_AFTER or (unreached and not run.contact.is_set())):
                        raise self._down(unanswered, unreached) from None
                else:
                    in_a_row = 0
                    succeeded = True
                    yield from rejects
                    if len(rows):
                        yield rows
            if succeeded:
                yield from unanswered
                unanswered.clear()
        if unanswered:
            raise self._down(unanswered, unreached=False)

    def _down(self, unanswered: list[AssetFailure], unreached: bool) -> ServiceError:
        first, others = unanswered[0].error.message, len(unanswered) - 1
        also = f" (and so for {others} more assets)" if others else ""
        hint = f"check sources.{self.name}.url and the network" if unreached else unanswered[0].error.hint
        return ServiceError(f"source '{self.name}': {first}{also}", hint=hint)

    def _rows(self, asset: str, request: Request, run: RestFetch, once: bool) -> tuple[pa.Table, list[Reject]]:
        """All rows of an asset that were asked for, each once, and the rejects; runs in a thread of its own."""
        request = Request((asset,), request.since.get(asset, request.start), request.end)
        url = self._url(asset, request)
        tables = table_layout(self._settings.layout, self._settings.columns, self.layout)
        records = Records(
            asset, shown_url(url), self.layout, tables, self._times(), run.numbers, self._plausible, run.origins
        )
        calls = run.calls(self._shapes.find, once=once)

        def page(here: str, number: int) -> Page[Taken]:
            return calls.page(here, run.paging, lambda found: records.rows(found, number))

        def pages(part: Request) -> list[Taken]:
            return list(run.paging.walk(self._url(asset, part), page))

        divides = all(bound in self._template for bound in ("{start}", "{end}"))
        now = np.datetime64(int(self._clock.wall()), "s").astype("datetime64[us]")
        first = now - np.timedelta64(self._settings.history_days, "D")
        answers = in_stretches(request, pages, first, now) if divides else pages(request)
        rows, rejects = records.whole(answers)
        wanted = asked(rows, request)
        run.saw(asset, rows, wanted)
        return wanted, rejects

    def _url(self, asset: str, request: Request) -> str:
        return filled(
            self._template,
            asset,
            request,
            cadence=self.layout.cadence,
            timezone=self.timezone,
            day_stamp=self._settings.day_stamp,
            time_format=self._settings.time_format,
            history_days=self._settings.history_days,
            now_s=self._clock.wall(),
        )

    def _check_end(self, request: Request) -> None:
        """Refuse a request that ends before it begins, for want of a start."""
        days = self._settings.history_days
        earliest = np.datetime64(int(self._clock.wall()), "s") - np.timedelta64(days, "D")
        begins = re.search(r"\{(days|start)\}", self._template) is not None
        if begins and request.start is None and request.end is not None and request.end < earliest:
            raise ConfigError(
                f"source '{self.name}' is asked for the last {days} days, which begin after the end that is given",
                hint=f"give --from, too, or raise sources.{self.name}.history_days",
            )

    def _listed(self, run: RestFetch) -> tuple[str, ...]:
        """The ids that the service lists."""
        if self._assets_url is None:
            raise ConfigError(
                f"the assets of source '{self.name}' are not known",
                hint=f"name them with --asset, in sources.{self.name}.assets, or set assets_url",
            )
        paging = Paging(self._settings)
        calls = run.calls(partial(array_at, path=self._settings.assets_records))
        ids: dict[str, None] = {}

        def page(here: str, number: int) -> Page[list[str]]:
            return calls.page(here, paging, lambda found: ids_of(found, self._settings.assets_id))

        try:
            for some in paging.walk(self._assets_url, page, repeats=True):
                ids.update(dict.fromkeys(some))
        except (AssetError, GaveUpError) as error:
            raise ServiceError(f"the assets of source '{self.name}' cannot be listed: {error}") from None
        if not ids:
            raise ServiceError(
                f"source '{self.name}' lists no asset", hint=f"see sources.{self.name}.assets_url and assets_records"
            )
        return tuple(ids)

    def _times(self) -> Times:
        return Times.of(self._settings, self.layout.cadence)


def _in_the_clear(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "http" and host not in ("localhost", "::1") and not host.startswith("127.")


def _without(key: str, item: pa.Table | AssetFailure | Notice | Reject) -> pa.Table | AssetFailure | Notice | Reject:
    """Redact our key from anything the service echoed: errors and rejects are kept in files."""
    if isinstance(item, Reject):
        row = {name: None if text is None else without(key, text) for name, text in item.row.items()}
        return Reject(without(key, item.reason), row)
    if isinstance(item, AssetFailure) and (masked := without(key, str(item.error))) != str(item.error):
        return AssetFailure(item.asset, AssetError(masked))
    return item
