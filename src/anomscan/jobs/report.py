"""The use case behind ``report``: show what a run found, as pages or as a list."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

import numpy as np

from anomscan.detectors.kind import Console
from anomscan.errors import AssetError, ConfigError, InputError, StoreError
from anomscan.jobs.outputs import local_path, refuse_inputs
from anomscan.storage.untrusted import parse_json, read_regular
from anomscan.telemetry.cadence import last_instant
from anomscan.wording import counted

if TYPE_CHECKING:
    from anomscan.config import Settings
    from anomscan.reports.images import ImageFormat
    from anomscan.reports.records import Record
    from anomscan.reports.scores import ScoreTable
    from anomscan.telemetry.series import Series


def write_pages(
    console: Console,
    settings: Settings,
    records: Iterable[Record],
    results: Path | None,
    folder: Path,
    reads: Iterable[tuple[str, Path]] = (),
    *,
    images: ImageFormat | None = None,
) -> Path:
    """Write the pages of a report.

    Parameters
    ----------
    results
        The file that the records are from; its scores and run facts lie beside it. None where there is no file.
    folder
        Where the pages go.
    reads
        What must not be overwritten beside the store and the sources' files: what each file is, and its path.
    images
        Draw each chart as an image of that format, too.

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
    from anomscan.reports.html import write_report

    folder = local_path(folder)
    refuse_inputs("-o", [folder, folder / "index.html"], settings, reads)
    facts = _run_facts(results)
    written = write_report(
        records,
        folder,
        series_of=_series_of(console, settings, facts),
        scores_of=_scores_of(results),
        asset_url=settings.report.asset_url,
        run_facts=facts,
        images=images,
    )
    drawn = f", {counted(written.images, 'image')}" if images is not None else ""
    console.info(f"{counted(written.charts, 'chart page')}{drawn}")
    return written.index


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


def _series_of(console: Console, settings: Settings, facts: dict[str, Any]) -> Callable[[str], Series | None]:
    """A function that reads an asset's values from the store; None without a store or the asset."""
    from anomscan.store.store import Store

    try:
        source, _ = settings.source(facts.get("source"))
        store = Store.open(settings.store.path)
        is_revised = "data_hash" in facts and store.revision(source) != facts["data_hash"]
        as_of = _known_then(facts, is_revised)
    except (ConfigError, StoreError) as error:
        console.warn(f"charts lack the values: {error}")
        return lambda asset: None
    if is_revised:
        console.warn(
            f"the store has changed since the run: charts show the values that were known then, {facts['started']}"
            if as_of is not None
            else "the store has changed since the run: charts show the values of today"
        )

    def look_up(asset: str) -> Series | None:
        try:
            return store.read(source, asset, as_of=as_of)
        except AssetError:
            return None

    return look_up


def _known_then(facts: dict[str, Any], is_revised: bool) -> np.datetime64 | None:
    """Up to which arrival the run knew the store; None for all that is there."""
    try:
        # The start is told in whole seconds.
        started = last_instant(facts["started"]) + np.timedelta64(999_999, "us")
        if facts.get("as_of") is not None:
            return last_instant(facts["as_of"], facts.get("timezone", "UTC"))
        if not is_revised:
            return None
        # Facts of an earlier version do not tell it.
        return last_instant(facts["data_arrived"]) if facts.get("data_arrived") is not None else started
    except (ConfigError, KeyError, TypeError, AttributeError, OSError):  # facts that somebody changed
        return None


def _scores_of(results: Path | None) -> Callable[[str], ScoreTable | None]:
    from anomscan.reports.results import scores_path
    from anomscan.reports.scores import ScoreFile

    path = _beside(results, scores_path)
    return ScoreFile(path).of if path is not None else lambda asset: None
