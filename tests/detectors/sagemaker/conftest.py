from __future__ import annotations

import numpy as np
import pytest

from anomscan.config import SageMakerSettings as Settings
from anomscan.detectors.rcf import Forest
from anomscan.detectors.sagemaker.detector import SageMakerDetector
from anomscan.detectors.sagemaker.runtime import Runtime
from fleets import daily
from servers.sagemaker_runtime import FakeTime, LoopbackRuntime, client_of, serving

#: The loopback's forest takes three samples of one variable.
SHINGLE = 3


@pytest.fixture(autouse=True)
def account(monkeypatch, tmp_path):
    """Nothing of the machine's AWS set-up is seen; there are credentials of no value."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-credentials"),
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def forest():
    points = np.random.default_rng(0).normal(0.8, 0.05, (300, SHINGLE))
    return Forest.fit(points, trees=10, sample_size=32, seed=0)


@pytest.fixture
def loopback(forest, monkeypatch):
    with serving(LoopbackRuntime(forest)) as runtime:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", runtime.url)
        yield runtime


@pytest.fixture
def make(loopback):
    """Make a detector on the loopback, by default one whose waits take no time."""
    opened = []

    def make(client=None, passing=None, **settings):
        passing = passing or FakeTime()
        chosen = Settings(kind="sagemaker", **{"endpoint": "fleet-rcf", **settings})
        runtime = Runtime(chosen, client or client_of(loopback), clock=passing.as_clock())
        opened.append(runtime)
        return SageMakerDetector("endpoint", chosen, runtime)

    yield make
    for runtime in opened:
        runtime.close()


@pytest.fixture
def series():
    """Make a series of an asset: calm, always the same."""

    def make(asset, n=40, variables=("x",)):
        values = np.random.default_rng(list(asset.encode())).normal(0.8, 0.05, (n, len(variables)))
        return daily(asset, values, variables)

    return make


@pytest.fixture
def fleet(series):
    return [series(f"a{number}", n) for number, n in enumerate((40, 2, 3, 20, 35, 40, 11, 4))]
