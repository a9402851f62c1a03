"""What every detector keeps to; the broken ones here must be found out."""

from __future__ import annotations

import csv
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest

from anomscan.config import ControlChartSettings, NearestSettings, ProfileSettings
from anomscan.config import SageMakerSettings as Settings
from anomscan.detectors.base import Capabilities, Scores
from anomscan.detectors.control_chart.detector import ControlChart
from anomscan.detectors.nearest.detector import NearestPast
from anomscan.detectors.profile.detector import MatrixProfile
from anomscan.detectors.rcf import Forest
from anomscan.detectors.rcf.detector import RcfDetector
from anomscan.detectors.recorded import Recorded
from anomscan.detectors.recording import taped
from anomscan.detectors.sagemaker.detector import SageMakerDetector
from anomscan.detectors.sagemaker.runtime import Runtime
from anomscan.errors import AssetError
from anomscan.telemetry.shingles import complete, shingles
from fleets import daily
from servers.sagemaker_runtime import FakeTime, LoopbackRuntime, client_of, serving

SHINGLE = 3
SPIKE = 20
#: Samples before the first score of a detector that scores by all that came before.
HISTORY = 12
CALM = np.random.default_rng(0).normal(0.8, 0.05, (300, SHINGLE))
FOREST = Forest.fit(CALM, trees=30, sample_size=64, seed=0)


def series(asset, n, *, gap=None, value=None):
    values = np.random.default_rng(list(asset.encode())).normal(0.8, 0.05, (n, 1))
    if n > SPIKE:
        values[SPIKE] = 3.0
    if gap is not None:
        values[gap] = np.nan
    if value is not None:
        values[5] = value
    return daily(asset, values)


def good_batch():
    return [series("a", 40), series("b", 2), series("c", 30, gap=9), series("d", 3), series("e", 0)]


def beginnings(one):
    return [one.through(one.timestamps[end - 1]) for end in (1, 11, 16, SPIKE, SPIKE + 2, 29) if end < len(one)]


BAD = series("bad", 40, value=1e39)


def with_bad():
    batch = good_batch()
    return [*batch[:2], BAD, *batch[2:]]


def one_entry_a_series_in_order(detector):
    batch = good_batch()
    found = detector.score(batch, SHINGLE)
    assert detector.score([], SHINGLE) == []
    assert len(found) == len(batch)
    for one, result in zip(batch, found, strict=True):
        assert isinstance(result, Scores)
        np.testing.assert_array_equal(result.timestamps, one.timestamps)
        assert result.score.shape == (len(one),)
        assert result.score.dtype == np.float64


def no_score_without_a_whole_shingle_and_one_with_it(detector):
    for one, result in zip(good_batch(), detector.score(good_batch(), SHINGLE), strict=True):
        due = complete(one.values, SHINGLE)
        if detector.capabilities.history:
            # A sample stands for itself, once there is enough before it.
            due, first = complete(one.values, 1), np.flatnonzero(np.isfinite([*result.score, 0.0]))[0]
            assert detector.capabilities.retrospective or due[:first].sum() >= HISTORY or len(one) <= HISTORY
            assert first <= SPIKE
            due[:first] = False
        np.testing.assert_array_equal(np.isfinite(result.score), due)


def a_score_stands_at_the_last_sample_and_higher_is_stranger(detector):
    (result,) = detector.score(good_batch()[:1], SHINGLE)
    inside = np.zeros(40, bool)
    inside[SPIKE : SPIKE + (1 if detector.capabilities.history else SHINGLE)] = True
    assert np.nanmin(result.score[inside]) > np.nanmax(result.score[~inside])


def what_follows_has_no_say_unless_that_is_told(detector):
    batch = good_batch()
    if detector.capabilities.retrospective:
        (whole,), (part,) = (
            detector.score([one], SHINGLE) for one in (batch[0], batch[0].through(batch[0].timestamps[30]))
        )
        assert (part.score != whole.score[:31]).any()
        return
    for one, whole in zip(batch, detector.score(batch, SHINGLE), strict=True):
        for part in beginnings(one):
            (found,) = detector.score([part], SHINGLE)
            np.testing.assert_array_equal(found.score, whole.score[: len(part)])


