"""What goes wrong at the service, each told apart; exit 5, one line, and a way to go on."""

from __future__ import annotations

import json

import numpy as np
import pytest

from anomscan.detectors.azure.blob import FolderStaging
from anomscan.detectors.azure.client import Mvad
from anomscan.detectors.azure.detector import AzureDetector
from anomscan.detectors.azure.faults import WAYS_OUT
from anomscan.errors import AssetError, ConfigError, ModelError, NoExemplarsError, ServiceError
from anomscan.retrying import Clock
from servers.mvad_client import KEY, series_of, settings
from servers.mvad_loopback import Call, Reply, Toy, serving

LOCAL = "make mvad"
HTML = b"<!DOCTYPE html><html><body>Please sign in</body></html>"


@pytest.fixture
def waits(monkeypatch):
    """How long a client waited, each time; by a clock that stands still in between."""
    waited = []

    def sleep(self, seconds):
        if seconds:
            waited.append(seconds)

    monkeypatch.setattr("anomscan.detectors.azure.client._CLOCK", Clock(monotonic=lambda: sum(waited)))
    monkeypatch.setattr(Mvad, "_sleep", sleep)
    return waited


def failing(reply: Reply, **changes: object) -> tuple[str, list[Call]]:
    """What is said of a service that always answers so, and the calls it got."""
    with serving(lambda call: reply) as service:
        with pytest.raises(ServiceError) as caught:
            Mvad(settings(service.url, **changes)).model("m")
        text = str(caught.value).replace(service.url, "URL")
    assert "\n" not in text
    assert KEY not in text
    assert caught.value.exit_code == 5
    return text, service.calls


@pytest.mark.parametrize("body", [b"", HTML, b"{}"])
def test_the_retired_service_is_named_at_once_with_the_way_to_run_it_here(body):
    text, calls = failing(Reply(410, body))
    assert "URL is retired (410 Gone)" in text
    assert LOCAL in text
    assert 'endpoint = "http://127.0.0.1:' in text
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (
            Reply(401, {"error": {"code": "401", "message": "Access denied"}}),
            "does not accept our key (401, 401: Access",
        ),
        (Reply(401), "does not accept our key (401)"),
        (Reply(403, {"code": "StorageReadError", "message": "no"}), "forbids it (403, StorageReadError: no)"),
        (Reply(403, HTML), "forbids it (403)"),
        (Reply(404, {"error": {"code": "404", "message": "Resource not found"}}), "does not know that address (404"),
        (Reply(404, {"code": "ModelNotExist", "message": "gone"}), "refuses (404, ModelNotExist: gone) (name another"),
        (Reply(404), "answers 404 with nothing in it"),
        (Reply(400, HTML), "answers with a web page (400)"),
        (Reply(200, HTML), "answers with a web page (200)"),
        (Reply(200), "answers 200 with nothing in it"),
        (Reply(200, b'{"modelId": "m", "model'), "not a JSON object"),
        (Reply(200, b"[]"), "not a JSON object"),
        (Reply(302, headers={"Location": "http://127.0.0.1:1/"}), "redirects us (302)"),
        (Reply(409, {"code": "TooManyModels", "message": "20"}), "refuses (409, TooManyModels: 20) (delete a model"),
    ],
)
def test_each_refusal_is_told_apart(reply, says):
    text, calls = failing(reply)
    assert says in text
    assert LOCAL in text
    assert len(calls) == 1


@pytest.mark.parametrize("code", sorted(WAYS_OUT))
def test_each_documented_code_has_its_way_out(code):
    text, _ = failing(Reply(400, {"code": code, "message": "see docs"}))
    assert f"refuses (400, {code}: see docs) ({WAYS_OUT[code]}; " in text


def test_what_may_pass_is_asked_again():
    replies = [Reply(503, HTML), Reply(429, headers={"Retry-After": "0"}), Reply(200, {"modelId": "m"}, cut=True)]
    with serving(lambda call: replies.pop(0) if replies else Reply(200, {"modelId": "m"})) as service:
        assert Mvad(settings(service.url)).model("m").model_id == "m"
        assert len(service.calls) == 4


