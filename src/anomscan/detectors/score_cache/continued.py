"""Cached samples and those added since: a nightly run does not read again what it read the night before."""

from __future__ import annotations

from anomscan.detectors.score_cache.table import ScoreColumns
from anomscan.store.partitions import Partition
from anomscan.store.snapshot import Snapshot
from anomscan.telemetry.series import LongGaps


def continued(
    columns: ScoreColumns, snapshot: Snapshot, partition: Partition, gaps: LongGaps | None
) -> ScoreColumns | None:
    """A partition's cached columns, and the samples of files written since.

    Files of the store never change once written, so the samples of known files need not be read again.

    Parameters
    ----------
    gaps
        How long gaps are laid.

    Returns
    -------
    None where the whole store must be read: a file has gone since, an old sample was revised or came late, not all
    assets were kept, or long gaps were laid otherwise.
    """
    files, layout = snapshot.files, snapshot.layout
    if not columns.assets or columns.files is None or files is None or not columns.files <= files:
        return None
    if columns.pieces[0].values.shape[1] != len(layout.variables) or columns.gaps != gaps:
        return None
    grown: ScoreColumns | None = columns
    if columns.files != files:
        block = snapshot.block(partition, leave_out={name for name, *_ in columns.files})
        if len(block):
            grown = columns.grown(block, layout.cadence.step_us)
    if grown is None or len(grown.assets) != partition.assets:
        return None
    # Of an asset that is new in scores that were gathered, older samples may have been left out.
    return grown if columns.partition is not None or len(columns.assets) == partition.assets else None
