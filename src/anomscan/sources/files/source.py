"""Telemetry in files: one file, the files of a folder, or those that match a pattern."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import pyarrow as pa

from anomscan.config import Columns, FilesSource
from anomscan.errors import InputError, MissingFilesError
from anomscan.sources.base import AssetFailure, Notice, Request
from anomscan.sources.files.naming import asset_ids, escaped, has_key, is_text, nameless
from anomscan.sources.requests import asked
from anomscan.tables.dialects import Dialect
from anomscan.tables.formats import EXTENSIONS, columns_in, format_of, known_format, reader, sniffed
from anomscan.tables.layouts import TableLayout, table_layout
from anomscan.tables.opening import PACKED
from anomscan.tables.origins import Origins
from anomscan.tables.salvage import Reject, Usable
from anomscan.tables.times import Times
from anomscan.tables.values import Numbers, Plausible
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout

#: How names begin of files that are not meant: hidden ones, and those that Excel lays beside an open workbook.
_HIDDEN = (".", "~$")
#: So many files and folders below a folder without files are looked at to say how they are read.
_LOOKED_AT = 1_000


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    format: str
    asset: str | None  # None if a column says it


class Files:
    """A long table in one file or several, or files of one asset each.

    Where ``columns.asset`` is given, the files together are one long table, and one that cannot be used fails the
    fetch. Where it is not, the asset is the file's name without its extensions (or a folder's, see ``naming``), and a
    file of a folder or pattern that cannot be used fails its asset alone; the rows of such an asset are held in memory
    until its last file was read. Folders named ``COLUMN=value`` stand for a column ``columns.asset`` that files lack.
    """

    def __init__(self, name: str, settings: FilesSource) -> None:
        self.name = name
        self._settings = settings
        self.layout = Layout(Cadence.parse(settings.cadence), settings.columns.values)
        self.timezone = settings.timezone or "UTC"
        self._dialect = Dialect(
            settings.delimiter,
            settings.decimal,
            settings.thousands,
            settings.encoding,
            settings.comment,
            settings.skip_rows,
            settings.units_row,
            sheet=settings.sheet,
        )
        self._told: set[str] = set()
        self._rounded = False
        self._origins = Origins()
        self._times()  # so that a wrong timestamp_format is refused before a file is opened

    def fetch(self, request: Request) -> Iterator[pa.Table | AssetFailure | Notice | Reject]:
        """Stream the rows asked for, file by file in the order of their paths, or of their age if the newest counts.

        All rows of a file that is read are checked, those that were not asked for too.

        Raises
        ------
        InputError
            No such file; a file that is empty, broken, or lacks a column; a value or timestamp that cannot be read.
        """
        self._told.clear()
        self._origins = Origins()
        self._rounded = False
        try:
            files, strange = _find(self._settings, self._lacks)
        except OSError as error:
            raise MissingFilesError(f"{self._settings.path} cannot be read: {error.strerror}") from None
        if files and files[0].asset is None:
            yield from self._rows(files, request, self._times())
        elif self._settings.path.is_file():
            if request.assets is None or files[0].asset in request.assets:
                yield from self._rows(files, request, self._times())
        else:
            yield from self._asset_by_asset(files, request)
            if request.assets is None:
                yield from (AssetFailure(escaped(one), nameless(one)) for one in strange)

    def place(self, number: int) -> str:
        """Where a row of the last fetch stood: file and line."""
        return self._origins.place(number)

    def check_columns(self) -> bool:
        """Look whether the first file has the columns that the settings name; False where there is no file yet.

        Raises
        ------
        AnomscanError
            It cannot be read, or a column is missing: the nearest that it has are named.
        """
        path = self._settings.path
        if not path.exists():
            base, pattern = _split(path)
            if not any(base.glob(pattern)):
                return False
        for item in self.fetch(Request()):
            if isinstance(item, AssetFailure):
                raise item.error
            if not isinstance(item, Notice):
                break
        return True

    def _lacks(self, path: Path, column: str) -> bool:
        """Whether a file has no such column."""
        kind = self._settings.format or known_format(path)
        columns = table_layout(self._settings.layout, self._settings.columns, self.layout)
        return column not in columns_in(kind, path, sniffed(kind, path, self._dialect, columns.sought))

    def _asset_by_asset(
        self, files: list[_File], request: Request
    ) -> Iterator[pa.Table | AssetFailure | Notice | Reject]:
        by_asset: dict[str, list[_File]] = {}
        for file in files:
            if file.asset is not None and (request.assets is None or file.asset in request.assets):
                by_asset.setdefault(file.asset, []).append(file)
        seen: dict[bool, str] = {}
        told = False
        for asset, own in by_asset.items():
            times = self._times()
            try:
                rows = list(self._rows(own, request, times))
            except InputError as error:
                yield AssetFailure(asset, error)
                continue
            seen = times.seen | seen
            yield from rows
            if len(seen) == 2 and not told:
                told = True
                zone = self.timezone
                yield Notice(
                    f"some files have timestamps with an offset from UTC, as {seen[True]}, others without, as "
                    f"{seen[False]}: these are taken to be of {zone}"
                )

    def _rows(self, files: list[_File], request: Request, times: Times) -> Iterator[pa.Table | Notice | Reject]:
        columns = self._settings.columns
        if files[0].asset is not None:  # by a folder's name, perhaps
            columns = columns.model_copy(update={"asset": None})
        layout = table_layout(self._settings.layout, columns, self.layout)
        yield from layout.whole(self._long_rows(files, request, times, layout), first=not request.since)
        if not request.since:
            yield from self._tell(layout.told())

    def _long_rows(
        self, files: list[_File], request: Request, times: Times, layout: TableLayout
    ) -> Iterator[pa.Table | Notice | Reject]:
        total = 0
        numbers = Numbers(self._settings.missing)
        plausible = Plausible(self._settings.plausible)
        usable = Usable(
            self.layout, layout.columns, times, numbers, plausible, asset=files[0].asset, origins=self._origins
        )
        for file in files:
            notices: list[str] = []
            dialect = sniffed(file.format, file.path, self._dialect, layout.sought)
            told = dialect.found_beside(self._dialect)
            if told and told not in self._told and not request.since:
                self._told.add(told)
                notices.append(f"{file.path} is read with {told}; say so in the settings if it is right")
            columns = layout.read(partial(columns_in, file.format, file.path, dialect))
            count = 0
            for piece in reader(file.format)(file.path, columns, notices, dialect):
                if isinstance(piece, Reject):
                    count += 1
                    yield usable.rejected(piece)
                    continue
                count += len(piece.rows)
                for item in usable.rows(layout.long(piece)):
                    if isinstance(item, Reject):
                        yield item
                    elif len(rows := asked(item, request)):
                        yield rows
            if count == 0:
                notices.append(f"{file.path} has no rows")
            total += count
            yield from map(Notice, notices)
        usable.finish()
        if not request.since:
            yield from self._tell(numbers.told())
        if numbers.rounded and not self._rounded:  # of many files, the first is enough
            self._rounded = True
            yield from map(Notice, numbers.rounded)
        if total == 0:
            raise InputError(
                f"{files[0].path} has no rows" if len(files) == 1 else f"no file of {self._settings.path} has rows"
            )

    def _tell(self, texts: Iterable[str]) -> Iterator[Notice]:
        """What was not told yet."""
        for text in texts:
            if text not in self._told:
                self._told.add(text)
                yield Notice(text)

    def _times(self) -> Times:
        return Times.of(self._settings, self.layout.cadence)


def paths_of(settings: FilesSource) -> list[Path]:
    """The files of a source, sorted by path.

    Of a folder those with a known extension (and of the format, where one is set), not those that are hidden, nor
    ``.json`` beside others; a pattern and a single file say themselves what is meant.

    Raises
    ------
    InputError
        There is none.
    """
    return _matching(settings)[1]


def _matching(settings: FilesSource) -> tuple[Path, list[Path]]:
    """The folder that the files of a source lie in, and the files, sorted."""
    base = path = settings.path
    if path.is_dir():
        found = [
            child
            for child in sorted(path.iterdir())
            if child.is_file()
            and not child.name.startswith(_HIDDEN)
            and format_of(child) is not None
            and settings.format in (None, format_of(child))
        ]
        if settings.format is None and any(format_of(child) != "json" for child in found):
            found = [child for child in found if format_of(child) != "json"]  # they describe the others
        if not found:
            _refuse_lakes(path, [])
            raise MissingFilesError(f"{path} contains no file to read", hint=_where_else(path, settings.format))
    elif path.is_file():
        base, found = path.parent, [path]
    elif path.exists():
        raise InputError(
            f"{path} is a pipe, a device or a socket, not a file", hint="name a file, a folder or a pattern"
        )
    else:
        base, pattern = _split(path)
        found = sorted(one for one in base.glob(pattern) if one.is_file() and not one.name.startswith(_HIDDEN))
        if not found:
            raise MissingFilesError(f"there is no file {path}")
    return base, found


def _where_else(folder: Path, kind: str | None) -> str:
    """What to do where a folder has no file to read: those in folders below it are read by a pattern alone."""
    for child in islice(folder.glob("*/**/*"), _LOOKED_AT):
        if child.is_file() and format_of(child) is not None and kind in (None, format_of(child)):
            return f'those in folders below it are read by path = "{folder}/**/*{child.suffix}"'
    wanted = [ending for ending, each in EXTENSIONS.items() if kind in (None, each)]
    return f"looked for names that end in {', '.join(wanted)}, or packed in {', '.join(PACKED)}"


def _find(settings: FilesSource, lacks: Callable[[Path, str], bool]) -> tuple[list[_File], list[Path]]:
    """The files of a source, each with its format and its asset; and those whose names cannot say one."""
    base, found = _matching(settings)
    _refuse_lakes(settings.path, found)
    if settings.duplicates == "newest-file":
        found.sort(key=lambda one: (one.stat().st_mtime_ns, one))
    _refuse_folders_as_columns(settings.columns, found[0], base, lacks)
    key = settings.columns.asset
    by_file = key is None and settings.layout != "wide"
    if key is not None and all(has_key(one.relative_to(base), key) for one in found) and lacks(found[0], key):
        by_file = True
    named = [one for one in found if is_text(one, base)] if by_file and found != [settings.path] else found
    ids = asset_ids(named, base, key) if by_file else [None] * len(named)
    formats = [settings.format or known_format(one) for one in named]
    files = [_File(*each) for each in zip(named, formats, ids, strict=True)]
    return files, [one for one in found if one not in set(named)]


def _refuse_folders_as_columns(columns: Columns, path: Path, base: Path, lacks: Callable[[Path, str], bool]) -> None:
    """Refuse a folder ``column=value`` that stands for another column than that of the asset."""
    for name in (columns.timestamp, *columns.values, columns.health):
        if name is not None and has_key(path.relative_to(base), name) and lacks(path, name):
            raise InputError(
                f"{path} has no column '{name}', of which the name of a folder tells",
                hint='have it written into the files, or read them by kind = "sql", url = "duckdb:///:memory:" and '
                "read_parquet(..., hive_partitioning = true)",
            )


def _split(pattern: Path) -> tuple[Path, str]:
    """The folder to search and the pattern in it; a folder whose own name looks like a pattern is taken literally."""
    base = Path(pattern.anchor)
    parts = [Path(part) for part in pattern.parts[1 if pattern.anchor else 0 :]]
    while parts and (base / parts[0]).exists():
        base /= parts.pop(0)
    return base, "/".join(map(str, parts))


def _refuse_lakes(path: Path, found: Sequence[Path]) -> None:
    """Refuse the files of a table format, in whose folders rows lie that were deleted or replaced."""
    folders = {path, *(parent for one in found for parent in one.parents)}
    for folder in sorted(each for each in folders if each != each.parent):
        for mark, kind, function in (("_delta_log", "Delta", "delta_scan"), ("metadata", "Iceberg", "iceberg_scan")):
            inside = folder / mark
            if inside.is_dir() and (kind == "Delta" or any(inside.glob("*.metadata.json"))):
                raise InputError(
                    f"{folder} is a table in the {kind} format, whose files hold deleted rows, too",
                    hint=f'read it by kind = "sql", url = "duckdb:///:memory:" and {function}(\'{folder}\')',
                )
