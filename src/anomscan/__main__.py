"""The ``anomscan`` command, and ``python -m anomscan``."""

from __future__ import annotations

import gc
import os
from typing import NoReturn


def main() -> NoReturn:
    """Start the command line."""
    # Imports make much and free little: collecting meanwhile, and looking through it ever after, only costs time.
    gc.disable()
    # Nor does it help to look through all that is installed for plugins of the library that reads our settings.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from anomscan.cli.app import main as start

    gc.freeze()
    # What a partition leaves behind is in no circle: looking for circles often finds none.
    gc.set_threshold(50_000, 20, 100)
    gc.enable()
    start()


if __name__ == "__main__":
    main()
