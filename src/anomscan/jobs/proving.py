"""Proving a run: verdicts are recomputed, each from only the rows of its asset that came before it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from anomscan.backtest.asset import Stretch
from anomscan.backtest.fleet import Failure
from anomscan.backtest.verdicts import Verdict
from anomscan.errors import ProofError
from anomscan.jobs.job import Known
from anomscan.jobs.sampling import Claim
from anomscan.jobs.work import Work
from anomscan.store.partitions import Partition, key_of
from anomscan.telemetry.series import Series

#: How far a service's numbers may differ, relative to the larger: it calculates in single precision, and asked about
#: fewer rows perhaps in another order. Numbers of this process must be the same to the last bit.
_REMOTE = 1e-6
#: Numbers that magnify the last digits of scores, or follow from the verdicts of other days, for which a service is not
#: asked again: of a remote detector these are not compared.
_DERIVED = ("sigma", "contributions", "expected", "band")


@dataclass(slots=True)
class Proof:
    """What was proved.

    Parameters
    ----------
    verdicts, assets
        How many verdicts, and of how many assets.
    anomalous
        How many of them say anomalous.
    in_sample
        How many stand on days that the model was trained on: a model that knew its days beforehand says the same of
        them with and without later rows, so of these nothing is proved about the model.
    """

    verdicts: int = 0
    assets: int = 0
    anomalous: int = 0
    in_sample: int = 0


def prove(work: Work, claims: Sequence[Claim], advance: Callable[[int], None]) -> Proof:
    """Recompute verdicts, each from only the rows of its asset up to its day, without kept scores.

    Parameters
    ----------
    work
        How the run came by them.
    claims
        What the run says, sorted by asset.
    advance
        Called with 1 for each that is proved.

    Raises
    ------
    ProofError
        At the first difference, or at a row that the run may not know.
    AnomscanError
        If the store or a service fails now.
    """
    trained = work.backtest.detector.trained_through
    proof = Proof()
    works: dict[np.datetime64, Work] = {}
    for asset, said in groupby(claims, lambda claim: claim.asset):
        key = key_of(asset)
        (series,) = work.read(Partition(key, key, 1))
        refuse_unknown(series, work.known)
        proof.assets += 1
        for claim in said:
            if work.cohorts is not None and claim.at not in works:
                works[claim.at] = work.known_by(claim.at)
            _check(works.get(claim.at, work), claim, series)
            advance(1)
            proof.verdicts += 1
            proof.anomalous += claim.verdict is Verdict.ANOMALOUS
            proof.in_sample += trained is not None and bool(claim.at <= trained)
    return proof


def refuse_unknown(series: Series, known: Known) -> None:
    """Refuse rows that a run may not know.

    Raises
    ------
    ProofError
        If there is one.
    """
    unknown = np.zeros(len(series), bool)
    if known.as_of is not None and series.arrived_at is not None:
        unknown |= series.arrived_at > known.as_of
    if known.through is not None:
        unknown |= series.timestamps > known.through
    if unknown.any():
        when = series.cadence.text(series.timestamps[unknown][0])
        raise ProofError(f"asset '{series.asset}', {when}: the run has read a row that it may not know")


def known(series: Series, at: np.datetime64) -> Series:
    """The rows up to an instant, ending with an empty row if nothing was measured at it."""
    before = series.through(at)
    if before.timestamps[-1] == at:
        return before
    arrived_at = before.arrived_at
    return replace(
        before,
        timestamps=np.append(before.timestamps, at),
        values=np.vstack([before.values, np.full(len(series.variables), np.nan)]),
        health_codes=np.append(before.health_codes, np.int32(-1)),
        arrived_at=None if arrived_at is None else np.append(arrived_at, np.datetime64("NaT", "us")),
    )


def _check(work: Work, said: Claim, series: Series) -> None:
    """Compare what the run says with what the earlier rows give."""
    found = _recomputed(work, said, known(series, said.at))
    names = _differences(work, said, found)
    if names:
        meaning, hint = _meaning(work, said, found, series)
        raise ProofError(
            f"asset '{said.asset}', {series.cadence.text(said.at)}: the run says {_text(said, names)}; "
            f"from the rows up to then alone it is {_text(found, names)}: {meaning}",
            hint=hint,
        )


def _recomputed(work: Work, said: Claim, series: Series) -> Claim:
    """What a series gives for the same day."""
    (result,) = replace(work.backtest, stretch=Stretch(said.at, said.at)).scan([series])
    if isinstance(result, Failure):
        when = series.cadence.text(said.at)
        raise ProofError(f"asset '{said.asset}', {when}: this verdict cannot be recomputed: {result.error.message}")
    return Claim.of(
        work.finished(work.explained(replace(work.backtest, stretch=Stretch(said.at, said.at)), [result])).results[0], 0
    )


def _differences(work: Work, one: Claim, other: Claim) -> list[str]:
    """The parts in which two claims about one day differ."""
    tolerance = _REMOTE if work.backtest.detector.capabilities.remote else 0.0
    names = [] if one.verdict is other.verdict else ["verdict"]
    shared = [name for name in one.parts if name in other.parts]
    return names + [name for name in shared if not _agree(name, one.parts[name], other.parts[name], tolerance)]


def _agree(name: str, one: object, other: object, tolerance: float) -> bool:
    if tolerance and name in _DERIVED:
        return True
    if tolerance and isinstance(one, float) and isinstance(other, float) and not math.isnan(one):
        return math.isclose(one, other, rel_tol=tolerance)
    # As text each number equals only itself, and NaN equals NaN.
    return repr(one) == repr(other)


def _meaning(work: Work, said: Claim, found: Claim, series: Series) -> tuple[str, str]:
    """What a difference means, and what to do about it."""
    detector = work.backtest.detector
    hint = f"nothing is written; fix detector '{detector.name}' or name another"
    # From all rows of the asset alone, without kept scores.
    alone, again = _recomputed(work, said, series), _recomputed(work, said, series)
    if _differences(work, alone, again):
        return f"detector '{detector.name}' does not say the same twice", hint
    if _differences(work, found, alone):
        return f"detector '{detector.name}' looks ahead: later rows have a say in it", hint
    others = "the other assets that were scored with it have a say in it"
    if work.cache is not None and work.cache.reads:
        return (
            "a score that was kept is wrong",
            f"nothing is written; run it again with --rescore: if it fails again, {others}",
        )
    return others, hint


def _text(claim: Claim, names: Sequence[str]) -> str:
    return ", ".join([claim.verdict.text, *(f"{name} {claim.parts[name]}" for name in names if name != "verdict")])