def test_the_wait_that_is_asked_for_is_kept(waits):
    replies = [Reply(429, headers={"Retry-After": "7"})]
    with serving(lambda call: replies.pop(0) if replies else Reply(200, {"modelId": "m"})) as service:
        Mvad(settings(service.url)).model("m")
        assert len(service.calls) == 2
    assert waits == [7]


def test_no_wait_goes_beyond_the_deadline():
    text, calls = failing(Reply(429, headers={"Retry-After": "60"}), deadline_s=5)
    assert "wants fewer calls (429, it asks to wait 60 s)" in text
    assert len(calls) == 1


def test_calls_are_spaced(waits):
    with serving(lambda call: Reply(200, {"modelId": "m"})) as service:
        mvad = Mvad(settings(service.url, calls_per_minute=300))
        for _ in range(3):
            mvad.model("m")
    assert waits == pytest.approx([0.2, 0.2])


def test_polling_slows_down_and_ends_by_the_deadline(tmp_path, waits):
    source = tmp_path / "one.csv"
    source.write_text("timestamp,v0\n2021-01-01T00:00:00Z,1.0\n")
    toy = Toy(polls=1000)
    toy.add_model(["v0"], "m")
    with serving(toy) as service:
        mvad = Mvad(settings(service.url, poll_s=0.05, poll_longest_s=0.2, deadline_s=1))
        with pytest.raises(ServiceError, match=r"has not ended after 1 s \(it is RUNNING\) \(raise deadline_s"):
            mvad.detect("m", str(source), "2021-01-01T00:00:00Z", "2021-01-01T01:00:00Z")
    _, *between_polls = waits  # the first call's turn comes before
    assert between_polls == pytest.approx([0.05, 0.075, 0.1125, 0.16875, 0.2, 0.2])


def test_a_service_that_is_not_there():
    with pytest.raises(ServiceError, match=r"http://127.0.0.1:9 cannot be reached: .*make mvad"):
        Mvad(settings("http://127.0.0.1:9")).model("m")


def test_an_answer_that_breaks_off_and_one_that_is_late():
    text, calls = failing(Reply(200, {"modelId": "m"}, cut=True))
    assert "its answer breaks off" in text
    assert len(calls) == 4
    text, _ = failing(Reply(200, {"modelId": "m"}, delay_s=0.5), read_timeout_s=0.1, deadline_s=0.3)
    assert "cannot be reached" in text


def test_a_training_whose_answer_was_lost_is_not_begun_twice():
    with serving(lambda call: Reply(500, {"code": "UnexpectedError", "message": "?"})) as service:
        from azure.ai.anomalydetector.models import ModelInfo

        with pytest.raises(ServiceError, match="UnexpectedError"):
            Mvad(settings(service.url)).train(ModelInfo({}), lambda model: None)
        assert len(service.calls) == 1


@pytest.mark.parametrize("link", ["{other}/anomalydetector/v1.1/x", r"{other}\@{good}/x", "{other}@{good}/x"])
def test_the_key_goes_to_the_service_alone(link):
    with serving(lambda call: Reply(200, {"models": []})) as other:
        page = {"models": [], "currentCount": 0, "maxCount": 1}
        with serving(lambda call: Reply(200, page)) as service:
            page["nextLink"] = link.format(other=other.url, good=service.url.partition("//")[2])
            with pytest.raises(ServiceError, match="redirects us"):
                Mvad(settings(service.url)).models()
            assert service.calls[0].headers["ocp-apim-subscription-key"] == KEY
        assert other.calls == []


