"""Series to batches and results back to rows, against a service with a plain model."""

from __future__ import annotations

import math
import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomscan.detectors.azure.blob import FolderStaging
from anomscan.detectors.azure.client import Mvad
from anomscan.detectors.azure.detector import AzureDetector, _stretches
from anomscan.errors import ConfigError, ModelError
from servers.mvad_client import series_of, settings
from servers.mvad_loopback import MODEL, Reply, Toy, serving

E1 = math.e - 1


def scored(toy, series, rows=None, **changes):
    """The scores of one series, and the calls they took."""
    if not toy.models:
        toy.add_model(list(series.variables), "m")
    with serving(toy) as service:
        chosen = settings(service.url, **changes)
        detector = AzureDetector("azure", chosen, Mvad(chosen), FolderStaging(None, print))
        (found,) = detector.score([series], 7, [slice(0, len(series)) if rows is None else rows])
    if not hasattr(found, "score"):
        raise found
    return found, service


def calm(n: int, d: int = 3) -> np.ndarray:
    return np.sin(np.arange(n * d).reshape(n, d))


def test_scores_severities_and_contributions_stand_at_their_samples():
    values = calm(60)
    values[40] = [5.0, 0.0, 15.0]
    values[50] = [9.0, 9.0, 9.0]
    found, _ = scored(Toy(window=28), series_of(values))
    assert np.isnan(found.score[:28]).all()
    assert np.isfinite(found.score[28:]).all()
    assert np.flatnonzero(found.is_anomaly).tolist() == [40, 50]
    assert found.columns["severity"][[40, 50]].tolist() == [2 / 3, 1.0]
    assert found.score[[40, 50]].tolist() == [2 / 3 * E1, E1]
    np.testing.assert_array_equal(found.contribution[40], [0.25, np.nan, 0.75])
    assert found.notes == ("samples without a score, as the model's sliding window needs 28 before them: 28",)


@pytest.mark.parametrize("top", [1, 2, 10])
def test_any_number_of_contributors_is_read(top):
    values = calm(40)
    values[35] = [5.0, 0.0, 15.0]
    found, service = scored(Toy(), series_of(values), top_contributors=top)
    assert np.isfinite(found.contribution[35]).sum() == min(top, 2)
    assert service.asked("POST")[0].body["topContributorCount"] == top


def test_only_what_is_asked_for_is_sent_with_the_window_in_front():
    toy = Toy(window=30)
    found, service = scored(toy, series_of(calm(500)), slice(400, 410))
    assert np.flatnonzero(np.isfinite(found.score)).tolist() == list(range(400, 410))
    (asked,) = service.asked("POST")
    assert (asked.body["startTime"], asked.body["endTime"]) == ("2021-01-01T06:40:00Z", "2021-01-01T06:49:00Z")
    assert found.notes == ()


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 9), st.integers(1, 9))
def test_batches_cover_each_row_once_with_the_window_before_it(first, rows, lookback, more):
    first, most = first + lookback, lookback + more
    pieces = list(_stretches(first, first + rows, lookback, most))
    covered = [row for _, start, stop in pieces for row in range(start, stop)]
    assert covered == list(range(first, first + rows))
    assert all(stop - low <= most and start - low == lookback for low, start, stop in pieces)


def test_long_series_go_in_batches_and_the_cut_changes_nothing():
    values = calm(300)
    values[[99, 100, 101, 250], 1] = 4.0
    whole, one = scored(Toy(), series_of(values))
    cut, many = scored(Toy(), series_of(values), max_timestamps=60)
    np.testing.assert_array_equal(whole.score, cut.score)
    np.testing.assert_array_equal(whole.contribution, cut.contribution)
    assert len(one.asked("POST")) == 1
    assert len(many.asked("POST")) == math.ceil((300 - 28) / (60 - 28))


@pytest.mark.parametrize(("align", "unscored"), [("Outer", {45}), ("Inner", {45, 50})])
def test_gaps_do_not_shorten_the_window_in_front(align, unscored):
    values = calm(80, 2)
    values[45] = np.nan
    values[50, 1] = np.nan
    found, _ = scored(Toy(window=30), series_of(values), slice(46, 80), align=align)
    assert set(np.flatnonzero(np.isnan(found.score[46:])) + 46) == unscored - {45}
    assert found.notes == ()


@pytest.mark.parametrize(
    ("schema", "layout", "ends"),
    [("OneTable", "zip", ".csv"), ("MultiTable", "zip", ".zip"), ("MultiTable", "folder", "telemetry")],
)
def test_data_is_laid_out_as_the_model_reads_it(schema, layout, ends):
    values = calm(60)
    values[40, 2] = -7.125
    values[33, 0] = np.nan
    toy = Toy(schema=schema)
    found, _ = scored(toy, series_of(values), data_schema=layout)
    assert np.flatnonzero(found.is_anomaly).tolist() == [40]
    assert toy.read[0].endswith(ends)


