"""Settings to detectors: the one table of kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from anomscan.config import AzureDetector as AzureSettings
from anomscan.config import RcfDetector as RcfSettings
from anomscan.config import RecordedDetector as RecordedSettings
from anomscan.config import SageMakerDetector as SageMakerSettings
from anomscan.detectors.base import Detector
from anomscan.errors import ConfigError

if TYPE_CHECKING:
    from anomscan.detectors.azure.detector import AzureDetector
    from anomscan.detectors.recorded import Recorded

Settings = RcfSettings | RecordedSettings | SageMakerSettings | AzureSettings


def build(name: str, settings: Settings, warn: Callable[[str], None]) -> Detector:
    """Make the detector that a section of the settings describes, ready to score.

    Parameters
    ----------
    warn
        Called, at once and from any thread, with a sentence on what it leaves behind at a service.

    Raises
    ------
    ConfigError, MissingExtraError
        If the service behind it cannot be asked with these settings, or not without an extra.
    InputError
        If its model or file cannot be used.
    """
    if isinstance(settings, RcfSettings):
        from anomscan.detectors.rcf.detector import RcfDetector

        return RcfDetector.load(name, settings.model)
    if isinstance(settings, SageMakerSettings):
        from anomscan.detectors.sagemaker.detector import SageMakerDetector
        from anomscan.detectors.sagemaker.runtime import Runtime

        return SageMakerDetector(name, settings, Runtime(settings))
    if isinstance(settings, AzureSettings):
        return _azure(name, settings, warn)
    return _recorded(name, settings)


@contextmanager
def opened(
    name: str,
    settings: Settings,
    warn: Callable[[str], None],
    *,
    record: Path | None = None,
    replay: Path | None = None,
) -> Iterator[Detector]:
    """Have a detector for the length of a block; a remote one may be recorded, or played back.

    Parameters
    ----------
    name, settings, warn
        As of :func:`build`.
    record
        Where to keep what the service answers; written when the block ends well.
    replay
        A file so made, to answer from in place of the service.

    Raises
    ------
    ConfigError
        If there is nothing to record or replay.
    InputError
        As :func:`build`; also if the file to replay cannot be used.
    OutputError
        If the file to record cannot be written.
    """
    if isinstance(settings, SageMakerSettings):
        from anomscan.detectors.recording import taped
        from anomscan.detectors.sagemaker.detector import SageMakerDetector
        from anomscan.detectors.sagemaker.runtime import Runtime

        with taped(
            lambda: Runtime(settings), detector=name, endpoint=settings.endpoint, record=record, replay=replay
        ) as scorer:
            yield SageMakerDetector(name, settings, scorer)
    elif record is not None or replay is not None:
        raise ConfigError(
            f"detector '{name}' is {settings.kind}, which cannot be recorded or replayed",
            hint="--record and --replay are for sagemaker",
        )
    elif isinstance(settings, AzureSettings):
        with closing(_azure(name, settings, warn)) as detector:
            yield detector
    elif isinstance(settings, RecordedSettings):
        with closing(_recorded(name, settings)) as recorded:
            yield recorded
    else:
        yield build(name, settings, warn)


def _azure(name: str, settings: AzureSettings, warn: Callable[[str], None]) -> AzureDetector:
    from anomscan.detectors.azure.blob import shelf_of
    from anomscan.detectors.azure.client import Mvad
    from anomscan.detectors.azure.detector import AzureDetector

    service = Mvad(settings)
    return AzureDetector(name, settings, service, shelf_of(settings, warn, near=service.near))


def _recorded(name: str, settings: RecordedSettings) -> Recorded:
    from anomscan.detectors.recorded import Recorded

    return Recorded(name, settings.path)
