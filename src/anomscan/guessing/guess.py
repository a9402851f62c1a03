"""All guesses about a table together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from anomscan.errors import InputError
from anomscan.guessing.cadence import Step, changed_clocks, step_of
from anomscan.guessing.columns import Roles, refuse_other_signs, roles_of
from anomscan.guessing.detector import Choice, choice_of
from anomscan.guessing.said import Said
from anomscan.guessing.sample import Sample
from anomscan.guessing.sizes import differ_in_size
from anomscan.guessing.unsure import UnsureError
from anomscan.guessing.words import names_sum
from anomscan.telemetry.cadence import Cadence
from anomscan.wording import counted

_DAY_US = 86_400_000_000
#: Numbers that loggers write where they have no value, and how often they must be there.
_NOTHING = {-999.0: 1, -9999.0: 1, -99999.0: 1, -9999.9: 1, -32768.0: 1} | dict.fromkeys(
    (-99.0, -99.9, -99.99, -999.9, 9999.0, 9999.9, 99999.0, 999999.0, 32767.0, 65535.0), 2
)
#: No quantity is so large.
_ENDLESS = 1e20
_FIXED = re.compile(r"(?:UTC|GMT)\s*([+-])\s*(\d{1,2})(?::?00)?\b", re.IGNORECASE)


@dataclass(frozen=True)
class Guess:
    """What a table holds, and what suits it.

    Parameters
    ----------
    assets, samples
        How many assets there are, and how many samples of one, as a rule.
    zone, zone_why
        As ``timezone``, None where none is needed; and why.
    missing
        Numbers that stand for no value.
    shown
        What was guessed, in words: what, the guess, and why.
    """

    sample: Sample
    roles: Roles
    step: Step
    zone: str | None
    zone_why: str
    choice: Choice
    assets: int
    samples: int
    missing: tuple[str, ...] = ()
    cohorts: Mapping[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables as the settings name them."""
        return ("value",) if self.roles.layout == "wide" else self.roles.values

    @property
    def sums(self) -> list[str]:
        """Assets that are called like a sum of the others."""
        column = None if self.roles.asset is None else self.sample.columns[self.roles.asset]
        return [name for name in (column.codes[1] if column and self.assets > 1 else ()) if names_sum(name)]

    @property
    def shown(self) -> list[tuple[str, str, str]]:
        """What was guessed: what, the guess, and why."""
        roles, sample = self.roles, self.sample
        first, last = (str(each.astype("datetime64[m]")).removesuffix("T00:00") for each in _ends(roles))
        rows = [
            ("table", f"{counted(sample.rows, 'row')}{'' if sample.whole else ' or more'}", sample.place),
            ("layout", roles.layout, roles.why),
            ("assets", f"{self.assets:,}", _asset_why(self)),
            ("times", roles.timestamp or "first column", f"{first} to {last}, {_written(roles)}"),
            ("cadence", self.step.text, _cadence_why(self.step)),
            ("zone", self.zone or "none needed", self.zone_why),
            ("values", _listed(roles.values), ""),
        ]
        if sample.dialect.delimiter not in (None, ",") or sample.dialect.decimal == ",":
            decimal = sample.dialect.decimal or "."
            rows.insert(
                1, ("written with", f"{sample.dialect.delimiter!r} between columns", f"{decimal!r} as the decimal sign")
            )
        rows += (
            [("missing", ", ".join(self.missing), "there so often, and so far from the rest")] if self.missing else []
        )
        rows += [("health", roles.health, "days with Unknown are not judged")] if roles.health else []
        rows += [("cohorts", roles.cohort, f"{len(set(self.cohorts.values()))} of them")] if roles.cohort else []
        rows += [("left out", name, why) for name, why in roles.left_out.items()]
        rows += [("beware", name, "an asset that is called like a sum of the others") for name in self.sums]
        return [*rows, ("detector", self.choice.kind, self.choice.why)]


def guess(sample: Sample, said: Said) -> Guess:
    """Guess what a table holds. Pure: the same rows and words give the same guess.

    Raises
    ------
    InputError
        The table cannot be read as telemetry.
    UnsureError
        What the rows do not tell.
    """
    if sample.dialect.doubt is not None and said.decimal is None:
        raise UnsureError(
            f"{sample.dialect.doubt} may be a thousand times as much: is its mark a decimal sign?",
            "--decimal",
            [".", ","],
        )
    roles = roles_of(sample, said)
    _refuse_other_signs(sample, roles, said)
    step = step_of(roles.codes, roles.stamps) if said.cadence is None else _said_step(said.cadence)
    zone, why = _zone(roles, step, said)
    dated = roles.codes[(roles.codes >= 0) & ~np.isnat(roles.stamps.moments)]
    assets = len(roles.values) if roles.layout == "wide" else len(np.unique(dated))
    if roles.asset is None and roles.layout != "wide":
        assets = sample.files
    samples = len(np.unique(roles.stamps.moments[~np.isnat(roles.stamps.moments)]))
    variables = 1 if roles.layout == "wide" else len(roles.values)
    sizes = differ_in_size(sample, roles)
    choice = choice_of(assets, variables, samples, step.us, said.detector, sizes=sizes)
    return Guess(
        sample, roles, step, zone, why, choice, assets, samples, _missing(sample, roles), _cohorts(sample, roles)
    )


