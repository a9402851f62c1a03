"""An incident in words, as a person would tell it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from anomscan.incidents.incident import Incident

if TYPE_CHECKING:
    from anomscan.incidents.ledger import Entry

_VERBS = {
    "silent": "is silent",
    "missing": "sent nothing",
    "stuck": "was stuck",
    "zero": "was at zero",
    "noisy": "was noisy",
    "drifting-down": "drifted down",
    "drifting-up": "drifted up",
    "dropped": "dropped",
    "raised": "rose",
    "pattern": "was unusual",
}
#: Kinds of which it says little how far off their mean is, and those that lose nothing by which one could tell them.
_NO_EXTENT, _NO_LOSS = ("noisy", "stuck"), ("noisy", "stuck", "pattern")


def in_words(incident: Incident) -> str:
    """One line: ``dropped: 8 % below its peers since 2023-07-10 (29 days, 1.9 prt7 x days lost), still so``."""
    unit = "samples" if "T" in incident.since else "days"
    if incident.days == 1:
        unit = unit[:-1]
    text = _VERBS.get(incident.kind, incident.kind)
    extent, lost = "", ""
    if incident.variables:
        variable = incident.variables[0][0]
        off = incident.deviation.get(variable, math.nan)
        if len(incident.variables) > 1:
            text += f" in {variable}"
        # What is at zero is not above anything, even where the peers are at -1.
        if math.isfinite(off) and incident.kind not in _NO_EXTENT and not (incident.kind == "zero" and off > 0):
            due = "its peers" if incident.against_peers else "expected"
            extent = f"{percent(abs(off))} % {'below' if off < 0 else 'above'} {due} "
        loss = incident.loss.get(variable, math.nan)
        if math.isfinite(loss) and loss > 0 and off < 0 and incident.kind not in _NO_LOSS:
            lost = f", {_short(loss)} {variable} x {unit if incident.days > 1 else unit + 's'} lost"
    when = f"since {incident.since}" if incident.open else f"{incident.since} to {incident.last}"
    if incident.since == incident.last and not incident.open:
        when = f"on {incident.since}"
    common = "" if incident.common is None else f", with {incident.common.asset}"
    return f"{text}: {extent}{when} ({incident.days} {unit}{lost}){', still so' if incident.open else ''}{common}"


def percent(share: float) -> str:
    """A share in per cent.

    >>> percent(0.0734), percent(41.96), percent(1e12)
    ('7.3', '4,196', '1e+14')
    """
    return _short(share * 100)


def _short(number: float) -> str:
    """Of two digits, and without an exponent where it is large."""
    return f"{number:,.0f}" if 99.5 <= number < 1e6 else f"{number:.2g}"


def of_entry(entry: Entry) -> str:
    """The newest spell of an incident of the ledger in one line, without a word from the data."""
    spell = entry.spells[-1]
    worst = max(entry.deviation.values(), key=abs, default=math.nan)
    return in_words(
        Incident(
            id=entry.id,
            kind=entry.kind,
            since=spell.since,
            first_flagged=spell.first,
            last=spell.last,
            open=entry.is_open,
            days=spell.days,
            peak=entry.peak,
            observed={},
            expected={},
            deviation={"": worst},
            loss={},
            variables=(("", 1.0),),
            common=None,
        )
    )
