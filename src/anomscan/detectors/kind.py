"""What a kind of detector offers beside its scores: opening it, training it, and looking after its models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from anomscan.config import Settings
from anomscan.detectors.base import Detector
from anomscan.errors import ConfigError


class Console(Protocol):
    """Where training says what it does, and asks."""

    @property
    def can_ask(self) -> bool:
        """Whether there is somebody to ask."""

    def agrees(self, question: str) -> bool:
        """Ask a question; anything but a clear yes is a no."""

    def data(self, line: str) -> None:
        """Put a line on stdout: what was asked for."""

    def info(self, message: str, **facts: object) -> None:
        """Say it unless silence is wanted."""

    def warn(self, message: str) -> None:
        """Say what the user should know although the work goes on."""

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, data: bool) -> None:
        """Draw a table: on stdout if it is the data that was asked for, else on stderr."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
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


class Kind(ABC):
    """One kind of detector. A kind overrides what it can do; the rest is refused with a reason.

    Attributes
    ----------
    trained
        Whether ``train`` makes a model of this kind.
    train_options
        The flags of ``train`` that only some kinds take, and this one does.
    remote
        Whether scoring waits for a service, which workers on other machines cannot speed up.
    """

    trained = False
    train_options: frozenset[str] = frozenset()
    remote = False

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
            hint="leave --record and --replay out",
        )

    def missing(self, settings: Any) -> str | None:
        """Why it cannot score yet, in one line, if training it is all that is needed."""
        return None

    def train(self, console: Console, settings: Any, training: Training) -> None:
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
        """The models there are: detector, model, and through when it was trained, or what is wrong with it."""
        return []

    def show(self, console: Console, name: str, settings: Any, model_id: str | None) -> None:
        """Show what a model was trained with."""
        raise _no_model(name, settings)

    def delete(self, console: Console, name: str, settings: Any, model_id: str | None) -> None:
        """Delete a model."""
        raise _no_model(name, settings)


def _no_model(name: str, settings: Any) -> ConfigError:
    return ConfigError(f"detector '{name}' is {settings.kind}, which has no model file")
