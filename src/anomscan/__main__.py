"""The ``anomscan`` command, and ``python -m anomscan``."""

from __future__ import annotations

import gc
import os
from typing import NoReturn


def main() -> NoReturn:
    """Start the command line."""
    # Imports allocate a lot and free little: collecting during them, and scanning the modules ever after, wastes time.
    gc.disable()
    # So does searching everything that is installed for plugins of pydantic.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from anomscan.cli.app import main as start

    gc.freeze()
    # Partitions leave no reference cycles behind, so the collector need not run often.
    gc.set_threshold(50_000, 20, 100)
    gc.enable()
    start()


if __name__ == "__main__":
    main()
