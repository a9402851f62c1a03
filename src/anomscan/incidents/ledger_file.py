"""The ledger as a file: a line of JSON an incident, in a stable order, which people may read, edit and keep in git.

The first line says the format and until when each detector has run. Keys without a value are left out. Lines that
begin with the key ``tell`` are the outbox: what is to be told of the incidents.
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from pydantic import TypeAdapter, ValidationError

from anomscan.errors import InputError, OutputError
from anomscan.incidents.incident import KINDS
from anomscan.incidents.ledger import STATES, Entry, Label, Ledger, Message
from anomscan.storage import lock
from anomscan.storage.durable import output_errors, replace_file
from anomscan.storage.json_line import json_line

#: The format's number; a change of meaning is a new one.
FORMAT = 1
_SCHEMA = re.compile(r"anomscan\.ledger/(\d{1,9})")
_ID = re.compile(r"[0-9a-f]{12}")
_TELL = re.compile(rb'\s*\{\s*"tell"')
_DAY = re.compile(r"(?a)\d{4}-\d\d-\d\d")
_TIME = re.compile(r"(?a)\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,6})?Z)?")


class LedgerFile:
    """The ledger in a folder.

    Parameters
    ----------
    folder
        Where it lies, with its lock.
    name
        Of the file.
    """

    def __init__(self, folder: Path, name: str = "ledger.jsonl") -> None:
        self.folder, self.path = folder, folder / name

    def exists(self) -> bool:
        """Whether there is one."""
        return self.path.exists()

    def read(self) -> Ledger:
        """The ledger; an empty one if there is none yet.

        Raises
        ------
        InputError
            If it was edited wrongly, with the file and the line; if a newer anomscan wrote it; if it cannot be read.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return Ledger()
        except OSError as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror}") from None
        lines = content.split(b"\n")
        nights = self._nights(lines[0])
        with without_collector():
            return self._of(lines, nights)

    def _of(self, lines: Sequence[bytes], nights: dict[tuple[str, str], str]) -> Ledger:
        entries, places, check, outbox = dict[str, Entry](), dict[str, int](), _Check(), list[Message]()
        for number, line in enumerate(lines[1:], start=2):
            if not line.strip():
                continue
            try:
                if _TELL.match(line):
                    outbox.append(check.message(_messages().validate_json(line)))
                    continue
                entry = _entries().validate_json(line)
                check.entry(entry)
            except ValidationError as error:
                raise self._error(number, _first_of(error)) from None
            except ValueError as error:
                raise self._error(number, str(error)) from None
            if entry.id in places:
                raise self._error(number, f"the id {entry.id} stands in line {places[entry.id]} already")
            entries[entry.id], places[entry.id] = entry, number
        for entry in entries.values():
            if entry.merged_into is not None and entry.merged_into not in entries:
                raise self._error(
                    places[entry.id], f"'merged_into' names {entry.merged_into}, which is not in the file"
                )
        return Ledger.of(entries.values(), nights, outbox)

    @contextmanager
    def held(self, timeout_s: float = 0.0) -> Iterator[None]:
        """Be the only one that writes it.

        Raises
        ------
        LockedError
            If another run does.
        OutputError
            If the folder cannot be written.
        """
        with output_errors(self.folder):
            if self.folder.exists() and not self.folder.is_dir():
                raise OutputError(
                    f"{self.folder} is in the way: it is not a folder", hint="name another [incidents] path"
                )
            self.folder.mkdir(parents=True, exist_ok=True)
        with lock.hold(self.folder / "lock", f"the ledger in {self.folder}", timeout_s=timeout_s):
            yield

    def write(self, ledger: Ledger) -> None:
        """Replace the file, whole or not at all; it is left alone if nothing has changed.

        Raises
        ------
        OutputError
            If it cannot be written; the old one stays.
        """
        content = encoded(ledger)
        try:
            if self.path.read_bytes() == content:
                return
        except OSError:
            pass
        with replace_file(self.path) as file:
            file.write(content)

    def _nights(self, line: bytes) -> dict[tuple[str, str], str]:
        try:
            header = json.loads(line)
            match = _SCHEMA.fullmatch(header["schema"])
        except (ValueError, KeyError, TypeError, RecursionError):
            match = None
        if match is None:
            raise self._error(1, f'it does not begin with {{"schema": "anomscan.ledger/{FORMAT}"')
        if int(match[1]) > FORMAT:
            raise InputError(f"{self.path} was written by a newer anomscan", hint="update anomscan")
        try:
            nights = _headers().validate_json(line).nights
        except ValidationError as error:
            raise self._error(1, _first_of(error)) from None
        return {(each.source, each.detector): each.end for each in nights}

    def _error(self, number: int, what: str) -> InputError:
        return InputError(f"{self.path}, line {number}: {what}", hint="correct the line, or restore an earlier version")


