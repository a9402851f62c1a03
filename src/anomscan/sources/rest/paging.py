"""Which page of a response comes next."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from anomscan.config import RestSource
from anomscan.errors import AssetError
from anomscan.retrying import TransientError
from anomscan.sources.rest.http import Answer
from anomscan.sources.rest.paths import kind_of, look_up
from anomscan.sources.rest.urls import followed, shown_url, with_parameter
from anomscan.storage.untrusted import DoubledKeyError, unique

_MOST_PAGES = 100_000
#: Calls to make if a response is not JSON: it may be a proxy's page or a truncated body, and pass.
_TRIES_FOR_JSON = 3

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Page(Generic[_T]):
    """One page of a response.

    Parameters
    ----------
    content
        What became of its records.
    records
        How many it has.
    next
        The next link (absolute) or cursor; None where there is none.
    """

    content: _T
    records: int
    next: str | None


def parsed(answer: Answer) -> Any:
    """The JSON of an answer that has a body; None for a body of blanks.

    Raises
    ------
    TransientError
        If it is invalid; worth a few retries.
    """
    body = answer.body or b""
    if not body.strip():
        return None
    try:
        return json.loads(body, object_pairs_hook=unique)
    except DoubledKeyError as error:
        what = f"JSON in which {error}"
    except (ValueError, RecursionError):
        start = body[:200].lstrip().lower()
        what = f"{'HTML' if start.startswith(b'<') else 'what is not JSON, or cut off'} instead of JSON"
    raise TransientError(f"{shown_url(answer.url)} answered with {what}", most_tries=_TRIES_FOR_JSON)


class Paging:
    """Which page comes next, as the settings say.

    Parameters
    ----------
    settings
        Their ``paging``, ``next``, ``page_parameter`` and ``first_page``.
    """

    def __init__(self, settings: RestSource) -> None:
        self._mode = settings.paging
        self._path = settings.next
        self._parameter = settings.page_parameter or ("page" if self._mode == "page" else "cursor")
        self._first = settings.first_page
        #: Whether any answer had something at the path of the next link or cursor, were it null.
        self.path_seen = False

    @property
    def path_unseen(self) -> str | None:
        """The path of the next link or cursor, if no answer had it."""
        return self._path if self._mode in ("next-link", "cursor") and not self.path_seen else None

    def next(self, body: Any, answer: Answer) -> str | None:
        """The next link (absolute) or cursor in an answer, None where there is none.

        Raises
        ------
        AssetError
            If it is neither text nor a number, or leads to another host.
        """
        if self._mode not in ("next-link", "cursor"):
            return None
        if self._path is None:
            value: Any = _linked(answer.links)
        else:
            found, value = look_up(body, self._path)
            self.path_seen |= found
        if value is None or value is False or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise AssetError(f"the next page in the answer of {shown_url(answer.url)} is {kind_of(value)}")
        if self._mode == "cursor":
            return str(value)
        leads = f"the next page of {shown_url(answer.url)} is on"
        return followed(str(value), answer.url, leads, "it was not called, for the key would go there")

    def walk(self, url: str, ask: Callable[[str, int], Page[_T]], *, repeats: bool = False) -> Iterator[_T]:
        """The pages of an answer, from the first to the last.

        Parameters
        ----------
        url
            Of the answer, or of its first page.
        ask
            Calls for a page, given its URL and its number, from 1.
        repeats
            Whether a page by number that repeats the one before is the end (the service has no pages) and no error.

        Raises
        ------
        AssetError
            If the pages go round in a circle, or do not end.
        """
        here = with_parameter(url, self._parameter, str(self._first)) if self._mode == "page" else url
        seen = {here}
        before: _T | None = None
        for number in range(1, _MOST_PAGES + 1):
            page = ask(here, number)
            if self._mode == "page":
                if not page.records:
                    return
                if number > 1 and page.content == before:
                    if repeats:
                        return
                    raise AssetError(
                        f"page {number} of {shown_url(url)} repeats the page before",
                        hint=f"does the service know the parameter '{self._parameter}'?",
                    )
                before = page.content
                yield page.content
                here = with_parameter(url, self._parameter, str(self._first + number))
                continue
            yield page.content
            if page.next is None or (page.next in seen and not page.records):
                return
            if page.next in seen:
                raise AssetError(f"page {number} of {shown_url(url)} leads back to an earlier page")
            seen.add(page.next)
            here = page.next if self._mode == "next-link" else with_parameter(url, self._parameter, page.next)
        raise AssetError(f"{shown_url(url)} has more than {_MOST_PAGES} pages", hint="ask for a shorter stretch")


def _linked(header: str | None) -> str | None:
    """The target of ``rel="next"`` in a ``Link`` header.

    >>> _linked('<https://h/1>; rel="prev", </2?a=1,2>; rel="next"')
    '/2?a=1,2'
    """
    for target, parameters in re.findall(r"<([^<>]*)>([^<]*)", header or ""):
        relation = re.search(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,]+))", parameters, re.IGNORECASE)
        if relation and "next" in (relation[1] or relation[2] or "").lower().split():
            return str(target)
    return None
