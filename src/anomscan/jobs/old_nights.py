"""Nights of long ago: their results are put away in a folder a year."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np

from anomscan.config import Settings
from anomscan.storage.durable import output_errors
from anomscan.telemetry.cadence import parse_duration


def put_away(folder: Path, settings: Settings, today: date) -> None:
    """Move the results of nights that are older than ``[incidents] keep`` to ``archive/YEAR``.

    Parameters
    ----------
    folder
        Of the nights, with files such as ``2026-01-31.jsonl`` and those beside them.

    Raises
    ------
    OutputError
        If they cannot be moved.
    """
    first_kept = np.datetime64(today, "us") - parse_duration(settings.incidents.keep)
    for path in sorted(folder.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9].*")):
        try:
            night = date.fromisoformat(path.name[:10])
        except ValueError:
            continue
        if np.datetime64(night, "us") < first_kept:
            with output_errors(path):
                year = folder / "archive" / str(night.year)
                year.mkdir(parents=True, exist_ok=True)
                path.replace(year / path.name)
