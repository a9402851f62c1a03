"""The scan on a Ray cluster, from the command line: the same bytes as threads give, whatever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from anomscan.cli.app import run
from anomscan.store.store import Store
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.rows import Layout
from processes import PATIENCE_S, started, wait_until
from servers.ray_cluster import RayCluster

pytestmark = pytest.mark.servers

ASSETS, DAYS = 240, 1_096
CONFIG = """
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "1D"
columns = { asset = "asset_id", timestamp = "date", values = ["prt7"] }
"""
SCAN = ("scan", "--all", "--rescore")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """A folder with a fleet, a model, and what threads make of them."""
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "anomscan.toml").write_text(CONFIG)
    layout = Layout(Cadence.parse("1D"), ("prt7",))
    days = np.datetime64("2016-01-01", "us") + np.arange(DAYS) * np.timedelta64(1, "D")
    rng = np.random.default_rng(0)
    store = Store.create(folder / "anomscan-data")
    with store.writer("fleet", layout, arrived_at=np.datetime64("2019-01-01", "us")) as writer:
        for asset in range(ASSETS):
            values = 0.8 + 0.05 * np.sin(np.arange(DAYS) / 58) + rng.normal(0, 0.03, DAYS)
            columns = [pa.array([f"asset-{asset:03d}"] * DAYS), pa.array(days), pa.array(values), pa.nulls(DAYS)]
            writer.append(pa.table([*columns[:3], columns[3].cast(pa.string())], schema=layout.schema))
        writer.commit()
    config = ["-q", "--config", str(folder / "anomscan.toml")]
    assert run([*config, "train", "--through", "2016-12-31"]) == 0
    assert run([*config, *SCAN, "-o", str(folder / "threads.jsonl")]) == 0
    return folder


def begun(
    fleet: Path, *arguments: str, environment: dict[str, str] | None = None
) -> AbstractContextManager[subprocess.Popen[str]]:
    return started(
        [sys.executable, "-m", "anomscan", "-q", *SCAN, "--engine", "ray", *arguments],
        cwd=fleet,
        stderr=subprocess.PIPE,
        env=os.environ | (environment or {}),
    )


def grown(scan: subprocess.Popen[str], checkpoint: Path) -> None:
    """Wait until something is finished."""
    wait_until(lambda: bool(list(checkpoint.glob("*-*.jsonl"))), scan)


def same(fleet: Path, name: str) -> bool:
    return all(
        (fleet / f"threads.jsonl{suffix}").read_bytes() == (fleet / f"{name}{suffix}").read_bytes()
        for suffix in ("", ".scores.parquet")
    )


def test_a_cluster_of_its_own_gives_the_bytes_of_threads(fleet):
    with begun(fleet, "--workers", "2", "-o", "own.jsonl") as scan:
        _, said = scan.communicate(timeout=PATIENCE_S)
    assert (scan.returncode, said) == (0, "")
    assert same(fleet, "own.jsonl")


def test_a_machine_that_dies_in_mid_run_changes_nothing(fleet):
    with RayCluster() as cluster:
        raylet = cluster.join("127.0.0.2")
        name, checkpoint = "killed.jsonl", fleet / "killed.jsonl.parts"
        with begun(fleet, "--address", cluster.address, "-o", name, environment=cluster.environment) as scan:
            grown(scan, checkpoint)
            os.kill(raylet, signal.SIGKILL)
            _, said = scan.communicate(timeout=PATIENCE_S)
        assert scan.returncode == 0, said
    assert same(fleet, name)


def test_a_cluster_that_is_lost_is_said_and_what_is_finished_is_kept(fleet):
    with RayCluster() as cluster:
        name, checkpoint = "lost.jsonl", fleet / "lost.jsonl.parts"
        with begun(fleet, "--address", cluster.address, "-o", name, environment=cluster.environment) as scan:
            grown(scan, checkpoint)
            cluster.close()
            _, said = scan.communicate(timeout=PATIENCE_S)
        assert scan.returncode == 5, said
        assert "assets finished and kept" in said
        assert f"the Ray cluster at '{cluster.address}' no longer works" in said
    config = ["-q", "--config", str(fleet / "anomscan.toml")]
    assert run([*config, *SCAN, "-o", str(fleet / name), "--resume"]) == 0
    assert same(fleet, name)


def test_remote_detectors_are_for_threads(fleet, capsys):
    with (fleet / "anomscan.toml").open("a") as file:
        file.write('[detectors.cloud]\nkind = "sagemaker"\nendpoint = "e"\n')
    config = ["--config", str(fleet / "anomscan.toml")]
    assert run([*config, "scan", "--all", "--detector", "cloud", "--engine", "ray"]) == 2
    assert "leave out --engine ray" in capsys.readouterr().err
    assert run([*config, "scan", "--all", "--address", "auto"]) == 2
    assert "--engine ray" in capsys.readouterr().err
