"""Nights of long ago: their results are put away in a folder a year, and rejected rows in a file a year."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np

from anomscan.config import Settings
from anomscan.jobs.fetch import rejects
from anomscan.storage.durable import output_errors
from anomscan.telemetry.cadence import parse_duration


def put_away(folder: Path, settings: Settings, source: str, now: np.datetime64) -> None:
    """Move what is older than ``[incidents] keep``: results to ``archive/YEAR``, rejects to a file a year in the store.

    Parameters
    ----------
    folder
        Of the nights, with files such as ``2026-01-31.jsonl`` and those beside them.
    source
        Whose rejects are moved.
    now
        datetime64[us], UTC.

    Raises
    ------
    LockedError
        Another run writes the store.
    OutputError
        If they cannot be moved.
    """
    first_kept = now - parse_duration(settings.incidents.keep)
    if isinstance(settings.store.path, Path):
        rejects.put_away(settings.store.path, source, first_kept, now)
    for path in sorted(folder.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9].*")):
        try:
            night = date.fromisoformat(path.name[:10])
        except ValueError:
            continue
        if np.datetime64(night, "D") < first_kept.astype("datetime64[D]"):
            with output_errors(path):
                year = folder / "archive" / str(night.year)
                year.mkdir(parents=True, exist_ok=True)
                path.replace(year / path.name)
