"""What training with SageMaker will do, before anything is done."""

from __future__ import annotations

import datetime as dt
import json
import sys
import types

import numpy as np
import pytest

from anomscan.config import SageMakerSettings as Settings
from anomscan.detectors.exemplars import Exemplars
from anomscan.detectors.rcf import Forest
from anomscan.detectors.sagemaker.image import image_of
from anomscan.detectors.sagemaker.planning import Wish, make_plan
from anomscan.errors import ConfigError, InputError, MissingExtraError
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout

NOW = dt.datetime(2026, 11, 22, 10, 15, 0, 250_000, tzinfo=dt.UTC)
NAME = "anomscan-endpoint-20261122-101500-250"
ROLE = "arn:aws:iam::123456789012:role/train"
LAYOUT = Layout(Cadence.parse("1D"), ("prt7",))
NEEDED = {"role_arn": ROLE, "bucket": "fleet", "image_uri": "registry/forest:1"}


def section(training=None, **more):
    return Settings(kind="sagemaker", endpoint="fleet-rcf", training={**NEEDED, **(training or {})}, **more)


def exemplars(rows=400, dimension=7, seed=0):
    points = np.random.default_rng(seed).normal(0.8, 0.05, (rows, dimension))
    return Exemplars(["a"], np.array([[0.05]]), [], points, np.datetime64("2016-12-31", "us"))


def plan(settings=None, wish=None, rows=400, name="endpoint", shingle=7):
    return make_plan(name, settings or section(), wish or Wish(), (exemplars(rows), LAYOUT, shingle), now=NOW)


def parameters(made, operation):
    return [json.loads(line)["parameters"] for line in made.lines() if json.loads(line)["call"] == operation]


def points_of(made):
    parts = [call.parameters["Body"].decode() for call in made.uploads if call.parameters["Key"].endswith(".csv")]
    return np.array([row.split(",") for part in parts for row in part.splitlines()], np.float32)


def test_the_training_job_is_as_the_algorithm_wants_it():
    [job] = parameters(plan(section({"tags": {"team": "solar"}, "volume_gb": 20})), "create_training_job")
    assert job["TrainingJobName"] == NAME
    assert job["HyperParameters"] == {"feature_dim": "7", "num_trees": "300", "num_samples_per_tree": "365"}
    [channel] = job["InputDataConfig"]
    assert (channel["ChannelName"], channel["ContentType"]) == ("train", "text/csv;label_size=0")
    assert channel["DataSource"]["S3DataSource"] == {
        "S3DataType": "S3Prefix",
        "S3Uri": f"s3://fleet/anomscan/{NAME}/train/",
        "S3DataDistributionType": "ShardedByS3Key",
    }
    assert job["ResourceConfig"] == {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 20}
    assert job["OutputDataConfig"] == {"S3OutputPath": "s3://fleet/anomscan/"}
    assert job["Tags"] == [{"Key": "team", "Value": "solar"}]


def test_nothing_beside_the_training_set_lies_where_the_job_reads():
    keys = [call.parameters["Key"] for call in plan().uploads]
    assert keys == [f"anomscan/{NAME}/training.json", f"anomscan/{NAME}/train/part-00000.csv"]
    facts = json.loads(plan().uploads[0].parameters["Body"])
    assert (facts["shingle"], facts["variables"], facts["trained_through"]) == (7, ["prt7"], "2016-12-31T00:00:00Z")
    assert (facts["exemplars"], facts["shingles"]) == (["a"], 400)


@pytest.mark.parametrize("order", ["shuffled", "by-asset"])
def test_every_shingle_is_there_once_and_to_the_bit(order):
    made = plan(section({"order": order, "training_instance_count": 3}))
    assert len(made.uploads) == 1 + 3  # each machine is given a file
    expected, found = exemplars().points.astype(np.float32), points_of(made)
    if order == "shuffled":
        assert not np.array_equal(found, expected)
        expected, found = (table[np.lexsort(table.T)] for table in (expected, found))
    assert np.array_equal(found, expected)


def test_a_plan_is_the_same_for_the_same_input():
    assert list(plan().lines()) == list(plan().lines())
    assert np.array_equal(points_of(plan()), points_of(plan()))


def test_shuffling_is_what_keeps_scores_from_inflating_on_a_small_set():
    rng = np.random.default_rng(0)
    levels = np.repeat(rng.normal(0.8, 0.05, 30), 100)
    points = levels[:, None] + rng.normal(0, 0.02, (3000, 3))

    def level(order):
        settings = section({"order": order, "trees": 50, "sample_size": 256})
        taken = Exemplars(["a"], np.array([[0.05]]), [], points, np.datetime64("2016-12-31", "us"))
        uploaded = points_of(make_plan("endpoint", settings, Wish(), (taken, LAYOUT, 3), now=NOW))
        return Forest.fit(uploaded, trees=50, sample_size=256, seed=0, sampling="sagemaker").score(points).mean()

    right = Forest.fit(points, trees=50, sample_size=256, seed=0).score(points).mean()
    assert level("shuffled") < 1.3 * right
    assert level("by-asset") > 1.6 * right