def scoring_is_pure(detector):
    batch = good_batch()
    before = [one.values.copy() for one in batch]
    first, second = detector.score(batch, SHINGLE), detector.score(batch, SHINGLE)
    for one, kept, left, right in zip(batch, before, first, second, strict=True):
        np.testing.assert_array_equal(one.values, kept)
        np.testing.assert_array_equal(left.score, right.score)


def the_rest_of_the_batch_does_not_matter(detector):
    batch = good_batch()
    whole = detector.score(batch, SHINGLE)
    back = detector.score(batch[::-1], SHINGLE)[::-1]
    for one, together, reversed_ in zip(batch, whole, back, strict=True):
        (alone,) = detector.score([one], SHINGLE)
        np.testing.assert_array_equal(alone.score, together.score)
        np.testing.assert_array_equal(alone.score, reversed_.score)


def a_bad_value_costs_its_own_asset_alone(detector):
    batch = good_batch()
    found = detector.score(with_bad(), SHINGLE)
    bad = found.pop(2)
    if isinstance(bad, AssetError):
        assert "'bad'" in str(bad)
    elif detector.capabilities.history:
        assert np.isfinite(bad.score[SPIKE:]).all()
    else:
        assert np.isnan(bad.score[5 : 5 + SHINGLE]).all()
        assert np.isfinite(bad.score[5 + SHINGLE :]).all()
    for left, right in zip(found, detector.score(batch, SHINGLE), strict=True):
        np.testing.assert_array_equal(left.score, right.score)


def contributions_are_as_the_capabilities_say(detector):
    one = good_batch()[0]
    given = detector.contributions(one, np.array([SPIKE, SPIKE + 1]), SHINGLE)
    assert (given is not None) == detector.capabilities.contribution
    if given is not None:
        (result,) = detector.score([one], SHINGLE)
        np.testing.assert_allclose(given.sum(axis=1), result.score[[SPIKE, SPIKE + 1]])


CONTRACT = [
    one_entry_a_series_in_order,
    no_score_without_a_whole_shingle_and_one_with_it,
    a_score_stands_at_the_last_sample_and_higher_is_stranger,
    what_follows_has_no_say_unless_that_is_told,
    scoring_is_pure,
    the_rest_of_the_batch_does_not_matter,
    a_bad_value_costs_its_own_asset_alone,
    contributions_are_as_the_capabilities_say,
]


def rcf():
    return RcfDetector("rcf", FOREST, "m.forest")


def recorded(tmp_path):
    path = tmp_path / "scores.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["asset", "timestamp", "score"])
        for one, result in zip(good_batch(), rcf().score(good_batch(), SHINGLE), strict=True):
            writer.writerows(
                [one.asset, day, repr(float(score))]
                for day, score in zip(one.timestamps, result.score, strict=True)
                if np.isfinite(score)
            )
        writer.writerows([asset, "2000-01-01", 1.0] for asset in "be")
    return Recorded("replay", path)


@pytest.fixture(scope="module")
def loopback():
    with serving(LoopbackRuntime(FOREST)) as runtime:
        yield runtime


LOCAL = {
    "rcf": rcf,
    "control-chart": lambda: ControlChart(
        "chart", ControlChartSettings(kind="control-chart", view="own", min_history=HISTORY)
    ),
    "nearest": lambda: NearestPast("nearest", NearestSettings(kind="nearest", half_lives=[1], min_history=HISTORY)),
    "profile": lambda: MatrixProfile(
        "profile", ProfileSettings(kind="profile", windows=[1], min_history=HISTORY, causal=True)
    ),
    "profile in retrospect": lambda: MatrixProfile("profile", ProfileSettings(kind="profile", windows=[1])),
}


