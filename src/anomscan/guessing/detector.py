"""Which detector suits the data, and with which settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: From so many assets on, they are compared with one another.
FLEET = 4
_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Choice:
    """A detector.

    Parameters
    ----------
    kind
        As in the settings.
    why
        In words.
    settings, scan
        Of the detector, and of ``[scan]``; those that are as always are left out.
    """

    kind: str
    why: str
    settings: Mapping[str, object] = field(default_factory=dict)
    scan: Mapping[str, object] = field(default_factory=dict)


def choice_of(
    assets: int, variables: int, samples: int, step_us: int, said: str | None = None, *, sizes: bool = False
) -> Choice:
    """What suits so many assets of so many variables.

    Parameters
    ----------
    samples
        Of an asset, as a rule.
    said
        The kind that the user wants.
    sizes
        Whether the assets differ in size, so that they are compared by their ratio.
    """
    kind = said or ("control-chart" if assets >= FLEET else "nearest")
    if kind == "control-chart":
        why = f"{assets} assets, each against the others" if assets >= FLEET else "asked for"
        settings: dict[str, object] = {"min_history": max(10, samples // 2)} if samples < 120 else {}
        if assets >= FLEET and sizes:
            why += ", by their ratio, as they differ in size"
            settings["peers"] = "ratio"
        return Choice(kind, why, settings)
    if kind == "rcf":
        return Choice(kind, "asked for", scan={"cutoff": "rank", "budget": _budget(366, step_us)})
    why = f"{variables} variables, each on its own scale" if variables > 1 else "one asset, against its own past"
    if assets > 1:
        why += f", and {assets} assets are too few to be compared"
    trusted = _trusted(step_us, samples)
    usual = _trusted(step_us, 1 << 40)
    settings = {} if trusted == usual else {"min_history": trusted}
    return Choice(
        kind, why, settings, {"cutoff": "rank", "window": max(trusted, 2), "budget": _budget(trusted, step_us)}
    )


def _trusted(step_us: int, samples: int) -> int:
    """How many samples nothing is said about: as many as the detector takes by itself, or half of a short history."""
    usual = min(max(14 * _DAY_US // step_us, 365), 2_016)
    return usual if samples >= 2 * usual else max(60, samples // 2)


def _budget(window: int, step_us: int) -> str:
    """One false sample a year, or as rare a one as a window can tell."""
    days = min(365 * _DAY_US, 10 * window * step_us) // _DAY_US
    return "1/1y" if days >= 365 else f"1/{days}d" if days else f"1/{max(1, 10 * window * step_us * 24 // _DAY_US)}h"