@pytest.mark.parametrize(
    ("summary", "says"),
    [
        (
            {"status": "FAILED", "errors": [{"code": "NotEnoughInput", "message": "more"}, {"code": "NoData"}]},
            r"detection FAILED: NotEnoughInput: more; NoData \(fetch more history",
        ),
        ({"status": "FAILED", "errors": []}, "detection FAILED: it does not say why"),
    ],
)
def test_a_failed_detection_is_that_assets_error(summary, says):
    toy = Toy()
    toy.add_model(["v0"], "m")

    def answer(call):
        failed = {"resultId": "r", "summary": summary, "results": []}
        return Reply(200, failed) if call.path.startswith("/detect-batch/") else None

    with serving(answer, toy) as service:
        chosen = settings(service.url)
        detector = AzureDetector("azure", chosen, Mvad(chosen), FolderStaging(None, print))
        (found,) = detector.score([series_of(np.zeros((40, 1)))], 1)
    assert isinstance(found, AssetError)
    with pytest.raises(AssetError, match=says):
        raise found


@pytest.mark.parametrize(
    ("info", "says"),
    [
        ({"status": "RUNNING"}, r"cannot be used: RUNNING \(wait"),
        ({"status": "FAILED", "errors": [{"code": "TooManyData", "message": "!"}]}, r"TooManyData: ! \(lower"),
        (None, "cannot be used: not ready"),
    ],
)
def test_a_model_that_is_not_ready(info, says):
    with serving(lambda call: Reply(200, {"modelId": "m", "modelInfo": info})) as service:
        chosen = settings(service.url)
        detector = AzureDetector("azure", chosen, Mvad(chosen), FolderStaging(None, print))
        with pytest.raises(ModelError, match=says):
            detector.score([series_of(np.zeros((400, 1)))], 1)


def test_results_that_are_not_of_v11():
    toy = Toy()
    toy.add_model(["v0"], "m")
    ready = {"resultId": "r", "summary": {"status": "READY"}, "results": [{"timestamp": "yesterday", "value": 3}]}
    with serving(lambda c: Reply(200, ready) if c.path.startswith("/detect-batch/") else None, toy) as service:
        chosen = settings(service.url)
        detector = AzureDetector("azure", chosen, Mvad(chosen), FolderStaging(None, print))
        with pytest.raises(ServiceError, match=r"not (those|one) of v1\.1"):
            detector.score([series_of(np.zeros((40, 1)))], 1)


def test_a_failed_training_says_why(tmp_path):
    from anomscan.detectors.azure.training import train

    body = {"modelId": "m", "modelInfo": {"status": "FAILED", "errors": [{"code": "NoVariablesFound", "message": "x"}]}}
    with serving(lambda call: Reply(201 if call.method == "POST" else 200, body)) as service:
        chosen = settings(service.url, sliding_window=28, model=tmp_path / "m.json")
        arguments = {"through": None, "on_status": lambda text: None}
        with pytest.raises(ServiceError, match=r"training model m FAILED: NoVariablesFound: x \(set data_schema"):
            train(series_of(np.zeros((40, 1))), chosen, Mvad(chosen), FolderStaging(tmp_path, print), **arguments)
        with pytest.raises(NoExemplarsError, match="has 20 samples to train on, the sliding window alone is 28"):
            train(series_of(np.zeros((20, 1))), chosen, Mvad(chosen), FolderStaging(tmp_path, print), **arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("endpoint", "changes", "says"),
    [
        ("ftp://x", {}, "is not the address of a service"),
        ("nothing", {}, "is not the address of a service"),
        ("https://x.example.com", {"key": None}, "wants a key, and none is set"),
    ],
)
def test_settings_that_cannot_be_used(endpoint, changes, says):
    with pytest.raises(ConfigError, match=says):
        Mvad(settings(endpoint, **changes))


def test_a_service_of_this_machine_may_do_without_a_key():
    with serving(lambda call: Reply(200, {"modelId": "m"})) as service:
        assert json.loads(json.dumps(dict(Mvad(settings(service.url, key=None)).model("m"))))["modelId"] == "m"