def test_a_small_training_set_is_warned_of():
    warning = plan(rows=400).warning()
    assert "400 shingles are fewer than 300 trees x 365 samples = 109,500" in warning
    assert "a little higher" in warning
    assert "far too high" in plan(section({"order": "by-asset"})).warning()
    assert plan(section({"trees": 50, "sample_size": 8})).warning() is None
    with pytest.raises(InputError, match="too few shingles for 300 trees: 299"):
        plan(rows=299)


def test_deploying_makes_a_model_a_configuration_and_an_endpoint():
    made = plan(wish=Wish(deploy=True))
    [model] = parameters(made, "create_model")
    assert model["PrimaryContainer"] == {
        "Image": "registry/forest:1",
        "ModelDataUrl": f"s3://fleet/anomscan/{NAME}/output/model.tar.gz",
    }
    [config] = parameters(made, "create_endpoint_config")
    assert config["ProductionVariants"] == [
        {"VariantName": "AllTraffic", "ModelName": NAME, "InitialInstanceCount": 1, "InstanceType": "ml.c5.xlarge"}
    ]
    assert parameters(made, "create_endpoint") == [{"EndpointName": "fleet-rcf", "EndpointConfigName": NAME}]


def test_a_serverless_endpoint_has_no_machines():
    settings = section({"serverless_memory_mb": 4096, "serverless_concurrency": 9}, serverless=True)
    [config] = parameters(plan(settings, Wish(deploy=True)), "create_endpoint_config")
    [variant] = config["ProductionVariants"]
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 4096, "MaxConcurrency": 9}
    assert "InstanceType" not in variant
    assert "by request" in plan(settings, Wish(deploy=True)).costs()[1]


def test_a_stored_model_is_deployed_without_training():
    artifact = "s3://old/rcf/output/model.tar.gz"
    made = make_plan("endpoint", section({"bucket": None}), Wish(artifact=artifact, endpoint="new"), now=NOW)
    assert [json.loads(line)["call"] for line in made.lines()] == [
        "create_model",
        "create_endpoint_config",
        "update_endpoint",
    ]
    assert parameters(made, "create_model")[0]["PrimaryContainer"]["ModelDataUrl"] == artifact
    assert made.warning() is None
    assert [("training" in cost, "'new'" in cost) for cost in made.costs()] == [(False, True)]


def test_names_have_the_letters_and_the_length_that_aws_allows():
    for detector in ("endpoint", "Größe & más", "x" * 80, "--", "a" * 34 + "-" + "b" * 30):
        name = plan(name=detector).name
        assert len(name) <= 63
        assert all(part.isascii() and part.isalnum() for part in name.split("-")), name


@pytest.mark.parametrize(
    ("settings", "wish", "message"),
    [
        (section({"role_arn": None}), Wish(), r"'endpoint' has no training.role_arn .*\[detectors.endpoint.training\]"),
        (section({"bucket": None}), Wish(), "'endpoint' has no training.bucket"),
        (section(shingle=5), Wish(), "shingle 5, .*7"),
        (section(), Wish(artifact="model.tar.gz"), "'model.tar.gz' is not an artifact"),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_named(settings, wish, message):
    with pytest.raises(ConfigError, match=message):
        plan(settings, wish)


@pytest.fixture
def sdk(monkeypatch):
    """Stands in for Amazon's SDK, a gigabyte: the one function of it that is called, by the real one's signature."""

    def retrieve(framework: str, region: str) -> str:
        if region != "eu-west-1":
            raise ValueError(f"Unsupported region: {region}.")
        return f"438346466558.dkr.ecr.{region}.amazonaws.com/{framework}:1"

    modules = {name: types.ModuleType(name) for name in ("sagemaker", "sagemaker.core", "sagemaker.core.image_uris")}
    modules["sagemaker"].core = modules["sagemaker.core"]
    modules["sagemaker.core"].image_uris = modules["sagemaker.core.image_uris"]
    modules["sagemaker.core.image_uris"].retrieve = retrieve
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)


def test_the_image_is_looked_up_by_region(sdk, monkeypatch):
    image = "438346466558.dkr.ecr.eu-west-1.amazonaws.com/randomcutforest:1"
    assert image_of("endpoint", None, "eu-west-1") == image
    assert image_of("endpoint", None, None) == image  # of AWS_DEFAULT_REGION
    monkeypatch.setenv("AWS_REGION", "xx-north-1")
    with pytest.raises(ConfigError, match=r"no image .* 'xx-north-1' .*image_uri"):
        image_of("endpoint", None, None)
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(ConfigError, match="no AWS region"):
        image_of("endpoint", None, None)


def test_without_the_sdk_an_image_uri_does(monkeypatch):
    monkeypatch.setitem(sys.modules, "sagemaker", None)
    assert image_of("endpoint", "registry/forest:1", None) == "registry/forest:1"
    with pytest.raises(MissingExtraError, match=r"image_uri.*anomscan\[sagemaker\]"):
        image_of("endpoint", None, "eu-west-1")
