"""The shapes in which services put telemetry into JSON -> columns."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anomscan.config import Columns, RestSource
from anomscan.errors import AssetError
from anomscan.sources.rest.paths import kind_of, look_up, no_records, parent_of, paths_in, value_at
from anomscan.tables.columns import check_columns, needed

#: Under which keys services put the rows beside the names of their columns, and these names; without _, in lower case.
_ROWS = ("values", "rows", "data", "dataset", "datapoints", "results", "result", "items", "dataarray")
_NAMES = ("columns", "fields", "cols", "names", "headers", "header", "columnnames", "meta")
_NAME = ("name", "columnname")
#: So many records are looked at for what else they have, which errors tell.
_LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class Columnar:
    """The records of a page, column by column.

    Parameters
    ----------
    count
        How many there are, n.
    columns
        The columns that are read -> (n,) what the JSON has there, None where it has nothing.
    has
        The names of all columns.
    misshapen
        The places of records that are not like the others -> what they are.
    texts
        What these hold.
    hint
        The way out, if all are like that.
    """

    count: int
    columns: Mapping[str, Sequence[Any]]
    has: tuple[str, ...]
    misshapen: Mapping[int, str] = field(default_factory=dict)
    texts: Mapping[int, str] = field(default_factory=dict)
    hint: str | None = None

    def __len__(self) -> int:
        return self.count


class Shapes:
    """Finds the columns in an answer, whichever of the shapes of docs/how-to/rest.md it has.

    Parameters
    ----------
    name
        The source's, for errors.
    settings
        Their ``records`` and ``fields``.
    columns
        Those to read.
    """

    def __init__(self, name: str, settings: RestSource, columns: Columns) -> None:
        self._name = name
        self._path = settings.records
        self._fields = settings.fields
        self._columns = columns
        self._wanted = needed(columns)

    def find(self, body: Any, place: str, secret: str) -> Columnar | None:
        """The records in the JSON of an answer; None where it says that there are none.

        Parameters
        ----------
        place
            What answered, for errors.
        secret
            Masked, where the service repeats it.

        Raises
        ------
        AssetError, InputError
            There is something else, or a message; columns that are of different lengths, or that are there twice.
        """
        value = value_at(body, place, secret, path=self._path)
        if value in (None, "", {}) or (self._path is None and _is_nothing(value)):
            return None
        thing = f"the answer of {place}"
        if isinstance(value, list) and len(value) == 1 and self._is_series(value[0]):
            value = value[0]  # the only one of the series that there may be
        if isinstance(value, list):
            if sum(type(each) is list for each in value) <= sum(type(each) is dict for each in value):
                return self._of_objects(value)
            beside = parent_of(body, self._path) if self._path else None
            return self._of_arrays(value, self._given(body, thing) or (_names_in(*beside) if beside else None), thing)
        if isinstance(value, dict):
            found, times = look_up(value, self._columns.timestamp)
            if found and times is None:
                return None
            if isinstance(times, list):
                return self._of_columns(value, len(times), thing)
            if not found and (key := _rows_in(value)) is not None:
                names = self._given(body, thing) or _names_in(value, key)
                if value[key] is None:
                    return None
                rows, names = self._with_index(value, value[key], names)
                return self._of_arrays(rows, names, thing)
            if (keyed := self._of_keys(value, thing)) is not None:
                return keyed
        raise no_records(value, place, secret, path=self._path)

    def _with_index(
        self, held: dict[str, Any], rows: list[Any], names: list[str] | None
    ) -> tuple[list[Any], list[str] | None]:
        """Rows with the timestamps before them that pandas calls their index (``orient="split"``)."""
        name, index = self._columns.timestamp, held.get("index")
        if names is None or name in names or not isinstance(index, list) or len(index) != len(rows):
            return rows, names
        return [[at, *row] for at, row in zip(index, rows, strict=True)], [name, *names]

    def _of_keys(self, held: dict[str, Any], thing: str) -> Columnar | None:
        """An object whose keys are timestamps, of records, numbers, or columns, as pandas writes them; else None."""
        name, each = self._columns.timestamp, list(held.values())
        if not all(isinstance(value, dict) for value in each):
            single = len(self._columns.values) == 1 and self._columns.asset is None and self._columns.health is None
            if single and all(map(_is_stamp, held)) and not any(isinstance(value, (dict, list)) for value in each):
                return self._of_objects([{name: key, self._columns.values[0]: held[key]} for key in held])
            return None
        if all(look_up(value, name)[0] for value in each):  # keyed by something else
            return self._of_objects(each)
        if all(map(_is_stamp, held)):
            return self._of_objects([{**value, name: key} for key, value in held.items()])
        columns = {key: held[key] for key in self._wanted if key in held}
        keys: list[str] = list(next(iter(columns.values()), {}))
        if not keys or any(list(column) != keys for column in columns.values()):
            return None
        lists: dict[str, Any] = {key: list(column.values()) for key, column in columns.items()}
        if name not in columns:
            if not all(map(_is_stamp, keys)):
                return None
            lists[name] = keys
        return self._of_columns(lists, len(keys), thing)

    def _is_series(self, value: Any) -> bool:
        """Whether a record is not one but an object that holds many: columns, or rows."""
        found, times = look_up(value, self._columns.timestamp)
        return isinstance(times, list) or (isinstance(value, dict) and not found and _rows_in(value) is not None)

    def _of_objects(self, records: list[Any]) -> Columnar:
        misshapen = _unlike(records, dict, "an object")
        objects = [record if type(record) is dict else {} for record in records] if misshapen else records
        columns: dict[str, list[Any]] = {}
        has: dict[str, None] = {}
        for name in self._wanted:
            found = [(True, record[name]) if name in record else look_up(record, name) for record in objects]
            columns[name] = [value for _, value in found]
            if any(there for there, _ in found):
                has[name] = None
        for record in objects[:_LOOKED_AT]:
            has |= dict.fromkeys(paths_in(record))
        return Columnar(len(records), columns, tuple(has), misshapen, _as_json(records, misshapen))

    def _of_arrays(self, rows: list[Any], names: list[str] | None, thing: str) -> Columnar:
        hint = None
        if names is None:
            if all(re.match(r"\d+(\.|$)", name, re.ASCII) for name in self._wanted):
                return self._by_position(rows)
            names = self._wanted
            hint = f"name its items, in their order, in sources.{self._name}.fields"
        else:
            check_columns([name for name in self._wanted if names.count(name) > 1], names, thing)
        misshapen = _unlike(rows, list, "an array")
        for row, record in enumerate(rows):
            if row not in misshapen and len(record) != len(names):
                misshapen[row] = f"is an array of {len(record)}, not of {len(names)} ({', '.join(names[:20])})"
        sound = [[None] * len(names) if row in misshapen else record for row, record in enumerate(rows)]
        columns: dict[str, list[Any]] = {}
        has = list(names)
        for name in self._wanted:
            if name in names:
                place = names.index(name)
                columns[name] = [record[place] for record in sound]
                continue
            pairs = [look_up(dict(zip(names, record, strict=True)), name) for record in sound]
            columns[name] = [value for _, value in pairs]
            if any(found for found, _ in pairs):
                has.append(name)
        return Columnar(len(rows), columns, tuple(has), misshapen, _as_json(rows, misshapen), hint)

    def _by_position(self, rows: list[Any]) -> Columnar:
        misshapen = _unlike(rows, list, "an array")
        pairs = {name: [look_up(row, name) for row in rows] for name in self._wanted}
        columns = {name: [value for _, value in found] for name, found in pairs.items()}
        longest = max((len(row) for row in rows if isinstance(row, list)), default=0)
        has = [name for name, each in pairs.items() if any(found for found, _ in each)]
        has += [str(place) for place in range(longest) if str(place) not in has]
        return Columnar(len(rows), columns, tuple(has), misshapen, _as_json(rows, misshapen))

    def _of_columns(self, held: dict[str, Any], count: int, thing: str) -> Columnar:
        columns: dict[str, Sequence[Any]] = {}
        has = paths_in(held)
        for name in self._wanted:
            found, value = look_up(held, name)
            if found and name not in has:
                has.append(name)
            if isinstance(value, list) and len(value) != count:
                raise AssetError(
                    f"{thing} has {len(value)} items in column '{name}' and {count} in '{self._columns.timestamp}'"
                )
            whole = name not in self._columns.values and not isinstance(value, dict)  # one id, or one health, for all
            if not isinstance(value, list) and value is not None and not whole:
                raise AssetError(f"{thing} has {kind_of(value)} in column '{name}', not an array")
            columns[name] = value if isinstance(value, list) else [value] * count
        return Columnar(count, columns, tuple(has))

    def _given(self, body: Any, thing: str) -> list[str] | None:
        """The names that the settings give to the items of an array, or say where they are."""
        if not isinstance(self._fields, str):
            return None if self._fields is None else list(self._fields)
        names = _as_names(look_up(body, self._fields)[1])
        if names is None:
            raise AssetError(
                f"{thing} has no list of names at '{self._fields}'", hint=f"see sources.{self._name}.fields"
            )
        return names


def _rows_in(held: Mapping[str, Any]) -> str | None:
    """The only key of an object at which there are rows as arrays; or, if there are names for them, none or null."""
    keys = [key for key in held if _plain(key) in _ROWS and (held[key] is None or _are_arrays(held[key]))]
    found = [key for key in keys if held[key]] or [key for key in keys if _names_in(held, key)]
    return found[0] if len(found) == 1 else None


def _names_in(parent: Mapping[str, Any], rows: str) -> list[str] | None:
    """The names of columns beside the rows, which are at a key."""
    lists = [(_NAMES.index(_plain(key)), key) for key in parent if key != rows and _plain(key) in _NAMES]
    return next((names for _, key in sorted(lists) if (names := _as_names(parent[key]))), None)


def _as_names(value: Any) -> list[str] | None:
    """Names, or what describes columns by name and type -> the names."""
    if not isinstance(value, list):
        return None
    names = []
    for each in value:
        if isinstance(each, dict):
            each = next((each[key] for key in each if _plain(key) in _NAME), None)
        if not isinstance(each, str):
            return None
        names.append(each)
    return names or None


def _is_nothing(value: Any) -> bool:
    """Whether an object holds nothing but null."""
    return isinstance(value, dict) and all(each is None for each in value.values())


def _is_stamp(key: str) -> bool:
    """Whether a key can be nothing but a timestamp: a date, or what counts seconds or parts of them."""
    return re.match(r"\d{4}-\d{2}-\d{2}|\d{9,19}$", key, re.ASCII) is not None


def _are_arrays(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, list) for each in value)


def _unlike(records: Sequence[Any], kind: type, wanted: str) -> dict[int, str]:
    """The places of the records that are of another kind -> what they are."""
    return {row: f"is {kind_of(each)}, not {wanted}" for row, each in enumerate(records) if type(each) is not kind}


def _plain(key: str) -> str:
    return key.replace("_", "").lower()


def _as_json(records: Sequence[Any], which: Mapping[int, str]) -> dict[int, str]:
    return {row: json.dumps(records[row], ensure_ascii=False) for row in which}
