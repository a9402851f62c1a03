"""Whatever an asset or a detector comes up with: that asset's failure, with its reason, and nobody else's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anomscan.backtest.asset import AssetScan, Stretch
from anomscan.backtest.fleet import Backtest, Failure
from anomscan.backtest.rules import Rules
from anomscan.detectors.base import Capabilities, Scores
from anomscan.errors import AnomscanError, AssetError, ConfigError, ModelError, ServiceError
from fleets import daily

RULES = Rules(window=40, shingle=3)
BAD = "a03"


FLEET = [daily(f"a{number:02}", np.ones((100 + number, 2)), ("v", "w")) for number in range(8)]


class Detector:
    """Scores by the asset's name; what it does to the bad one, each test says."""

    name = "moody"
    capabilities = Capabilities(columns=("severity",))
    trained_through = None

    def __init__(self, spoil=lambda scores: scores, upset=lambda names: None, explain=lambda rows: None):
        self.spoil, self.upset, self.explain = spoil, upset, explain

    def score(self, batch, shingle, rows=None):
        self.upset([one.asset for one in batch])
        return [self.spoil(self.one(each)) if each.asset == BAD else self.one(each) for each in batch]

    def one(self, series):
        score = np.random.default_rng(int(series.asset[1:])).gamma(4.0, 0.2, len(series))
        score[80] += 9.0
        return Scores(series.timestamps, score, {"severity": score / 10})

    def contributions(self, series, rows, shingle):
        return self.explain(rows) if series.asset == BAD else np.ones((len(rows), 2))


def failure_of(detector, *, whole=False, fleet=FLEET) -> AnomscanError:
    """The bad asset's error, everybody else being judged as ever."""
    usual = Backtest(Detector(explain=lambda rows: None), RULES, Stretch(), whole).scan(FLEET)
    results = Backtest(detector, RULES, Stretch(), whole).scan(fleet)
    assert len(results) == len(FLEET)
    for asset, expected, result in zip(FLEET, usual, results, strict=True):
        if asset.asset == BAD:
            continue
        assert isinstance(expected, AssetScan)
        assert isinstance(result, AssetScan)
        assert result.series.asset == asset.asset
        assert expected.anomalous.tolist() == result.anomalous.tolist() == [80]
        for name in ("verdict", "cutoff", "sigma"):
            np.testing.assert_array_equal(getattr(expected.judged, name), getattr(result.judged, name))
        np.testing.assert_array_equal(expected.score, result.score)
        np.testing.assert_array_equal(expected.contributions, result.contributions)
    (failed,) = [result for result in results if isinstance(result, Failure)]
    assert failed.asset == BAD
    assert BAD in str(failed.error)
    assert "\n" not in str(failed.error)
    assert isinstance(failed.error, AssetError)
    return failed.error


def fails(error):
    def upset(names):
        if BAD in names:
            raise error

    return Detector(upset=upset)


def with_score(change):
    def spoil(scores):
        return replace(scores, score=change(scores.score))

    return Detector(spoil=spoil)


def put(row, value):
    def change(score):
        score[row] = value
        return score

    return change


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("no good\nat all"), "asset 'a03': ValueError: no good at all"),
        (ZeroDivisionError("division by zero"), "asset 'a03': ZeroDivisionError: division by zero"),
        (MemoryError(), "asset 'a03': MemoryError"),
    ],
)
def test_a_detector_that_breaks_over_one_asset(error, reason, whole):
    found = failure_of(fails(error), whole=whole)
    assert str(found) == reason
    assert found.__cause__ is error


def test_an_asset_error_that_is_raised_is_that_assets():
    error = AssetError(f"asset '{BAD}' is beyond help")
    assert failure_of(fails(error)) is error


@pytest.mark.parametrize("error", [ModelError("cut off"), ConfigError("wrong"), ServiceError("gone")])
def test_what_no_asset_can_help_ends_the_run(error):
    with pytest.raises(type(error)):
        Backtest(fails(error), RULES, Stretch()).scan(FLEET)


def test_an_interruption_is_no_failure():
    with pytest.raises(KeyboardInterrupt):
        Backtest(fails(KeyboardInterrupt()), RULES, Stretch()).scan(FLEET)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda score: score[1:], r"scores of shape \(102,\) instead of \(103,\)"),
        (lambda score: score[:, None], r"scores of shape \(103, 1\) instead of \(103,\)"),
        (lambda score: list(score), "AttributeError"),
        (put(90, np.inf), "a score of inf is larger than 1e"),
        (put(90, -np.inf), "a score of -inf is larger than 1e"),
        (put(90, 1e200), r"a score of 1e\+200 is larger than 1e"),
    ],
)
def test_scores_that_cannot_be_judged(change, reason, whole):
    assert failure_of(with_score(change), whole=whole).__class__ is AssetError
    with pytest.raises(AssetError, match=reason):
        raise failure_of(with_score(change), whole=whole)


def test_an_infinite_score_of_a_shingle_that_is_not_whole_is_nobodys_business():
    results = Backtest(with_score(put(1, np.inf)), RULES, Stretch()).scan(FLEET)
    assert all(isinstance(result, AssetScan) for result in results)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("columns", {"severity": np.ones(7)}, r"column 'severity' of shape \(7,\) instead of \(103,\)"),
        ("columns", {}, r"column 'severity' of shape \(0,\)"),
        ("is_anomaly", np.ones((103, 2), bool), r"verdicts of shape \(103, 2\)"),
        ("contribution", np.ones((103, 3)), r"contributions of shape \(103, 3\) instead of \(103, 2\)"),
    ],
)
def test_what_comes_beside_the_scores_has_their_shape(field, value, reason):
    detector = Detector(spoil=lambda scores: replace(scores, **{field: value}))
    with pytest.raises(AssetError, match=reason):
        raise failure_of(detector)


@pytest.mark.parametrize("scores", [[], [None], [None] * 9])
def test_answers_for_more_or_fewer_assets_than_were_asked_for(scores):
    class Miscounting(Detector):
        def score(self, batch, shingle, rows=None):
            return scores if BAD in [one.asset for one in batch] else super().score(batch, shingle)

    assert "asset 'a03': " in str(failure_of(Miscounting()))


def divide(rows):
    raise ZeroDivisionError("division by zero")


@pytest.mark.parametrize(
    ("explain", "reason"),
    [
        (divide, "asset 'a03': ZeroDivisionError: division by zero"),
        (lambda rows: np.ones((len(rows), 3)), "asset 'a03': contributions are not a finite number"),
        (lambda rows: np.full((len(rows), 2), np.inf), "asset 'a03': contributions are not a finite number"),
    ],
)
def test_contributions_that_cannot_be_had(explain, reason):
    with pytest.raises(AssetError, match=reason):
        raise failure_of(Detector(explain=explain))
