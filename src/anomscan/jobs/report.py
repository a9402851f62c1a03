"""The use case behind ``report``: show what a run found, as pages or as a list."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

from anomscan.detectors.kind import Console
from anomscan.errors import InputError
from anomscan.jobs.outputs import local_path, refuse_inputs
from anomscan.jobs.stored_values import StoredValues
from anomscan.storage.untrusted import parse_json, read_regular
from anomscan.wording import counted

if TYPE_CHECKING:
    from anomscan.config import Settings
    from anomscan.reports.fleet.payload import AssetVerdicts
    from anomscan.reports.fleet.told import Memory
    from anomscan.reports.images import ImageFormat
    from anomscan.reports.records import Record
    from anomscan.reports.scores import ScoreTable


def write_pages(
    console: Console,
    settings: Settings,
    records: Iterable[Record],
    results: Path | None,
    output: Path,
    reads: Iterable[tuple[str, Path]] = (),
    *,
    images: ImageFormat | None = None,
    show: Sequence[str] = (),
) -> Path:
    """Write the pages of a report.

    Parameters
    ----------
    results
        The file that the records are from; its scores and run facts lie beside it. None where there is no file.
    output
        Where the pages go: a folder, or one file whose name ends in ``.html``.
    reads
        What must not be overwritten beside the store and the sources' files: what each file is, and its path.
    images
        Draw each chart as an image of that format, too.
    show
        Assets that are charted whatever was found.

    Returns
    -------
    The page to open.

    Raises
    ------
    InputError
        If the files beside the results cannot be used, or the folder is among what is read.
    OutputError
        If the pages cannot be written.
    """
    from anomscan.reports.html import Report

    output = local_path(output)
    one_file = is_page(output)
    refuse_inputs("-o", [output] if one_file else [output, output / "index.html"], settings, reads)
    facts = _run_facts(results)
    values = StoredValues.of(console, settings, facts)
    report = Report(
        series_of=values.series_of,
        scores_of=_scores_of(results),
        asset_url=settings.report.asset_url,
        run_facts=facts,
        known=values.known(_memory(settings, facts), _judged(results)),
        show=show,
    )
    written = report.file(records, output) if one_file else report.folder(records, output, images=images)
    for note in written.notes:
        console.info(note)
    drawn = f", {counted(written.images, 'image')}" if images is not None else ""
    console.info(f"{counted(written.charts, 'chart page')}{drawn}")
    return written.index


def is_page(output: Path | str) -> bool:
    """Whether an output is one page rather than a folder of them."""
    return str(output).lower().endswith((".html", ".htm"))


def write_list(
    settings: Settings,
    records: Iterable[Record],
    format_: str,
    output: Path | None,
    reads: Iterable[tuple[str, Path]] = (),
) -> None:
    """Write the findings as a list: one of :data:`anomscan.reports.listings.FORMATS`.

    Parameters
    ----------
    output
        The file; None for standard output.
    reads
        As for :func:`write_pages`.

    Raises
    ------
    InputError
        If there is no record, or the output is among what is read; the old file stays.
    OutputError
        If it cannot be written; the old file stays.
    """
    from anomscan.reports.listings import FORMATS
    from anomscan.reports.records import some
    from anomscan.storage.durable import replace_file

    lines = FORMATS[format_].lines(some(records), settings.report.asset_url)
    if output is None:
        sys.stdout.writelines(lines)
        return
    output = local_path(output)
    refuse_inputs("-o", [output], settings, reads)
    with replace_file(output) as file:
        for line in lines:
            file.write(line.encode())


def results_files(results: Path | None) -> list[tuple[str, Path]]:
    """The files of a run: what each is, and its path, whether it is there or not."""
    from anomscan.reports.results import run_path, scores_path

    if results is None:
        return []
    kinds = (("of the results", Path), ("of the run's facts", run_path), ("of the scores", scores_path))
    return [(f"the file {what}", path_of(place)) for place in _places(results) for what, path_of in kinds]


def _places(results: Path) -> list[Path]:
    """Where the files beside the results may lie: beside the file that a link leads to, or beside the link."""
    return list(dict.fromkeys([local_path(results), results]))


def _beside(results: Path | None, path_of: Callable[[Path], Path]) -> Path | None:
    """A file beside the results, if it is there."""
    found = [path_of(place) for place in _places(results)] if results is not None else []
    return next((path for path in found if path.is_file()), None)


def _run_facts(results: Path | None) -> dict[str, Any]:
    """The facts that scan wrote beside its results; none if the file was moved alone."""
    from anomscan.reports.results import run_path

    path = _beside(results, run_path)
    if path is None:
        return {}
    try:
        facts = parse_json(read_regular(path))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path} cannot be read: {why}", hint="delete it to go on without it") from None
    if not isinstance(facts, dict):
        raise InputError(f"{path} does not hold the facts of a run", hint="delete it to go on without it")
    for name in ("source", "data_hash", "data_arrived", "started", "as_of"):
        if not isinstance(facts.get(name), (str, NoneType)):
            raise InputError(f"{path}: '{name}' is not text", hint="delete it to go on without it")
    return facts


def _memory(settings: Settings, facts: dict[str, Any]) -> Memory | None:
    """What the ledger says of the source of a run; None without one."""
    from anomscan.incidents.ledger_file import LedgerFile
    from anomscan.reports.fleet.told import Memory

    file = LedgerFile(settings.incidents.path)
    if not file.exists():
        return None
    memory = Memory.of(file.read(), facts.get("source"), facts.get("detector"), str(datetime.now(UTC).date()))
    return memory if memory.until is not None else None


def _judged(results: Path | None) -> Callable[[], Iterable[AssetVerdicts]] | None:
    from anomscan.reports.fleet.verdicts import verdicts_of
    from anomscan.reports.results import scores_path

    path = _beside(results, scores_path)
    return None if path is None else lambda: verdicts_of(path)


def _scores_of(results: Path | None) -> Callable[[str], ScoreTable | None]:
    from anomscan.reports.results import scores_path
    from anomscan.reports.scores import ScoreFile

    path = _beside(results, scores_path)
    return ScoreFile(path).of if path is not None else lambda asset: None
