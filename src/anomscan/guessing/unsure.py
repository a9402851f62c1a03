"""A guess that cannot be made: a question, or an error that names the option."""

from __future__ import annotations

from collections.abc import Sequence

from anomscan.errors import ConfigError


class UnsureError(ConfigError):
    """What the rows do not tell.

    Parameters
    ----------
    what
        What is not known, and why.
    option
        The option that says it, such as ``--timezone``.
    choices
        What may be meant, the likeliest first; empty where anything may.
    """

    def __init__(self, what: str, option: str, choices: Sequence[str] = ()) -> None:
        listed = ", ".join(choices[:6])
        super().__init__(what, hint=f"say it with {option}" + (f": {listed}" if choices else ""))
        self.what = what
        self.option = option
        self.choices = tuple(choices)
