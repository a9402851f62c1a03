"""JSON responses: where the records are, and which page comes next."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from anomscan.config import RestSource
from anomscan.errors import AssetError
from anomscan.retrying import TransientError
from anomscan.sources.rest.http import Answer
from anomscan.sources.rest.urls import followed, shown_url, with_parameter
from anomscan.sources.rest.words import message_of

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
    with suppress(ValueError, RecursionError):
        return json.loads(body)
    start = body[:200].lstrip().lower()
    what = "HTML" if start.startswith(b"<") else "what is not JSON, or cut off"
    raise TransientError(f"{shown_url(answer.url)} answered with {what} instead of JSON", most_tries=_TRIES_FOR_JSON)


def records_of(body: Any, path: str | None, place: str, secret: str = "") -> list[Any] | None:
    """The array of records in a response; None where it says that there are none: by null, or by a path that ends.

    Parameters
    ----------
    path
        Keys with dots between them; None where the answer is the array.
    place
        What answered, for errors.
    secret
        Masked, where the service repeats it.

    Raises
    ------
    AssetError
        If there is something else in the place of the array, or a message.
    """
    found, value = look_up(body, path) if path else (True, body)
    where = f" at '{path}'" if path else ""
    if value is None:
        if said := message_of(body, secret):
            raise AssetError(f"{place} answered without records: {said}")
        if found or (path is not None and _ends(body, path)):
            return None
        has = f"it has: {', '.join(list(body)[:20])}" if isinstance(body, dict) else f"it is {kind_of(body)}"
        raise AssetError(f"the answer of {place} has nothing{where}", hint=has)
    if not isinstance(value, list):
        if said := message_of(value, secret):
            raise AssetError(f"{place} answered without records: {said}")
        keys = f", its keys are: {', '.join(list(value)[:20])}" if isinstance(value, dict) and value else ""
        raise AssetError(f"the answer of {place} has {kind_of(value)}{where}, not an array of records{keys}")
    return value


def _ends(node: Any, path: str) -> bool:
    """Whether a path leads to null, an empty array or object, or all the way but for its last key."""
    if node is None or node in ([], {}):
        return True
    head, _, rest = path.partition(".")
    if isinstance(node, list):
        return head.isdecimal() and int(head) < len(node) and bool(rest) and _ends(node[int(head)], rest)
    if not isinstance(node, dict):
        return False
    dots = [len(path), *(dot.start() for dot in re.finditer(r"\.", path))]
    if any(_ends(node[path[:dot]], path[dot + 1 :]) for dot in dots[1:] if path[:dot] in node):
        return True
    return not rest and not any(isinstance(each, list) for each in node.values())


def look_up(node: Any, path: str) -> tuple[bool, Any]:
    """Whether there is something at a path, and what; keys may contain dots, arrays take numbers.

    >>> look_up({"a": {"b.c": [7]}}, "a.b.c.0")
    (True, 7)
    """
    if isinstance(node, list):
        head, _, rest = path.partition(".")
        if not re.fullmatch(r"\d{1,9}", head, re.ASCII) or int(head) >= len(node):
            return False, None
        return look_up(node[int(head)], rest) if rest else (True, node[int(head)])
    if not isinstance(node, dict):
        return False, None
    if path in node:
        return True, node[path]
    for dot in re.finditer(r"\.", path):
        if path[: dot.start()] in node:
            found, value = look_up(node[path[: dot.start()]], path[dot.end() :])
            if found:
                return True, value
    return False, None


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


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    names = {dict: "an object", list: "an array", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