def test_results_are_joined_by_time_and_what_has_no_value_is_told():
    toy = Toy(window=28)
    seen = {}

    def answer(call):
        reply = toy(call)
        if reply is None or not call.path.startswith("/detect-batch/") or not reply.body["results"]:
            return reply
        results = list(reversed(reply.body["results"]))
        gone = results.pop(3)
        bare = results[5]
        results[5] = {"timestamp": bare["timestamp"], "errors": [{"code": "VariableParseError", "message": "x"}]}
        # the same instant, said with an offset
        results[0] = {**results[0], "timestamp": results[0]["timestamp"].replace("T00:", "T02:").replace("Z", "+02:00")}
        results.append({**results[1], "timestamp": "2030-01-01T00:00:00Z"})
        results[7]["value"]["interpretation"] = [{"variable": "other", "contributionScore": 1.0}]
        seen.update(gone=gone["timestamp"], bare=bare["timestamp"])
        return Reply(200, {**reply.body, "results": results})

    values = calm(60)
    values[40] = 9.0
    series = series_of(values)
    toy.add_model(list(series.variables), "m")
    with serving(answer) as service:
        chosen = settings(service.url)
        (found,) = AzureDetector("azure", chosen, Mvad(chosen), FolderStaging(None, print)).score([series], 1)
    without = {f"{t}"[:19] + "Z" for t in series.timestamps[28:][np.isnan(found.score[28:])]}
    assert without == {seen["gone"], seen["bare"]}
    assert np.flatnonzero(found.is_anomaly).tolist() == [40]
    assert found.notes[1:] == (
        f"samples without a value (VariableParseError): 1, {seen['bare']}",
        f"samples without a value (the service gave no result): 1, {seen['gone']}",
        "results of timestamps that nobody asked about: 1",
        "results name variables that were not sent: other",
    )


def test_a_service_that_wants_more_history_says_so_row_by_row():
    toy = Toy(window=28)
    series = series_of(calm(60))
    toy.add_model(list(series.variables), "m")
    toy.models["m"]["modelInfo"]["slidingWindow"] = 28
    toy.window = 31
    with serving(toy) as service:
        chosen = settings(service.url)
        (found,) = AzureDetector("azure", chosen, Mvad(chosen), FolderStaging(None, print)).score([series], 1)
    assert np.isnan(found.score[:31]).all()
    assert np.isfinite(found.score[31:]).all()
    assert "samples without a value (InsufficientHistoricalData): 3, 2021-01-01T00:28:00Z to" in found.notes[1]


def test_short_series_cost_nothing_and_are_told_of():
    found, service = scored(Toy(window=28), series_of(calm(28)))
    assert np.isnan(found.score).all()
    assert service.asked("POST") == []
    found, service = scored(Toy(), series_of(calm(50)), slice(50, 50))
    assert service.calls == []


def test_what_does_not_fit_is_refused_before_anything_is_sent():
    with pytest.raises(ConfigError, match=r"301 variables are more than the 300"):
        scored(Toy(), series_of(np.zeros((40, 301))))
    with pytest.raises(ConfigError, match=r"variable 'a/b' cannot be the name"):
        scored(Toy(), series_of(np.zeros((40, 1)), ("a/b",)))
    with pytest.raises(ConfigError, match="max_timestamps is 29, and the sliding window of model m alone is 30"):
        scored(Toy(window=30), series_of(calm(40)), max_timestamps=29)
    toy = Toy()
    toy.add_model(["a", "b"], "m")
    with pytest.raises(ModelError, match=r"model m was trained on a, b, this run has v0, v1, v2"):
        scored(toy, series_of(calm(40)))


def test_the_model_is_that_of_the_settings_or_the_one_noted_down(tmp_path):
    toy, series = Toy(), series_of(calm(40))
    toy.add_model(list(series.variables))
    with serving(toy) as service:
        chosen = settings(service.url, model_id=None, model=tmp_path / "m.json")
        staging = FolderStaging(None, print)

        def score():
            return AzureDetector("mvad", chosen, Mvad(chosen), staging).score([series], 1)

        with pytest.raises(
            ModelError, match=r"has no model: there is no .*m.json \(run anomscan train --detector mvad"
        ):
            score()
        chosen.model.write_text('{"model_id": "' + MODEL + '", "endpoint": "https://elsewhere"}')
        with pytest.raises(ModelError, match="names a model of https://elsewhere"):
            score()
        chosen.model.write_text('{"model_id": "' + MODEL + '", "endpoint": "' + service.url + '"}')
        assert np.isfinite(score()[0].score[28:]).all()
        for text in ("[]", "[" * 60_000 + "]" * 60_000, '{"model_id": {}, "endpoint": "' + service.url + '"}'):
            chosen.model.write_text(text)
            with pytest.raises(ModelError, match="does not name a model"):
                score()
        chosen.model.unlink()
        os.mkfifo(chosen.model)
        with pytest.raises(ModelError, match="does not name a model"):
            score()


def test_nothing_is_left_in_the_folder(tmp_path):
    toy = Toy()
    toy.add_model(["v0"], "m")
    series = series_of(calm(40, 1))
    with serving(toy) as service:
        chosen = settings(service.url)
        detector = AzureDetector("azure", chosen, Mvad(chosen), FolderStaging(tmp_path / "made", print))
        detector.score([series, replace(series, asset="other")], 1)
    assert len({path.rsplit("/", 2)[1] for path in toy.read}) == 2
    assert list((tmp_path / "made").iterdir()) == []
