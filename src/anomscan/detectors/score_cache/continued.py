"""What was kept and what has come since: a night does not read again what it read the night before."""

from __future__ import annotations

from anomscan.detectors.score_cache.table import ScoreColumns
from anomscan.store.partitions import Partition
from anomscan.store.snapshot import Snapshot
from anomscan.telemetry.series import LongGaps


def continued(
    columns: ScoreColumns, snapshot: Snapshot, partition: Partition, gaps: LongGaps | None
) -> ScoreColumns | None:
    """What was kept of a partition, and the samples of the files written since.

    A file of the store never changes once it is written, so what its rows came to need not be asked again.

    Parameters
    ----------
    gaps
        How long gaps are laid.

    Returns
    -------
    None where only the whole store can tell: a file has gone since, an old sample was revised or came late, not all
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
