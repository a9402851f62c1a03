"""Training goes through the fleet twice and holds only the points that trees see: the model is that of all points."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from anomscan.config import RcfSettings, TrainSettings
from anomscan.detectors.points import as_points
from anomscan.detectors.rcf import Forest
from anomscan.detectors.rcf.growing import grow
from anomscan.detectors.rcf.severity import Severity
from anomscan.detectors.rcf.training import train
from anomscan.detectors.sampling import draw
from anomscan.errors import InputError
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout
from anomscan.telemetry.series import Series
from anomscan.telemetry.shingles import shingles

pytestmark = pytest.mark.slow

START = np.datetime64("2016-01-01", "us")
DAY = np.timedelta64(1, "D")
DAYS, SAMPLES, SHINGLE = 50, 40, 7
CRITERIA = TrainSettings(samples=SAMPLES)


def layout(variables):
    return Layout(Cadence.parse("1D"), tuple("xyz"[:variables]))


def fleet_of(assets, variables, days=DAYS):
    """Goes through a fleet whose every fifth asset is wild, in an order that is not that of the ids."""

    def chunks():
        kind = layout(variables)
        for number in range(assets):
            values = np.random.default_rng(number).normal(0.8, 0.5 if number % 5 == 4 else 0.05, (days, variables))
            name = f"{number * 7919 % 10_007:05}-é"
            yield [Series(name, kind.cadence, kind.variables, START + np.arange(days) * DAY, values)]

    return chunks


def section(path, **options):
    return RcfSettings(kind="rcf", model=path, **options)


def on_all_points(fleet, kind, settings):
    """The same model from all points at once, each step written out."""
    stretches = {
        series.asset: series.values[-SAMPLES:]
        for chunk in fleet()
        for series in chunk
        if (series.values[-SAMPLES:].std(axis=0, ddof=1) < CRITERIA.max_std).all()
    }
    points = np.concatenate([shingles(stretches[asset], SHINGLE) for asset in sorted(stretches)])
    rng = np.random.Generator(np.random.PCG64(settings.seed))
    drawn = draw(
        len(points), trees=settings.trees, sample_size=settings.sample_size, sampling=settings.sampling, rng=rng
    )
    nodes = grow(as_points(points), drawn, rng)
    forest = Forest(nodes, settings.sample_size, settings.seed, settings.sampling, {})
    if len(kind.variables) > 1:
        step = -(-len(points) // 20_000)
        forest = forest.with_facts(severity=Severity.of(forest.score(points[::step])).facts())
    return forest.with_facts(
        shingle=SHINGLE,
        variables=list(kind.variables),
        cadence=kind.cadence.name,
        trained_through="2016-02-19T00:00:00Z",
        exemplars=sorted(stretches),
    )


@pytest.mark.parametrize("sampling", ["shuffled", "sagemaker"])
@pytest.mark.parametrize("variables", [1, 3])
@pytest.mark.parametrize("assets", [3, 100, 1000])
def test_the_model_is_byte_by_byte_that_of_all_points(tmp_path, kernel, assets, variables, sampling):
    fleet, kind = fleet_of(assets, variables), layout(variables)
    settings = section(tmp_path / "rcf.forest", trees=20, sample_size=30, seed=5, sampling=sampling)
    exemplars = train(fleet, kind, settings, CRITERIA, shingle=SHINGLE, through=None)
    assert len(exemplars.assets) + len(exemplars.left) == assets
    on_all_points(fleet, kind, settings).save(tmp_path / "all.forest")
    assert (tmp_path / "rcf.forest").read_bytes() == (tmp_path / "all.forest").read_bytes()


def test_fitting_on_points_in_memory_is_fitting_on_those_drawn(kernel):
    points = np.random.default_rng(0).normal(size=(500, 4))
    asked = []

    def gather(rows):
        asked.append(rows)
        return points[rows]

    settings = {"trees": 5, "sample_size": 20, "seed": 1}
    drawn = Forest.fit_drawn(len(points), gather, **settings)
    assert drawn.fingerprint == Forest.fit(points, **settings).fingerprint
    (rows,) = asked
    assert len(rows) <= 100
    assert (np.diff(rows) > 0).all()


@pytest.mark.parametrize(("sampling", "bytes_a_shingle"), [("shuffled", 0), ("sagemaker", 4)])
def test_an_asset_more_takes_no_more_memory_than_its_name(tmp_path, sampling, bytes_a_shingle):
    settings = section(tmp_path / "rcf.forest", trees=5, sample_size=20, sampling=sampling)
    few, many = 500, 2500

    def peak(assets):
        tracemalloc.start()
        try:
            train(fleet_of(assets, 1), layout(1), settings, CRITERIA, shingle=SHINGLE, through=None)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(few)  # what is imported or kept once counts in neither
    shingles_each = SAMPLES - SHINGLE + 1
    # All shingles of an asset would be 1,904 bytes.
    assert peak(many) - peak(few) < (many - few) * (500 + bytes_a_shingle * shingles_each)


def test_calibration_reads_a_bounded_number_of_points(tmp_path, monkeypatch):
    from anomscan.detectors.rcf import training

    monkeypatch.setattr(training, "_CALIBRATION", 50)
    scored = []
    plain = Forest.score
    monkeypatch.setattr(Forest, "score", lambda forest, points: scored.append(len(points)) or plain(forest, points))
    passes = []
    chunks = fleet_of(300, 2)
    settings = section(tmp_path / "rcf.forest", trees=5, sample_size=20)
    train(lambda: passes.append(1) or chunks(), layout(2), settings, CRITERIA, shingle=SHINGLE, through=None)
    assert 25 < scored[0] <= 50
    assert len(passes) == 2


def test_a_fleet_that_is_another_the_second_time_makes_no_model(tmp_path):
    passes = iter([fleet_of(100, 1)(), iter([])])
    settings = section(tmp_path / "rcf.forest", trees=5, sample_size=20)
    with pytest.raises(InputError, match="is nan"):
        train(lambda: next(passes), layout(1), settings, CRITERIA, shingle=SHINGLE, through=None)
    assert not settings.model.exists()