@dataclass(frozen=True, slots=True)
class _LastRun:
    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "strict": True}

    source: str
    detector: str
    end: str


@dataclass(frozen=True, slots=True)
class _Header:
    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "strict": True}

    schema: str
    nights: tuple[_LastRun, ...]


class _Check:
    """What an entry must be beside the types of its values; knows the times that it has seen, of which many are alike.

    Raises ValueError.
    """

    def __init__(self) -> None:
        self._times: set[str | None] = {None}

    def entry(self, entry: Entry) -> None:
        if not _ID.fullmatch(entry.id):
            raise ValueError(f"'id' is not 12 hexadecimal digits: '{entry.id}'")
        if entry.kind not in KINDS:
            raise ValueError(f"'kind' is not one of {', '.join(KINDS)}: '{entry.kind}'")
        if not entry.spells:
            raise ValueError("'spells' is empty")
        times = self._times
        if not times.issuperset(
            (entry.first_flagged, entry.first_seen, entry.judged, entry.closed, entry.reopened, entry.worse)
        ):
            for name in ("first_flagged", "first_seen", "judged", "closed", "reopened", "worse"):
                if getattr(entry, name) is not None:
                    self._time(name, getattr(entry, name))
        begin = ""
        for spell in entry.spells:
            if not times.issuperset((spell.since, spell.first, spell.last)):
                for name in ("since", "first", "last"):
                    self._time(f"spells.{name}", getattr(spell, name))
            if spell.last < spell.first or spell.first < begin:
                raise ValueError(f"'spells' are not in the order of time: {spell.first} to {spell.last}")
            begin = spell.first
        if entry.quiet is not None and entry.quiet < 0:
            raise ValueError(f"'quiet' is negative: {entry.quiet}")
        for label in (*entry.labels, *entry.withdrawn):
            self._label(label)
        if entry.snoozed is not None and not _DAY.fullmatch(entry.snoozed.until):
            raise ValueError(f"'snoozed.until' is not a day such as 2026-01-31: '{entry.snoozed.until}'")

    def _label(self, label: Label) -> None:
        self._time("labels.at", label.at)
        if label.withdrawn is not None:
            self._time("labels.withdrawn", label.withdrawn)
        for first, last in label.covers:
            self._time("labels.covers", first)
            self._time("labels.covers", last)
            if last < first:
                raise ValueError(f"'labels.covers' ends before it begins: {first} to {last}")

    def message(self, message: Message) -> Message:
        if message.what not in (*STATES, "worse", "open"):
            raise ValueError(f"'what' is not one of {', '.join([*STATES, 'worse', 'open'])}: '{message.what}'")
        self._time("night", message.night)
        return message

    def _time(self, name: str, text: str | None) -> None:
        try:
            valid = _TIME.fullmatch(text or "") and bool(datetime.fromisoformat(text or ""))
        except ValueError:
            valid = False
        if not valid:
            raise ValueError(f"'{name}' is neither a date nor a UTC instant with Z: '{text}'")
        self._times.add(text)


@contextmanager
def without_collector() -> Iterator[None]:
    """Make many objects that all stay: Python's collector would look at them again and again for nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def encoded(ledger: Ledger) -> bytes:
    """The ledger as it is written: the same ledger gives the same bytes."""
    nights = [
        {"source": source, "detector": detector, "end": end}
        for (source, detector), end in sorted(ledger.nights.items())
    ]
    lines = [json_line({"schema": f"anomscan.ledger/{FORMAT}", "nights": nights}) + "\n"]
    with without_collector():
        ordered = Ledger.of(ledger.entries.values(), {}, ledger.outbox)
        lines += [json_line(fields_of(each)) + "\n" for each in (*ordered.entries.values(), *ordered.outbox)]
    return "".join(lines).encode()


def fields_of(one: Any) -> dict[str, Any]:
    """An entry, or a part of one, as JSON has it: its keys in their order, those without a value left out."""
    found = {}
    kind: type = type(one)
    for name in _names(kind):
        value = getattr(one, name)
        if value is None or value == () or value == {}:
            continue
        if isinstance(value, tuple):
            value = [fields_of(each) if is_dataclass(each) else each for each in value]
        found[name] = fields_of(value) if is_dataclass(value) else value
    return found


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


@cache
def _entries() -> TypeAdapter[Entry]:
    return TypeAdapter(Entry)


@cache
def _messages() -> TypeAdapter[Message]:
    return TypeAdapter(Message)


@cache
def _headers() -> TypeAdapter[_Header]:
    return TypeAdapter(_Header)


def _first_of(error: ValidationError) -> str:
    """The first thing that is wrong with a line."""
    first = error.errors(include_url=False, include_input=False)[0]
    key = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    return f"'{key}': {message}" if key else message