@pytest.fixture(params=[*LOCAL, "recorded", "sagemaker", "sagemaker with faults", "replayed"])
def detector(request, tmp_path, loopback):
    if request.param in LOCAL:
        yield LOCAL[request.param]()
        return
    if request.param == "recorded":
        yield recorded(tmp_path)
        return
    settings = Settings(kind="sagemaker", endpoint="fleet-rcf", max_payload_mb=0.0005)
    kinds = (None, "throttling", None, "model-500", None, "nan", None, "reset")
    faulty = request.param == "sagemaker with faults"
    loopback.fault = lambda call: kinds[call.number % len(kinds)] if faulty else None
    passing = FakeTime()
    names = {"detector": "endpoint", "endpoint": "fleet-rcf"}

    def runtime():
        return Runtime(settings, client_of(loopback), clock=passing.as_clock())

    with ExitStack() as stack:
        if request.param == "replayed":
            tape = tmp_path / "tape.jsonl"
            with taped(runtime, record=tape, replay=None, **names) as scorer:
                for batch in (good_batch(), with_bad(), *([part] for one in good_batch() for part in beginnings(one))):
                    SageMakerDetector("endpoint", settings, scorer).score(batch, SHINGLE)
            scorer = stack.enter_context(taped(runtime, record=None, replay=tape, **names))
        else:
            scorer = stack.enter_context(runtime())
        yield SageMakerDetector("endpoint", settings, scorer)


@pytest.mark.slow
@pytest.mark.parametrize("clause", CONTRACT)
def test_detectors_keep_to_the_contract(detector, clause):
    clause(detector)


class Broken:
    """A detector that does one thing wrong with the forest's scores."""

    def __init__(self, spoil, capabilities=None):
        self._right = rcf()
        self._spoil = spoil
        self._calls = 0
        self.capabilities = capabilities or self._right.capabilities

    def score(self, batch, shingle, rows=None):
        self._calls += 1
        return self._spoil(self._right.score(batch, shingle), self._calls)

    def contributions(self, series, rows, shingle):
        return self._right.contributions(series, rows, shingle)


def every_score(change):
    def spoil(found, calls):
        return [replace(one, score=change(one.score, calls)) if isinstance(one, Scores) else one for one in found]

    return spoil


BROKEN = {
    "late by a sample": Broken(every_score(lambda score, calls: np.roll(score, 1))),
    "zero for none": Broken(every_score(lambda score, calls: np.nan_to_num(score))),
    "upside down": Broken(every_score(lambda score, calls: -score)),
    "learns": Broken(every_score(lambda score, calls: score + calls * 1e-9)),
    "out of order": Broken(lambda found, calls: found[::-1]),
    "drops the bad one": Broken(lambda found, calls: found[:2] + found[3:] if len(found) == len(with_bad()) else found),
    "drops the last": Broken(lambda found, calls: found[:-1]),
    "looks around": Broken(
        lambda found, calls: [
            replace(one, score=one.score / len(found)) if isinstance(one, Scores) else one for one in found
        ]
    ),
    "nameless failure": Broken(
        lambda found, calls: [
            AssetError("it failed") if len(found) == len(with_bad()) and place == 2 else one
            for place, one in enumerate(found)
        ]
    ),
    "single precision": Broken(every_score(lambda score, calls: score.astype(np.float32))),
    "says it explains nothing": Broken(lambda found, calls: found, Capabilities()),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_detectors_are_found_out(name):
    found = []
    for clause in CONTRACT:
        try:
            clause(BROKEN[name])
        except (AssertionError, AttributeError, ValueError, IndexError) as error:
            found.append(error)
    assert found


def test_the_broken_detectors_base_is_right():
    for clause in CONTRACT:
        clause(Broken(lambda found, calls: found))


def test_whole_shingles_are_what_was_scored():
    one = good_batch()[0]
    (result,) = rcf().score([one], SHINGLE)
    np.testing.assert_array_equal(result.score[SHINGLE - 1 :], FOREST.score(shingles(one.values, SHINGLE)))
