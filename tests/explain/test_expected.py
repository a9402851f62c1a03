"""What is expected, and that nothing later has a say in it."""

from __future__ import annotations

import numpy as np
import pytest

from anomscan.explain.expected import expected
from anomscan.telemetry.cohorts import Cohorts, middles_of
from fleets import daily


@pytest.mark.parametrize("peers_from", [0, 150, 400])
def test_what_follows_has_no_say(peers_from):
    random = np.random.default_rng(0)
    weather = random.normal(0, 0.1, 300)
    fleet = np.stack([0.8 + weather + random.normal(0, 0.01, 300) for _ in range(6)])
    fleet[1:, :peers_from] = np.nan
    fleet[0, 200:210] -= 0.2
    normal = np.ones(300, bool)
    normal[200:210] = False

    def explained(end):
        series = [daily(str(k), line[:end]) for k, line in enumerate(fleet)]
        cohorts = Cohorts(None, {"fleet": middles_of(series)})
        return expected(series[:1], [normal[:end]], cohorts)[0]

    whole = explained(300)
    for end in (100, 160, 205, 250):
        part = explained(end)
        for name in ("expected", "low", "high", "scale"):
            np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[:end])
    assert np.isfinite(whole.expected[140:]).all()


def test_peers_tell_more_closely_what_was_due():
    random = np.random.default_rng(1)
    weather = random.normal(0, 0.1, 300)
    fleet = [daily(str(k), 0.8 + weather + random.normal(0, 0.01, 300)) for k in range(6)]
    normal = [np.ones(300, bool)]
    cohorts = Cohorts(None, {"fleet": middles_of(fleet)})
    peers, own = expected(fleet[:1], normal, cohorts)[0], expected(fleet[:1], normal, None)[0]
    assert np.nanmedian(peers.scale) < np.nanmedian(own.scale) / 4
    assert np.nanmax(np.abs(peers.expected[60:] - fleet[0].values[60:])) < 0.06


def test_by_ratio_what_was_due_grows_with_the_peers():
    random = np.random.default_rng(2)
    weather = np.exp(random.normal(0, 0.4, 300))
    fleet = [daily(str(k), size * weather * random.normal(1, 0.01, 300)) for k, size in enumerate([9, 1, 2, 3, 4, 5])]
    normal = [np.ones(300, bool)]
    cohorts = Cohorts(None, {"fleet": middles_of(fleet)}, how="ratio")
    (told,) = expected(fleet[:1], normal, cohorts)
    late = slice(60, None)
    off = fleet[0].values[late] / told.expected[late] - 1
    assert np.abs(off).max() < 0.06
    inside = (fleet[0].values >= told.low)[late] & (fleet[0].values <= told.high)[late]
    assert 0.8 < inside.mean() < 0.97


def test_by_ratio_nothing_follows_from_peers_at_zero():
    fleet = [daily(str(k), np.where(np.arange(200) % 4 == 0, 0.0, 1.0 + k)) for k in range(6)]
    cohorts = Cohorts(None, {"fleet": middles_of(fleet)}, how="ratio")
    (told,) = expected(fleet[:1], [np.ones(200, bool)], cohorts)
    (own,) = expected(fleet[:1], [np.ones(200, bool)], None)
    zero = np.arange(200) % 4 == 0
    np.testing.assert_array_equal(told.expected[zero], own.expected[zero])
    np.testing.assert_allclose(told.expected[~zero][60:], 1.0)
