"""The one table of detector kinds. A new kind is a module with a ``KIND``, its settings, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from anomscan.config import DetectorSettings

if TYPE_CHECKING:
    from anomscan.detectors.base import Detector
    from anomscan.detectors.kind import Kind

#: The module with the ``KIND`` of each kind; imported only when it is needed.
_MODULES = {
    "rcf": "anomscan.detectors.rcf.kind",
    "control-chart": "anomscan.detectors.control_chart.kind",
    "nearest": "anomscan.detectors.nearest.kind",
    "profile": "anomscan.detectors.profile.kind",
    "sagemaker": "anomscan.detectors.sagemaker.kind",
    "azure": "anomscan.detectors.azure.kind",
    "recorded": "anomscan.detectors.recorded.kind",
}


def kind_named(name: str) -> Kind:
    """The kind with a name, one of the keys of the table."""
    kind: Kind = import_module(_MODULES[name]).KIND
    return kind


def kind_of(settings: DetectorSettings) -> Kind:
    """The kind of detector that a section of the settings describes."""
    return kind_named(settings.kind)


def words_of(name: str) -> str | None:
    """What detectors of a kind score by, in words; None if there is no such kind."""
    return kind_named(name).words if name in _MODULES else None


def kinds_where(condition: Callable[[Kind], bool]) -> list[str]:
    """The names of the kinds that meet a condition, in the order of the table."""
    return [name for name in _MODULES if condition(kind_named(name))]


def opened(
    name: str,
    settings: DetectorSettings,
    warn: Callable[[str], None],
    *,
    record: Path | None = None,
    replay: Path | None = None,
) -> AbstractContextManager[Detector]:
    """Open a detector for the length of a block; a remote one may be recorded or replayed.

    Parameters
    ----------
    name, settings
        Of the detector.
    warn
        Called, at once and from any thread, with a sentence on what it leaves behind at a service.
    record
        Where to keep what the service answers; written when the block ends well.
    replay
        A file so made, to answer from in place of the service.

    Raises
    ------
    ConfigError
        If there is nothing to record or replay, or the service cannot be asked with these settings.
    MissingExtraError
        If it needs an extra that is not installed.
    InputError
        If its model, its file or the file to replay cannot be used.
    OutputError
        If the file to record cannot be written.
    """
    kind = kind_of(settings)
    if record is not None or replay is not None:
        return kind.taped(name, settings, record, replay)
    return kind.opened(name, settings, warn)
