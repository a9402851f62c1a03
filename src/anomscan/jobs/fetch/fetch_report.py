"""What a fetch did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anomscan.sources.base import AssetFailure
from anomscan.tables.salvage import Reject
from anomscan.wording import counted


@dataclass(frozen=True, slots=True)
class FetchReport:
    """What a fetch did.

    Parameters
    ----------
    assets
        How many assets the stored rows were of.
    rows
        Rows the source gave for what was asked, those of the current period among them.
    new, revised, unchanged
        What the stored rows were to the store; rows given twice alike count once.
    current
        Rows left out because their period is not over.
    rejects
        Rows that cannot be used.
    rejects_file
        Where they are kept; None if there are none.
    new_rejects
        How many of them were not there yet: a file keeps its bad row, and is not reported again for it.
    silent
        Assets whose last sample is older than the newest of the source by more than the margin for late data, and that
        sample; sorted by asset.
    failures
        Assets that failed; nothing of this fetch is stored for them.
    warnings
        What else the user should hear of.
    older
        What was left out as it is older than ``earliest``, in words; empty if nothing was.
    """

    assets: int
    rows: int
    new: int
    revised: int
    unchanged: int
    current: int
    rejects: tuple[Reject, ...]
    rejects_file: Path | None
    new_rejects: int
    silent: tuple[tuple[str, np.datetime64], ...]
    failures: tuple[AssetFailure, ...]
    warnings: tuple[str, ...]
    older: str = ""

    @property
    def first_reject(self) -> str:
        """What is wrong with the first row that cannot be used; with the way out, where a third of all are rejected."""
        first = self.rejects[0]
        many = 2 * len(self.rejects) > self.rows
        return f"{first.reason} ({first.hint})" if first.hint and many else first.reason

    @property
    def summary(self) -> str:
        """One line for a person."""
        text = (
            f"{counted(self.rows, 'row')} of {counted(self.assets, 'asset')}: {self.new:,} new, "
            f"{self.revised:,} revised, {self.unchanged:,} unchanged, {len(self.rejects):,} rejected"
        )
        if self.current:
            text += f", {self.current:,} of the current period left out"
        if self.older:
            text += f", {self.older} before earliest left out"
        if self.silent:
            text += f", {counted(len(self.silent), 'asset')} silent"
        return f"{text}, {counted(len(self.failures), 'asset')} failed" if self.failures else text
