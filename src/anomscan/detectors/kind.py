"""What a kind of detector offers besides scores: opening it, training it, and managing its models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from anomscan.config import Settings
from anomscan.detectors.base import Detector
from anomscan.errors import ConfigError
from anomscan.telemetry.cadence import last_instant


class Console(Protocol):
    """Where training shows what it does, and asks for confirmation."""

    @property
    def can_ask(self) -> bool:
        """Whether there is anybody to ask."""

    def agrees(self, question: str) -> bool:
        """Ask a question; anything but a clear yes is a no."""

    def data(self, line: str) -> None:
        """Print a line of the result on stdout."""

    def info(self, message: str, **facts: object) -> None:
        """Show a message, unless the user wants silence."""

    def warn(self, message: str) -> None:
        """Show a problem that does not stop the work."""

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, data: bool) -> None:
        """Draw a table: on stdout if it is the result, else on stderr; only tuples of words are broken over lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """What ``train`` was asked to do.

    Parameters
    ----------
    settings
        All settings.
    name
        The detector's name in the settings.
    source
        The source's name; None for the default one.
    through
        The last day or instant to learn from; None for no bound.
    options
        The options of this kind that were given, by flag.
    yes
        Whether the user has agreed to what costs money.
    """

    settings: Settings
    name: str
    source: str | None = None
    through: str | None = None
    options: dict[str, Any]
    yes: bool = False

    @property
    def limit(self) -> np.datetime64 | None:
        """The last instant to learn from.

        Raises
        ------
        ConfigError
            If ``through`` is neither a day nor an instant.
        """
        if self.through is None:
            return None
        return last_instant(self.through, self.settings.source(self.source)[1].sample_zone)


class Kind(ABC):
    """One kind of detector. A kind overrides what it can do; the rest is refused with a reason.

    Attributes
    ----------
    words
        What it scores by, for people: what stands after "Detector: " in a report.
    trained
        Whether ``train`` makes a model of this kind.
    train_options
        The flags of ``train`` that only some kinds take, and this one does.
    remote
        Whether scoring waits for a service, which workers on other machines cannot speed up.
    recorded
        Whether its scores are read from a file, so that it cannot score values that were never measured.
    """

    words: str
    trained = False
    train_options: frozenset[str] = frozenset()
    remote = False
    recorded = False

    @abstractmethod
    def opened(self, name: str, settings: Any, warn: Callable[[str], None]) -> AbstractContextManager[Detector]:
        """See :func:`anomscan.detectors.registry.opened`."""

    def taped(
        self, name: str, settings: Any, record: Path | None, replay: Path | None
    ) -> AbstractContextManager[Detector]:
        """The same, recorded or replayed.

        Raises
        ------
        ConfigError
            If this kind has no service whose answers can be recorded.
        """
        raise ConfigError(
            f"detector '{name}' is {settings.kind}, which cannot be recorded or replayed",
            hint="leave out --record and --replay",
        )

    def missing(self, settings: Any) -> str | None:
        """Why it cannot score yet, in one line, if it only needs training."""
        return None

    def lacking(self, settings: Any) -> str | None:
        """Why it cannot score now, in one line: it needs training, or a file is not there."""
        return self.missing(settings)

    def train(self, console: Console, settings: Any, training: TrainingRequest) -> None:
        """Train a model.

        Raises
        ------
        ConfigError
            If this kind is not trained, the options make no sense, or nobody agreed to the cost.
        AnomscanError
            If it cannot be trained.
        """
        raise ConfigError(f"detector '{training.name}' is {settings.kind}, which is not trained")

    def models(self, name: str, settings: Any) -> list[tuple[str, str, str]]:
        """The existing models: detector, model, and the end of its training data or what is wrong with it."""
        return []

    def show(self, console: Console, name: str, settings: Any, model_id: str | None) -> None:
        """Show what a model was trained with."""
        raise _no_model(name, settings)

    def delete(self, console: Console, name: str, settings: Any, model_id: str | None) -> None:
        """Delete a model."""
        raise _no_model(name, settings)


def _no_model(name: str, settings: Any) -> ConfigError:
    return ConfigError(f"detector '{name}' is {settings.kind}, which has no model file")
