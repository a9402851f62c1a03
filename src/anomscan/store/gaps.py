"""Gaps that a commit brings: those that are longer than all the rest of an asset's history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anomscan.store.block import Block
from anomscan.store.roster import Roster

#: Shorter gaps, in samples, are not worth a word, however young the asset.
_LEAST = 16


@dataclass(slots=True)
class LongestGaps:
    """The assets that have such a gap since this commit.

    Parameters
    ----------
    assets
        How many.
    asset, before, after
        The one whose gap is the longest, and the samples before and after it, microseconds since 1970, UTC.
    """

    assets: int = 0
    asset: str = ""
    before: int = 0
    after: int = 0

    def add(self, rows: Block, known: Roster, step_us: int) -> None:
        """Note the gaps of some assets.

        Parameters
        ----------
        rows
            What is stored, in the store's order, each name with a row.
        known
            What was known of these names.
        step_us
            The cadence in microseconds.
        """
        if len(rows) == 0:
            return
        instants, edges = rows.timestamps, np.asarray(rows.edges())
        firsts, owner = edges[:-1], rows.assets
        last = np.where(known.samples > 0, known.last, instants[firsts])
        before = np.append(0, instants[:-1])
        before[firsts] = last
        # Between rows that are older than the last one known others may be stored.
        before = np.maximum(before, last[owner])
        missing = (instants - before) // step_us - 1
        longest = np.maximum.reduceat(missing, firsts)
        found = np.flatnonzero(longest > np.maximum(known.samples + np.diff(edges), _LEAST))
        if len(found) == 0:
            return
        self.assets += len(found)
        widest = int(found[longest[found].argmax()])
        row = int(edges[widest]) + int(missing[edges[widest] : edges[widest + 1]].argmax())
        if int(instants[row] - before[row]) > self.after - self.before:
            self.asset, self.before, self.after = rows.names[widest], int(before[row]), int(instants[row])
