"""The use case behind ``report``: show what a run found, as pages or as a list."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomscan.detectors.kind import Console
from anomscan.errors import AssetError, ConfigError, InputError, StoreError
from anomscan.telemetry.cadence import last_instant

if TYPE_CHECKING:
    from anomscan.config import Settings
    from anomscan.reports.records import Record
    from anomscan.reports.scores import ScoreTable
    from anomscan.telemetry.series import Series


def write_pages(
    console: Console, settings: Settings, records: Iterable[Record], results: Path | None, folder: Path
) -> Path:
    """Write the pages of a report.

    Parameters
    ----------
    results
        The file that the records are from; its scores and run facts lie beside it. None where there is no file.
    folder
        Where the pages go.

    Returns
    -------
    The page to open.

    Raises
    ------
    InputError
        If the files beside the results cannot be used.
    OutputError
        If the pages cannot be written.
    """
    from anomscan.reports.html import write_report

    facts = _run_facts(results)
    written = write_report(
        records,
        folder,
        series_of=_series_of(console, settings, facts),
        scores_of=_scores_of(results),
        asset_url=settings.report.asset_url,
        run_facts=facts,
    )
    for note in written.notes:
        console.info(note)
    console.info(f"{written.charts} chart pages, {written.pngs} images")
    return written.index


def write_list(settings: Settings, records: Iterable[Record], format_: str, output: Path | None) -> None:
    """Write the findings as a list: one of :data:`anomscan.reports.listings.FORMATS`.

    Parameters
    ----------
    output
        The file; None for standard output.

    Raises
    ------
    InputError
        If there is no record; the old file stays.
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
    with replace_file(output) as file:
        for line in lines:
            file.write(line.encode())


def _run_facts(results: Path | None) -> dict[str, Any]:
    """The facts that scan wrote beside its results; none if the file was moved alone."""
    from anomscan.reports.results import run_path

    if results is None or not run_path(results).is_file():
        return {}
    path = run_path(results)
    try:
        facts = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise InputError(f"{path} cannot be read", hint="delete it to go on without it") from None
    return facts if isinstance(facts, dict) else {}


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

    if results is None or not scores_path(results).is_file():
        return lambda asset: None
    return ScoreFile(scores_path(results)).of
