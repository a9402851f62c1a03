"""The endpoint gives what the forest gives, and every refusal ends as it should."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from anomscan.config import SageMakerSettings as Settings
from anomscan.detectors.base import Scores
from anomscan.detectors.sagemaker import wire
from anomscan.detectors.sagemaker.faults import meaning
from anomscan.detectors.sagemaker.runtime import Runtime, connect
from anomscan.errors import AnomscanError, AssetError, ConfigError, MissingExtraError, ModelError, ServiceError
from anomscan.telemetry.shingles import shingles
from servers.sagemaker_runtime import REFUSALS, FakeTime, client_of, seeded

pytestmark = pytest.mark.slow

SHINGLE = 3


def expected(forest, one):
    scores = np.full(len(one), np.nan)
    if len(one) >= SHINGLE:
        scores[SHINGLE - 1 :] = forest.score(shingles(one.values, SHINGLE))
    return scores


def assert_scores(forest, batch, found):
    for one, result in zip(batch, found, strict=True):
        assert isinstance(result, Scores), result
        np.testing.assert_array_equal(result.score, expected(forest, one))
        assert result.timestamps is one.timestamps


@pytest.mark.parametrize("accept", ["application/json", "application/jsonlines"])
def test_a_fleet_is_scored_in_one_request_with_the_forests_own_scores(loopback, forest, make, fleet, accept):
    assert_scores(forest, fleet, make(accept=accept).score(fleet, SHINGLE))
    (call,) = loopback.calls
    assert call.accept == accept


def test_requests_keep_to_their_size_and_number_and_the_order_stays(loopback, forest, make, fleet):
    loopback.fault = lambda call: "slow"
    assert_scores(forest, fleet, make(max_payload_mb=0.0005, concurrency=3).score(fleet, SHINGLE))
    sizes = [len(call.body) for call in loopback.calls]
    assert max(sizes) <= 500
    assert len(sizes) > 10
    assert loopback.most_under_way == 3


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.integers(40, 400), st.integers(1, 4), st.randoms())
def test_packing_loses_nothing(lengths, most_bytes, dimension, chance):
    bits = [chance.randbytes(4 * n * dimension) for n in lengths]
    tables = [np.frombuffer(b, "<f4").reshape(-1, dimension).copy() for b in bits]
    for table in tables:
        table[~np.isfinite(table)] = 0.5
    if most_bytes <= 17 * dimension:
        most_bytes = 17 * dimension + 1
    packed = list(wire.requests(tables, most_bytes))
    assert all(sum(map(len, request)) + len(request) <= most_bytes for request in packed)
    lines = [line for request in packed for line in request]
    read = np.array([line.split(b",") for line in lines], np.float64).astype(np.float32).reshape(-1, dimension)
    np.testing.assert_array_equal(read, np.concatenate(tables))


def test_requests_are_as_few_as_their_size_allows():
    table = np.random.default_rng(0).normal(size=(50_000, 30)).astype(np.float32)
    packed = list(wire.requests([table], 5_000_000))
    sizes = [sum(map(len, request)) + len(request) for request in packed]
    assert max(sizes) <= 5_000_000
    assert min(sizes[:-1]) > 4_999_000


def test_a_point_larger_than_a_request_is_a_setting_to_change(make, series):
    with pytest.raises(ConfigError, match="max_payload_mb"):
        make(max_payload_mb=0.00001).score([series("a")], SHINGLE)


def test_serverless_takes_smaller_requests(loopback, forest, make, series):
    long = [series("a", 150_000)]
    assert_scores(forest, long, make(serverless=True).score(long, SHINGLE))
    assert 3_400_000 < max(len(call.body) for call in loopback.calls) <= 3_500_000


def test_a_limit_lower_than_ours_is_found(loopback, forest, make, fleet):
    loopback.most_bytes = 1_000
    assert_scores(forest, fleet, make().score(fleet, SHINGLE))
    assert max(len(call.body) for call in loopback.calls) > 1_000


def attempt(score):
    try:
        return score()
    except ServiceError as error:
        return error


@pytest.mark.parametrize("seed", range(100))
def test_a_run_with_faults_gives_the_same_scores_or_says_so(loopback, forest, make, fleet, seed):
    loopback.fault = seeded(seed, (0.1, 0.4, 0.9)[seed % 3])
    loopback.slow_s = 0.0
    found = attempt(lambda: make(max_payload_mb=(0.0004, 5.0)[seed % 2], deadline_s=30.0).score(fleet, SHINGLE))
    if isinstance(found, ServiceError):
        assert "no asset can be scored" in str(found)
        assert seed % 3 == 2, "so few faults leave something"
        return
    for one, result in zip(fleet, found, strict=True):
        if isinstance(result, Scores):
            np.testing.assert_array_equal(result.score, expected(forest, one))
        else:
            assert isinstance(result, AssetError)
            assert "endpoint 'fleet-rcf'" in str(result)
    if seed % 3 == 0:
        assert_scores(forest, fleet, found)


@pytest.mark.parametrize(
    ("faults", "calls"),
    [
        (["throttling"], 2),
        (["too-many"] * 2, 3),
        (["not-ready"] * 8, 9),
        (["unavailable", "internal"], 3),
        (["reset", "cut"], 3),
        (["truncated", "too-few", "nan"], 4),
        (["too-many-scores", "text"], 3),
        (["model-500"], 3),
    ],
)
def test_what_passes_is_waited_for(loopback, forest, make, fleet, faults, calls):
    loopback.fault = lambda call: dict(enumerate(faults)).get(call.number)
    passing = FakeTime()
    assert_scores(forest, fleet, make(passing=passing).score(fleet, SHINGLE))
    assert len(loopback.calls) == calls
    assert len(passing.waits) == len(faults)


def test_one_point_that_breaks_the_model_fails_its_asset_alone(loopback, forest, make, fleet):
    poison = np.float32(fleet[3].values[7, 0])
    loopback.fault = lambda call: "model-500" if (call.points == poison).any() else None
    found = make(deadline_s=600.0).score(fleet, SHINGLE)
    assert isinstance(found.pop(3), AssetError)
    assert_scores(forest, fleet[:3] + fleet[4:], found)


def test_after_the_deadline_the_assets_of_a_request_fail_and_others_go_on(loopback, forest, make, fleet):
    poison = np.float32(fleet[0].values[7, 0])
    loopback.fault = lambda call: "throttling" if (call.points == poison).any() else None
    found = make(deadline_s=60.0, max_payload_mb=0.0005).score(fleet, SHINGLE)
    assert "'fleet-rcf' answered ThrottlingException" in str(found[0])
    assert_scores(forest, fleet[1:], found[1:])


@pytest.mark.parametrize("fault", ["throttling", "model-500", "not-ready", "reset", "nan", "truncated"])
def test_nothing_at_all_is_the_services_failure(loopback, make, fleet, fault):
    loopback.fault = lambda call: fault
    with pytest.raises(ServiceError, match="no asset can be scored: endpoint 'fleet-rcf'"):
        make().score(fleet, SHINGLE)
    assert len(loopback.calls) < 80


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"endpoint": "other"}, ServiceError, "there is no endpoint 'other'.*train --deploy"),
        ({"shingle": 5}, ModelError, "trained with shingle 5, this run has 3"),
        ({"variables": ("y",)}, ModelError, "trained with variables y, this run has x"),
    ],
)
def test_wrong_settings_are_one_line(make, fleet, change, error, message):
    with pytest.raises(error, match=message):
        make(**change).score(fleet, SHINGLE)


def test_a_wrong_dimension_says_what_was_sent(loopback, make, fleet):
    with pytest.raises(ModelError, match=r"refuses points of dimension 4.*shingle times variables"):
        make().score(fleet, 4)
    assert len(loopback.calls) == 1


@pytest.mark.parametrize(("fault", "message"), [("denied", "sagemaker:InvokeEndpoint"), ("expired", "credentials")])
def test_a_refusal_ends_the_run_at_once_and_tells_no_secret(loopback, make, fleet, fault, message):
    loopback.fault = lambda call: fault
    with pytest.raises(ServiceError, match=message) as caught:
        make().score(fleet, SHINGLE)
    assert len(loopback.calls) == 1
    assert "SECRET" not in str(caught.value)


def test_nobody_there(make, loopback, fleet):
    loopback.url = "http://127.0.0.1:9"
    with pytest.raises(ServiceError, match="cannot be reached"):
        make(client=client_of(loopback)).score(fleet, SHINGLE)


def test_no_credentials_no_region_no_boto3(monkeypatch, loopback, fleet, make):
    settings = Settings(kind="sagemaker", endpoint="fleet-rcf")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(ServiceError, match="without AWS credentials"):
        make(client=connect(settings)).score(fleet, SHINGLE)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(ConfigError, match="region"):
        connect(settings)
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(MissingExtraError, match=r"anomscan\[aws\]"):
        connect(settings)


@pytest.mark.parametrize("fault", ["throttling", "unavailable", "reset"])
def test_botocore_retries_by_itself_first(loopback, forest, fleet, fault):
    """With the client that users get, its own waits included."""
    loopback.fault = lambda call: fault if call.number == 0 else None
    passing = FakeTime()
    settings = Settings(kind="sagemaker", endpoint="fleet-rcf")
    with Runtime(settings, clock=passing.as_clock()) as runtime:
        (scores,) = runtime.score([shingles(fleet[0].values, SHINGLE).astype("<f4")])
    np.testing.assert_array_equal(scores, expected(forest, fleet[0])[SHINGLE - 1 :])
    assert len(loopback.calls) == 2
    assert passing.waits == []


def test_a_value_too_large_for_the_model_costs_its_shingles_alone(make, series):
    bad = series("bad")
    bad.values[4] = 1e39
    found, good = make().score([bad, series("good")], SHINGLE)
    assert np.flatnonzero(np.isnan(found.score)).tolist() == [0, 1, 4, 5, 6]
    assert np.flatnonzero(np.isnan(good.score)).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("status", "hinted"), [(400, "dimension is"), (415, "anomscan sends text/csv"), (404, "name an endpoint of")]
)
def test_only_what_a_dimension_can_cause_is_hinted_to_be_one(status, hinted):
    response = {"Error": {"Code": "ModelError"}, "OriginalStatusCode": status, "OriginalMessage": "no"}
    error = meaning(ClientError(response, "InvokeEndpoint"), "forest", 3)
    assert isinstance(error, ModelError)
    assert error.hint.startswith(hinted)
    assert ("dimension" in str(error)) == (status == 400)


def test_what_it_was_trained_through(make):
    assert make().trained_through is None
    assert make(trained_through="2016-12-31").trained_through == np.datetime64("2016-12-31T23:59:59.999999")


def test_every_refusal_the_loopback_knows_is_some_error_of_ours(loopback, make, fleet):
    for fault in REFUSALS:
        loopback.fault = lambda call, fault=fault: fault
        with pytest.raises(AnomscanError) as caught:
            make().score(fleet, SHINGLE)
        assert "\n" not in str(caught.value)
        assert str(Path.cwd()) not in str(caught.value)
