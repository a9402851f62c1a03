"""Two files or folders that change places in one step."""

from __future__ import annotations

import os
from pathlib import Path

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux


def exchange(one: Path, other: Path) -> bool:
    """Let two paths change places, so that nobody ever finds one of them missing.

    Returns
    -------
    Whether they did. They do not where the system or the file system has no such step, or where one of them is missing.
    """
    import ctypes

    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError):  # macOS, and old C libraries
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)
