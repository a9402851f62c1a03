"""A plan carried out: against moto where it can, and a control plane of our own for what ends badly."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import pytest

from anomscan.config import SageMakerSettings as Settings
from anomscan.detectors.exemplars import Exemplars
from anomscan.detectors.sagemaker.planning import Wish, make_plan
from anomscan.detectors.sagemaker.training import Account, Made
from anomscan.errors import ConfigError, ExitCode, ServiceError
from anomscan.retrying import Clock
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout
from servers import aws
from servers.sagemaker_control import ControlPlane

pytestmark = pytest.mark.servers

NAME = "anomscan-endpoint-20261122-101500-000"
ARTIFACT = f"s3://fleet/anomscan/{NAME}/output/model.tar.gz"
TRAIN_AND_DEPLOY = ["CreateTrainingJob", "CreateModel", "CreateEndpointConfig", "CreateEndpoint"]


@pytest.fixture(scope="module")
def moto():
    with aws.moto_server() as url:
        place = {"LocationConstraint": "eu-west-1"}
        aws.client("s3", url).create_bucket(Bucket="fleet", CreateBucketConfiguration=place)
        yield url


@pytest.fixture
def account(moto, monkeypatch):
    """Carries out wishes; what was said and how often was waited is kept."""
    aws.use(monkeypatch, moto, AWS_MAX_ATTEMPTS="1")

    class Runner:
        def __init__(self):
            self.said, self.waits = [], []

        def plan(self, wish=None, **training):
            needed = {
                "role_arn": "arn:aws:iam::123456789012:role/train",
                "bucket": "fleet",
                "image_uri": "registry/forest:1",
                "trees": 50,
                "sample_size": 8,
            }
            settings = Settings(kind="sagemaker", endpoint="fleet-rcf", training=needed | training)
            wish = wish or Wish()
            points = np.random.default_rng(0).normal(0.8, 0.05, (400, 7))
            taken = Exemplars(["a"], np.array([[0.05]]), [], points, np.datetime64("2016-12-31", "us"))
            layout = Layout(Cadence.parse("1D"), ("prt7",))
            exemplars = None if wish.artifact else (taken, layout, 7)
            now = dt.datetime(2026, 11, 22, 10, 15, tzinfo=dt.UTC)
            return make_plan("endpoint", settings, wish, exemplars, now=now)

        def __call__(self, wish=None, **training):
            ours = Account(self.plan(wish, **training), say=self.said.append, clock=Clock(sleep=self.waits.append))
            return ours.carry_out(update=ours.check())

        def at(self, plane):
            monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER", plane.url)

    return Runner()


def test_train_and_deploy_against_moto(account, moto):
    made = account(Wish(deploy=True))
    sagemaker, s3 = aws.client("sagemaker", moto), aws.client("s3", moto)
    job = sagemaker.describe_training_job(TrainingJobName=NAME)
    assert made == Made(job["ModelArtifacts"]["S3ModelArtifacts"], NAME, NAME, NAME, "fleet-rcf")
    assert sagemaker.describe_endpoint(EndpointName="fleet-rcf")["EndpointConfigName"] == NAME
    folder = job["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"].removeprefix("s3://fleet/")
    [shard] = s3.list_objects_v2(Bucket="fleet", Prefix=folder)["Contents"]
    content = s3.get_object(Bucket="fleet", Key=shard["Key"])
    assert content["ContentType"] == "text/csv"
    assert np.loadtxt(content["Body"].read().decode().splitlines(), delimiter=",").shape == (400, 7)
    with pytest.raises(ConfigError, match=r"'fleet-rcf' already exists \(InService\) \(--endpoint fleet-rcf updates"):
        account(Wish(deploy=True))


def test_each_state_is_said_once_and_the_artifact_named(account):
    states = [("InProgress", "Starting")] * 3 + [("InProgress", "Training")] * 2 + [("Completed", "Completed")]
    with ControlPlane(job_states=states, endpoint_states=["Creating", "Creating", "InService"]) as plane:
        account.at(plane)
        account(Wish(deploy=True))
        assert plane.changes == TRAIN_AND_DEPLOY
    assert account.said == [
        f"2 files put below s3://fleet/anomscan/{NAME}/",
        f"training job '{NAME}' goes on in AWS even if this is interrupted",
        f"training job '{NAME}': InProgress (Starting)",
        f"training job '{NAME}': InProgress (Training)",
        f"training job '{NAME}': Completed",
        f"model artifact: {ARTIFACT}",
        "endpoint 'fleet-rcf': Creating",
        "endpoint 'fleet-rcf': InService",
    ]
    assert len(account.waits) == 5 + 2


@pytest.mark.parametrize(
    ("last", "failure", "words"),
    [
        (("Failed", "Failed"), "ClientError: feature_dim is 8", r"failed: ClientError: feature_dim is 8"),
        (("Stopped", "MaxRuntimeExceeded"), None, r"stopped: MaxRuntimeExceeded"),
    ],
)
def test_a_job_that_fails_or_is_stopped_is_an_error_with_the_reason(account, last, failure, words):
    with ControlPlane(job_states=[("InProgress", "Starting"), last], failure=failure) as plane:
        account.at(plane)
        with pytest.raises(ServiceError, match=words) as caught:
            account(Wish(deploy=True))
        assert plane.changes == ["CreateTrainingJob"]
    assert caught.value.exit_code == ExitCode.SERVICE
    assert NAME in str(caught.value)


def test_an_endpoint_that_was_named_is_made_and_then_updated(account):
    with ControlPlane(endpoint_states=["Updating", "InService"]) as plane:
        account.at(plane)
        account(Wish(artifact=ARTIFACT, endpoint="named"))
        assert plane.changes == ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"]
        account(Wish(artifact=ARTIFACT, endpoint="named"))
        assert plane.changes[3:] == ["CreateModel", "CreateEndpointConfig", "UpdateEndpoint"]


def test_an_update_that_is_rolled_back_is_no_success(account):
    with ControlPlane() as plane:
        account.at(plane)
        plane.endpoints["named"] = {"config": "yesterday", "states": ["InService"]}
        plane.endpoint_states = ["Updating", "RollingBack", "InService"]
        plane.failure = "no capacity"
        with pytest.raises(ServiceError, match="not updated and serves 'yesterday' as before: no capacity") as caught:
            account(Wish(artifact=ARTIFACT, endpoint="named"))
    assert f"--artifact {ARTIFACT} deploys it" in str(caught.value)


def test_an_endpoint_that_fails_says_why_and_the_model_is_kept(account):
    with ControlPlane(endpoint_states=["Creating", "Failed"], failure="image not found") as plane:
        account.at(plane)
        with pytest.raises(ServiceError, match=r"'fleet-rcf' is Failed: image not found") as caught:
            account(Wish(deploy=True))
    assert f"--artifact {ARTIFACT} deploys it" in str(caught.value)


def test_an_endpoint_that_is_busy_is_left_alone_before_anything_is_spent(account):
    with ControlPlane() as plane:
        account.at(plane)
        plane.endpoints["named"] = {"config": "yesterday", "states": ["Updating"]}
        with pytest.raises(ServiceError, match="'named' is Updating and cannot be updated"):
            account(Wish(endpoint="named"))
        assert plane.changes == []


def test_a_job_without_end_is_given_up_and_goes_on(account):
    with ControlPlane(job_states=[("InProgress", "Pending")]) as plane:
        account.at(plane)
        plan = account.plan()
        clock = itertools.count(0.0, 1000.0).__next__
        ours = Account(plan, say=account.said.append, clock=Clock(monotonic=clock, sleep=account.waits.append))
        with pytest.raises(ServiceError, match=r"is still InProgress \(Pending\) after 10800 s .*goes on"):
            ours.carry_out(update=False)


@pytest.mark.parametrize(
    ("operation", "error", "words"),
    [
        (
            "CreateTrainingJob",
            (400, "ValidationException", "Could not assume role arn:aws:iam::123456789012:role/train"),
            r"Could not assume role .*does the role .*role/train exist, and does it trust sagemaker.amazonaws.com",
        ),
        (
            "CreateTrainingJob",
            (400, "AccessDeniedException", "no iam:PassRole"),
            "access denied .*PassRole",
        ),
        ("CreateTrainingJob", (400, "ResourceLimitExceeded", "limit is 0"), "ResourceLimitExceeded: limit is 0"),
        ("DescribeEndpoint", (400, "AccessDeniedException", "no"), "endpoint 'fleet-rcf': access denied"),
        ("DescribeEndpoint", (400, "ExpiredTokenException", "x"), "does not accept our credentials .*renew them"),
        (
            "CreateModel",
            (400, "ResourceLimitExceeded", "too many"),
            f"model '{NAME}'.*--artifact {ARTIFACT} deploys it",
        ),
    ],
)
def test_a_refusal_is_one_line_that_names_the_thing(account, operation, error, words):
    with ControlPlane(refuse={operation: error}) as plane:
        account.at(plane)
        with pytest.raises(ServiceError, match=words) as caught:
            account(Wish(deploy=True))
    assert "\n" not in str(caught.value)


def test_a_missing_bucket_is_found_before_anything_is_spent(account, moto):
    with pytest.raises(ServiceError, match=r"there is no bucket 'nowhere' .*training.bucket"):
        account(bucket="nowhere")


def test_without_credentials_region_or_a_way_there(account, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ServiceError, match=r"bucket 'fleet': Could not connect .*127.0.0.1:9"):
        account()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ServiceError, match=r"bucket 'fleet': there are no AWS credentials .*AWS_PROFILE"):
        account()
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(ConfigError, match=r"no AWS region is set .*AWS_REGION"):
        account()
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with pytest.raises(ServiceError, match="no AWS credentials"):
        account()
