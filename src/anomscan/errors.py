"""Every error anomscan raises on purpose, and the exit code of each.

::

    AnomscanError
    ├── InputError             2   a file, model or store that cannot be used
    │   ├── ConfigError        2   settings, flags and how they fit together
    │   ├── MissingFilesError  2   no file where a source has its files
    │   ├── MissingExtraError  2   an optional package is not installed
    │   ├── ModelError         2   a model file: cut off, other version, other dimension
    │   ├── StoreError         2   a store: other version, damaged, other layout
    │   ├── NoExemplarsError   2   no asset is fit to train on
    │   └── ProofError         2   a detector, or what was kept of its scores, whose verdicts do not stand up
    ├── AssetError             4   one asset failed; the fleet goes on
    ├── ServiceError           5   a source or service is unreachable, refuses us, or is retired
    ├── LockedError            6   another run holds the lock
    └── OutputError            7   the output cannot be written; the old file stays

A message is one line that names the thing; ``hint`` is the way out.
"""

from __future__ import annotations

import copyreg
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """What the shell sees. Codes 128 + n stand for signals.

    Attributes
    ----------
    meaning
        When a command ends with it, for the documentation.
    """

    meaning: str

    def __new__(cls, code: int, meaning: str = "") -> ExitCode:
        """A code with its meaning; an ``IntEnum`` takes a number alone."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    DONE = 0, "done, anomalies or not"
    BUG = 1, "a bug; the message names the log file with the traceback"
    INPUT = (
        2,
        "usage or configuration; an input file, model or store that cannot be used; no asset fit to train on; "
        "a verdict that `--prove` refutes",
    )
    FINDINGS = (
        3,
        "done, and findings match `--fail-on`: `any`, `incident`, `new`, `silent`, `stale`, `sigma:5`, `severity:0.9`",
    )
    ASSETS_FAILED = 4, "assets failed, each named; or no day was judged; `night`: a source is stale"
    SERVICE = 5, "a source, a service or a target of `[[notify]]` is unreachable or refuses us"
    LOCKED = 6, "another run holds the lock"
    OUTPUT = 7, "the output cannot be written; the old file stays"
    INTERRUPTED = 130, "interrupted; the old files stay, finished assets are kept, `--resume` continues"
    TERMINATED = 143, "the same, by a signal to end"


#: Which code wins when several hold: trouble outranks findings.
PRECEDENCE = (
    ExitCode.INPUT,
    ExitCode.OUTPUT,
    ExitCode.LOCKED,
    ExitCode.SERVICE,
    ExitCode.ASSETS_FAILED,
    ExitCode.FINDINGS,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The code that wins among ``codes``; ``DONE`` if there is none.

    >>> worst([ExitCode.FINDINGS, ExitCode.ASSETS_FAILED]).name
    'ASSETS_FAILED'
    """
    present = set(codes)
    return next((code for code in PRECEDENCE if code in present), ExitCode.DONE)


class AnomscanError(Exception):
    """An expected failure: one line for the user and, if there is one, a way out.

    Parameters
    ----------
    message
        One line naming the thing. Line breaks are folded to spaces.
    hint
        What to do about it, one line.
    """

    exit_code = ExitCode.INPUT
    #: Errors that were found at once, to be told on a line each; none where it is one.
    parts: tuple[AnomscanError, ...] = ()

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = _one_line(message)
        self.hint = _one_line(hint) if hint else None

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # By default a copy calls the class with args, which loses the hint and does not fit a class that composes its
        # own message.
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]


class InputError(AnomscanError):
    """An input file, model or store that cannot be used."""


class ConfigError(InputError):
    """A setting or flag that is wrong, missing or contradicts another."""


def together(errors: Sequence[ConfigError]) -> ConfigError:
    """Several errors, at least one, as one that tells them all."""
    if len(errors) == 1:
        return errors[0]
    whole = ConfigError("; ".join(map(str, errors)))
    whole.parts = tuple(errors)
    return whole


class MissingFilesError(InputError):
    """No file where a source has its files; where they were before, a night takes it as a source that is down."""


class MissingExtraError(InputError):
    """An optional package is not installed.

    Parameters
    ----------
    feature
        What needs it, as the user would say it.
    extra
        The extra of anomscan that brings it.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra '{extra}'", hint=f"pip install 'anomscan[{extra}]'")


class ModelError(InputError):
    """A model file that is truncated, of another version or of another dimension."""


class StoreError(InputError):
    """A store that is damaged, was written by a newer version, or has another layout."""


class NoExemplarsError(InputError):
    """No asset is fit to train on."""


class ProofError(InputError):
    """A proof failed: a verdict does not follow from what was known on its day."""


class AssetError(AnomscanError):
    """One asset failed; the rest of the fleet goes on."""

    exit_code = ExitCode.ASSETS_FAILED


class ServiceError(AnomscanError):
    """A source or service is unreachable, refuses us, or is retired."""

    exit_code = ExitCode.SERVICE


class LockedError(AnomscanError):
    """Another run holds the lock."""

    exit_code = ExitCode.LOCKED


class OutputError(AnomscanError):
    """The output cannot be written; the old file stays."""

    exit_code = ExitCode.OUTPUT


def _one_line(text: str) -> str:
    return " ".join(text.split())
