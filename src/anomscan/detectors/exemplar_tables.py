"""Tables of the exemplars that were chosen, and of the assets that were not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomscan.detectors.kind import Console
from anomscan.wording import counted, listed

if TYPE_CHECKING:
    from anomscan.detectors.exemplars import Exemplars
    from anomscan.telemetry.rows import Layout

#: Lines of a list to show before the rest becomes a count.
_SHOWN = 20


def show_exemplars(console: Console, exemplars: Exemplars, layout: Layout) -> None:
    """Show which assets were taken, which were left out, and why."""
    taken = [
        (asset, listed(f"{std:.4g}" for std in stds))
        for asset, stds in zip(exemplars.assets[:_SHOWN], exemplars.stds[:_SHOWN].tolist(), strict=True)
    ]
    console.table(
        f"taken ({len(exemplars.assets)})", ("asset", f"std of {', '.join(layout.variables)}"), taken, data=False
    )
    if exemplars.left:
        left = [(asset, tuple(why.split())) for asset, why in exemplars.left[:_SHOWN]]
        console.table(f"left out ({len(exemplars.left)})", ("asset", "why"), left, data=False)
    hidden = max(len(exemplars.assets) - _SHOWN, 0) + max(len(exemplars.left) - _SHOWN, 0)
    if hidden:
        console.info(f"... and {counted(hidden, 'more asset')}")
