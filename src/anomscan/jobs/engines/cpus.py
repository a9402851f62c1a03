"""How many CPUs this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

_CONTROL, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def usable_cpus(control: Path = _CONTROL, own: Path = _OWN) -> int:
    """CPUs of this process: those it is bound to, or fewer if its control groups limit its time.

    Parameters
    ----------
    control, own
        Where Linux shows control groups, and those of this process.

    Returns
    -------
    At least 1. A quota of one and a half CPUs counts as two.
    """
    try:
        bound = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        bound = os.cpu_count() or 1
    return max(min([bound, *map(math.ceil, _quotas(control, own))]), 1)


def _quotas(control: Path, own: Path) -> Iterator[float]:
    """The limits, in CPUs, of the control groups around this process."""
    try:
        groups = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:  # not Linux
        return
    for _, controllers, path in groups:
        if controllers == "":
            folders = _upwards(control, path)
            yield from (limit for folder in folders if (limit := _version_2(folder)) is not None)
        elif "cpu" in controllers.split(","):
            folders = _upwards(control / "cpu", path)
            yield from (limit for folder in folders if (limit := _version_1(folder)) is not None)


def _upwards(root: Path, path: str) -> list[Path]:
    """A group's folder and its parents; a container may show its own as the root."""
    folder = root / path.strip("/")
    return [folder, *(above for above in folder.parents if above.is_relative_to(root))]


def _version_2(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None


def _version_1(folder: Path) -> float | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        return None if quota < 0 else quota / int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