def _said_step(text: str) -> Step:
    return Step(text, Cadence.parse(text).step_us)


def _zone(roles: Roles, step: Step, said: Said) -> tuple[str | None, str]:
    """The time zone, None where none is needed; and why."""
    if said.timezone is not None:
        return said.timezone, "as you say"
    stamps = roles.stamps
    wall = stamps.wall[~np.isnat(stamps.wall)]
    midnight = bool((wall == wall.astype("datetime64[D]")).all())
    if step.us % _DAY_US == 0:
        if stamps.utc is not None and not midnight:
            raise UnsureError(
                f"'{roles.timestamp}' has one time a day, {str(wall[0])[11:16]} and an offset: where do days begin?",
                "--timezone",
                ["UTC", "Europe/Berlin", "America/New_York"],
            )
        return None, "days are taken as they are written"
    if stamps.utc is not None:
        return None, "times have an offset from UTC"
    fixed = _FIXED.search(roles.timestamp)
    if fixed is not None:
        return f"Etc/GMT{'-' if fixed[1] == '+' else '+'}{int(fixed[2])}", f"'{roles.timestamp}' says it"
    if re.search(r"(?i)(^|[^a-z])(utc|gmt)([^a-z]|$)", roles.timestamp):
        return "UTC", f"'{roles.timestamp}' says it"
    zones = changed_clocks(roles.codes, stamps.wall, step.us)
    if zones:
        raise UnsureError(
            "the times have no offset from UTC, and their clock was changed in spring or autumn", "--timezone", zones
        )
    return "UTC", "as written: no change of clocks is seen"


def _missing(sample: Sample, roles: Roles) -> tuple[str, ...]:
    """Numbers that stand for no value: usual ones for that, far from all others."""
    found: dict[str, None] = {}
    for name in roles.values if roles.layout != "tags" else [roles.value or ""]:
        numbers = sample.columns[name].numbers
        if numbers is None:
            continue
        known = numbers[np.isfinite(numbers)]
        for each in [*_NOTHING, *np.unique(known[np.abs(known) >= _ENDLESS]).tolist()]:
            rest = known[(known != each) & (np.abs(known) < _ENDLESS)]
            far = len(rest) == 0 or (rest.min() > each / 2 if each < 0 else rest.max() < each / 2)
            if far and (known == each).sum() >= _NOTHING.get(each, 1):
                found[repr(each).removesuffix(".0")] = None
    return tuple(found)


def _refuse_other_signs(sample: Sample, roles: Roles, said: Said) -> None:
    """Ask where a column that is left out as text has numbers in it, with other signs."""
    for name, why in roles.left_out.items():
        if why != "text" or said.values:
            continue
        refuse_other_signs(sample.columns[name])


def _cohorts(sample: Sample, roles: Roles) -> dict[str, str]:
    """Asset -> cohort."""
    if roles.cohort is None or roles.asset is None:
        return {}
    codes, assets = sample.columns[roles.asset].codes
    own, cohorts = sample.columns[roles.cohort].codes
    pairs = np.unique(np.column_stack([codes, own]), axis=0)
    return {assets[asset]: cohorts[cohort] for asset, cohort in pairs.tolist() if asset >= 0 and cohort >= 0}


def _ends(roles: Roles) -> tuple[np.datetime64, np.datetime64]:
    moments = roles.stamps.moments[~np.isnat(roles.stamps.moments)]
    if not len(moments):
        raise InputError(f"column '{roles.timestamp}' has no times")
    return moments.min(), moments.max()


def _written(roles: Roles) -> str:
    return "ISO 8601" if roles.stamps.pattern is None else f"written as {roles.stamps.pattern}"


def _asset_why(guess: Guess) -> str:
    roles = guess.roles
    if roles.layout == "wide":
        return "a column each"
    if roles.asset is not None:
        return f"column '{roles.asset}'"
    return "a file each" if guess.sample.files > 1 else "no column tells assets apart"


def _cadence_why(step: Step) -> str:
    if step.tolerance_s:
        return f"samples lie up to {step.tolerance_s} s beside it, and are moved there"
    return "" if step.even == 1 else f"{step.even:.1%} of the steps fit"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:7]) + (f" and {len(names) - 7} more" if len(names) > 7 else "")
