"""Incidents against spans that are known to be bad, beside what incidents at other times would have caught."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from anomscan.judging.found import JudgedAsset, Span
from anomscan.telemetry.series import Floats

#: The spans are moved by so many equal steps round the stretch to see what would be caught by chance.
_TURNS = 64


@dataclass(frozen=True, slots=True)
class Labels:
    """What somebody knows of assets.

    Parameters
    ----------
    bad
        By asset, spans in which something was wrong with it.
    fine
        By asset, spans in which nothing was, whatever a detector says.
    complete
        Whether all other time was fine; else nothing is known of it.
    """

    bad: Mapping[str, Sequence[Span]]
    fine: Mapping[str, Sequence[Span]] = field(default_factory=dict)
    complete: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Met:
    """Which bad spans incidents meet.

    Parameters
    ----------
    hit
        By bad span 1 where an incident meets it, else 0; or the share of times at which one does.
    delay
        Of each hit, microseconds from the start of the span to the first flagged sample in it.
    off
        Of each hit, microseconds from the start of the span to the onset that the incident has, either way.
    """

    hit: Floats
    delay: Floats
    off: Floats

    @classmethod
    def joined(cls, parts: Sequence[Met]) -> Met:
        """Those of several assets as one."""
        none = np.empty(0)
        return cls(*(np.concatenate([none, *(getattr(part, name) for part in parts)]) for name in cls.__slots__))


@dataclass(frozen=True, slots=True, eq=False)
class Caught:
    """What was caught of the known bad spans that lie in what was watched.

    Parameters
    ----------
    met, chance
        As it was, and where each span lay anywhere in what was watched.
    kinds
        (e,) of the spans.
    false
        (a, 2) float64, by asset: its false incidents, and how many there would be by chance; NaN where nobody knows.
    """

    met: Met
    chance: Met
    kinds: tuple[str, ...]
    false: Floats


def caught(assets: Sequence[JudgedAsset], known: Labels, step_us: int) -> Caught:
    """Hold the incidents of some assets, each within what was watched of it, against what is known.

    Parameters
    ----------
    step_us
        From one sample to the next.
    """
    met, chance = [], []
    kinds: list[str] = []
    false = np.zeros((len(assets), 2))
    for place, asset in enumerate(assets):
        bad = [] if asset.watched is None else [s for s in known.bad.get(asset.asset, ()) if s.meets(asset.watched)]
        explained = 0.0
        if asset.watched is not None and bad:
            kinds += [span.kind for span in bad]
            met.append(_met(asset, asset.watched, bad, np.zeros(1), step_us)[0])
            turns = (np.arange(_TURNS) + 0.5) / _TURNS
            by_chance, explained = _met(asset, asset.watched, bad, turns, step_us)
            chance.append(by_chance)
        false[place] = _false(asset, bad, known, explained)
    return Caught(Met.joined(met), Met.joined(chance), tuple(kinds), false)


def _false(asset: JudgedAsset, bad: Sequence[Span], known: Labels, explained: float) -> tuple[float, float]:
    """The false incidents of an asset, and how many there would be if so many met a bad span by chance."""
    meets_none = [each.flagged for each in asset.found if not any(each.flagged.meets(span) for span in bad)]
    if known.complete:
        return len(meets_none), len(asset.found) - explained
    fine = known.fine.get(asset.asset, ())
    return sum(any(each.meets(span) for span in fine) for each in meets_none), np.nan


def _met(asset: JudgedAsset, watched: Span, bad: Sequence[Span], turns: Floats, step_us: int) -> tuple[Met, float]:
    """What incidents meet when the bad spans are moved on by shares of the stretch; and how many do, on the mean."""
    if not asset.found:
        return Met(np.zeros(len(bad)), np.empty(0), np.empty(0)), 0.0
    length = watched.end - watched.start + step_us
    start = np.array([max(span.start, watched.start) for span in bad], float)
    lasts = np.array([min(span.end, watched.end) for span in bad], float) - start
    begin = watched.start + (start - watched.start + turns[:, None] * length) % length
    # What leaves the stretch at its end comes in at its beginning: (ways, turns, spans, 1).
    begin = np.stack([begin, begin - length])[..., None]
    first, end = (np.array([getattr(each.flagged, name) for each in asset.found], float) for name in ("start", "end"))
    since = np.array([each.since for each in asset.found], float)
    meets = (np.maximum(first, watched.start) <= begin + lasts[:, None]) & (begin <= end)
    either = meets.any(axis=(0, 3))  # (turns, spans)
    delay = np.where(meets, np.maximum(first - begin, 0.0), np.inf).min(axis=(0, 3))
    earliest = np.where(meets, first - begin, np.inf)
    off = np.where(earliest == earliest.min(axis=(0, 3), keepdims=True), np.abs(since - begin), np.inf)
    return (
        Met(either.mean(axis=0), delay[either], off.min(axis=(0, 3))[either]),
        float(meets.any(axis=(0, 2)).sum(axis=1).mean()),
    )
