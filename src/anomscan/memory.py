"""How much memory there is, so that a need beyond it is said before it is taken."""

from __future__ import annotations

import os
import re
from pathlib import Path

from anomscan.errors import InputError

#: The most values of rows that are held at a time.
MOST_VALUES = 1 << 22


def free_bytes(root: Path = Path("/")) -> int | None:
    """The memory that this process may still take, as far as the system and its control group tell; None if unknown.

    Parameters
    ----------
    root
        Where ``proc`` and ``sys`` are.
    """
    free: list[int] = []
    try:
        said = re.search(r"^MemAvailable:\s+(\d+) kB", (root / "proc/meminfo").read_text(), re.MULTILINE)
        free += [int(said[1]) << 10] if said else []
    except OSError:  # not Linux: what the machine has in all is an upper bound
        if "SC_PHYS_PAGES" in os.sysconf_names:
            free.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    group = root / "sys/fs/cgroup"
    try:
        limit, taken = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
        free += [max(int(limit) - int(taken), 0)] if limit != "max" else []
    except (OSError, ValueError):  # no control group, or one of the old kind
        pass
    return min(free, default=None)


def require(need: int, what: str, hint: str) -> None:
    """Refuse to begin what there is no memory for.

    Raises
    ------
    InputError
        Saying how much it takes, and how much there is.
    """
    lack = lacking(need)
    if lack is not None:
        raise InputError(f"{what} {lack}", hint=hint)


def lacking(need: int) -> str | None:
    """How much memory something takes and how much there is, where there is too little; else None."""
    free = free_bytes()
    if free is None or need <= free:
        return None
    return f"takes about {_size(need)} of memory, and {_size(free)} are free"


def rows_at_a_time(most: int, columns: int) -> int:
    """So many rows, or fewer of them where they have very many columns.

    >>> rows_at_a_time(16_384, 3), rows_at_a_time(16_384, 10_000)
    (16384, 419)
    """
    return min(most, max(MOST_VALUES // max(columns, 1), 1))


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GB" if count >= 1 << 30 else f"{max(count >> 20, 1)} MB"
