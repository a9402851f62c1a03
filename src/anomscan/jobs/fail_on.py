"""What ``--fail-on`` asks of a run; what is acknowledged or snoozed counts for nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from anomscan.errors import ConfigError
from anomscan.jobs.tally import Tally

#: Conditions without a number, and what each asks.
_PLAIN: dict[str, Callable[[Tally], bool]] = {
    "any": lambda tally: tally.counting > tally.muted_findings,
    "incident": lambda tally: tally.open_incidents > 0,
    "new": lambda tally: tally.new_incidents > 0,
    "silent": lambda tally: tally.verdicts["silent"] > tally.muted_silent,
    "stale": lambda tally: bool(tally.stale),
}
#: Conditions with a number that an anomalous day must reach.
_NUMBERED = ("sigma", "severity")


@dataclass(frozen=True, slots=True)
class FailOn:
    """Conditions, of which one is enough.

    Parameters
    ----------
    plain
        Of ``any``, ``incident``, ``new``, ``silent`` and ``stale``.
    least
        By ``sigma`` or ``severity``: what an anomalous day must reach.
    """

    plain: tuple[str, ...] = ()
    least: tuple[tuple[str, float], ...] = ()

    @classmethod
    def parse(cls, text: str | None) -> FailOn:
        """Read a list such as ``any,sigma:5``.

        >>> FailOn.parse("new,silent,sigma:5")
        FailOn(plain=('new', 'silent'), least=(('sigma', 5.0),))

        Raises
        ------
        ConfigError
            If a part is not one of the conditions.
        """
        plain, least = [], []
        for part in [] if text is None else text.split(","):
            name, colon, number = part.strip().partition(":")
            if not colon and name in _PLAIN:
                plain.append(name)
                continue
            if name not in _NUMBERED or not re.fullmatch(r"\d+(\.\d+)?", number):
                known = ", ".join([*_PLAIN, "sigma:5", "severity:0.9"])
                raise ConfigError(f"--fail-on '{part.strip()}' is not known", hint=f"a list of {known}")
            least.append((name, float(number)))
        return cls(tuple(plain), tuple(least))

    def met(self, tally: Tally) -> bool:
        """Whether a run meets one of them."""
        return any(_PLAIN[name](tally) for name in self.plain) or any(
            tally.most.get(name, 0.0) >= number for name, number in self.least
        )
