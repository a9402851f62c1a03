"""What was kept and what has come since: a night does not read again what it read the night before."""

from __future__ import annotations

from anomscan.detectors.kept.book import Book
from anomscan.telemetry.snapshot import Snapshot
from anomscan.telemetry.units import Unit


def continued(book: Book, snapshot: Snapshot, unit: Unit) -> Book | None:
    """What was kept of a unit, and the samples of the files written since.

    A file of the store never changes once it is written, so what its rows came to need not be asked again.

    Returns
    -------
    None where only the whole store can tell: a file has gone since, an old sample was revised or came late, or not all
    assets were kept.
    """
    files, layout = snapshot.files, snapshot.layout
    if not book.assets or book.files is None or files is None or not book.files <= files:
        return None
    if book.pieces[0].values.shape[1] != len(layout.variables):
        return None
    grown: Book | None = book
    if book.files != files:
        block = snapshot.block(unit, leave_out={name for name, *_ in book.files})
        if len(block):
            grown = book.grown(block, layout.cadence.step_us)
    if grown is None or len(grown.assets) != unit.assets:
        return None
    # Of an asset that is new in scores that were gathered, older samples may have been left out.
    return grown if book.unit is not None or len(book.assets) == unit.assets else None
