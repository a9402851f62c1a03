"""``anomscan train`` with SageMaker, through the command line."""

from __future__ import annotations

import io
import json

import pytest

from servers import aws
from servers.sagemaker_control import ControlPlane

pytestmark = pytest.mark.servers

SECTION = """
[detectors.endpoint]
kind = "sagemaker"
endpoint = "fleet-rcf"
[detectors.endpoint.training]
role_arn = "arn:aws:iam::123456789012:role/train"
bucket = "fleet"
image_uri = "registry/forest:1"
trees = 50
sample_size = 64
"""
ARTIFACT = "s3://fleet/old/output/model.tar.gz"


@pytest.fixture(scope="module")
def moto():
    with aws.moto_server() as url:
        place = {"LocationConstraint": "eu-west-1"}
        aws.client("s3", url).create_bucket(Bucket="fleet", CreateBucketConfiguration=place)
        yield url


@pytest.fixture
def ready(fetched, moto, monkeypatch):
    """A place with a store and a SageMaker detector, and an account in which nothing has been made."""
    config = fetched.folder / "anomscan.toml"
    config.write_text(config.read_text() + SECTION)
    with ControlPlane() as plane:
        aws.use(monkeypatch, moto, AWS_ENDPOINT_URL_SAGEMAKER=plane.url, AWS_MAX_ATTEMPTS="1")
        fetched.plane = plane
        yield fetched


class Terminal(io.StringIO):
    def isatty(self):
        return True


def train(place, *arguments):
    return place("train", "--detector", "endpoint", *arguments)


def test_train_names_the_artifact_and_says_how_to_deploy_it(ready, moto):
    code, out, err = train(ready, "--yes")
    assert code == 0
    made = json.loads(out)
    assert made["artifact"].startswith(f"s3://fleet/anomscan/{made['training_job']}/")
    assert (made["model"], made["endpoint"]) == (None, None)
    assert f"anomscan train --detector endpoint --artifact {made['artifact']}" in err
    assert "this costs money: training on 1 x ml.m5.large" in err
    assert "116 shingles are fewer than 50 trees x 64 samples" in err
    assert "taken (2)" in err
    keys = [item["Key"] for item in aws.client("s3", moto).list_objects_v2(Bucket="fleet")["Contents"]]
    assert f"anomscan/{made['training_job']}/train/part-00000.csv" in keys


def test_deploy_says_what_belongs_into_the_settings(ready):
    code, out, err = train(ready, "--deploy", "--yes", "--through", "2016-04-20")
    assert code == 0
    assert json.loads(out)["endpoint"] == "fleet-rcf"
    suggestion = 'endpoint = "fleet-rcf", shingle = 3, variables = ["prt7"], trained_through = "2016-04-20"'
    assert f"in [detectors.endpoint]: {suggestion}" in err
    code, _, err = train(ready, "--deploy", "--yes")
    assert code == 2
    assert "'fleet-rcf' already exists" in err


def test_a_stored_model_needs_no_store(ready):
    config = (ready.folder / "anomscan.toml").read_text()
    ready.write("anomscan.toml", config + '[store]\npath = "none"\n')
    code, out, _ = train(ready, "--artifact", ARTIFACT, "--endpoint", "other", "--yes")
    assert code == 0
    made = json.loads(out)
    assert (made["artifact"], made["training_job"], made["endpoint"]) == (ARTIFACT, None, "other")
    assert ready.plane.changes == ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"]


def test_a_dry_run_shows_every_call_and_makes_none(ready, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    code, out, err = train(ready, "--dry-run", "--deploy", "--endpoint", "other")
    assert code == 0
    calls = [json.loads(line) for line in out.splitlines()]
    assert [call["call"] for call in calls] == [
        *("put_object", "put_object", "create_training_job"),
        *("create_model", "create_endpoint_config", "update_endpoint"),
    ]
    assert calls[1]["parameters"]["Body"].endswith(" bytes>")
    assert "create_endpoint" in err
    assert ready.plane.asked == []
    for secret in (aws.CREDENTIALS["AWS_SECRET_ACCESS_KEY"], aws.CREDENTIALS["AWS_ACCESS_KEY_ID"]):
        assert secret not in out + err


def test_without_a_terminal_nothing_is_begun_unasked(ready, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    code, out, err = train(ready, "--deploy")
    assert (code, out) == (2, "")
    assert "--yes" in err
    assert ready.plane.asked == []


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 2), ("\n", 2), ("", 2)])
def test_on_a_terminal_it_asks(ready, monkeypatch, answer, code):
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    found, _, err = train(ready)
    assert found == code
    assert "this costs money: training on 1 x ml.m5.large" in err
    assert "Go on? [y/N]" in err
    assert ready.plane.changes == ([] if code else ["CreateTrainingJob"])


def test_a_failed_job_is_5_with_its_reason(ready):
    ready.plane.job_states, ready.plane.failure = [("Failed", "Failed")], "AlgorithmError: out of memory"
    code, out, err = train(ready, "--yes")
    assert (code, out) == (5, "")
    assert "failed: AlgorithmError: out of memory" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--detector", "endpoint", "--yes", "--asset", "a"], ["--asset", "azure"]),
        (["--detector", "rcf", "--deploy"], ["--deploy", "kind sagemaker", "'rcf' is rcf"]),
        (["--detector", "replay", "--dry-run"], ["--dry-run", "'replay' is recorded"]),
        (["--detector", "endpoint", "--yes", "--artifact", ARTIFACT, "--through", "2016-01-01"], ["--through"]),
        (["--detector", "endpoint", "--yes", "--artifact", "model.tar.gz"], ["model.tar.gz", "s3://BUCKET"]),
    ],
)
def test_usage_is_2(ready, arguments, words):
    code, out, err = ready("train", *arguments)
    assert (code, out) == (2, "")
    assert all(word in err for word in words), err
    assert ready.plane.asked == []
