"""What boto3 says becomes one line, and a secret in it goes no further."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from anomscan.config import SageMakerSettings
from anomscan.detectors.sagemaker.runtime import connect
from anomscan.errors import AnomscanError, ConfigError, ServiceError
from anomscan.storage.aws import client, refusals
from anomscan.tables.secrets import document

FEATURE = "publishing"


def ask_s3() -> object:
    found = client("s3", feature=FEATURE)
    with refusals("bucket 'b'"):
        return found.head_bucket(Bucket="b")


def connect_to_an_endpoint() -> object:
    return connect(SageMakerSettings(kind="sagemaker", endpoint="fleet-rcf"))


def read_a_secret() -> object:
    return document("aws-secretsmanager://s")


WAYS = pytest.mark.parametrize("way", [ask_s3, connect_to_an_endpoint, read_a_secret])


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's AWS set-up is seen."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def fails(kind: type[AnomscanError], way: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        way()
    return str(caught.value)


@WAYS
def test_what_a_credential_helper_prints_is_not_repeated(
    way: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = "sh -c 'echo hush-hush >&2; exit 1'"
    (tmp_path / "config").write_text(f"[profile helped]\ncredential_process = {helper}\n")
    monkeypatch.setenv("AWS_PROFILE", "helped")
    told = fails(ServiceError, way)
    assert "CredentialRetrievalError" in told
    assert "AWS_PROFILE" in told
    assert "hush" not in told


@pytest.mark.parametrize("way", [ask_s3, read_a_secret])
def test_a_password_in_an_address_is_not_repeated(way: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:hush-hush@127.0.0.1:1")
    told = fails(ServiceError, way)
    assert "//***@127.0.0.1:1/" in told
    assert "hush" not in told


@pytest.mark.parametrize("way", [ask_s3, connect_to_an_endpoint])
def test_an_address_that_is_none_is_a_setting_to_change(
    way: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nowhere")
    assert "nowhere" in fails(ConfigError, way)


@pytest.mark.parametrize("way", [ask_s3, connect_to_an_endpoint])
def test_a_profile_that_is_not_there_is_named(way: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "absent")
    told = fails(ConfigError, way)
    assert "absent" in told
    assert "region" not in told
