"""A run on real workers of Ray: an asset that ends its worker, and workers that do not see the store."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import ray.cloudpickle

from anomscan.config import load
from anomscan.detectors.base import Capabilities, Scores
from anomscan.jobs.checkpoint import Checkpoint
from anomscan.jobs.engines import Threads
from anomscan.jobs.engines.cluster import Ray
from anomscan.jobs.job import Job
from anomscan.jobs.run import Run
from anomscan.reports.records import SCAN_SCHEMA, Record, read_records
from anomscan.store.store import Store
from anomscan.telemetry.series import Series
from fleets import config, put

pytestmark = pytest.mark.servers

ASSETS = [f"asset {number}" for number in range(8)]


class Deadly:
    """A detector that gives the values as scores, and ends the process at the sight of one asset."""

    name, fingerprint, trained_through, capabilities = "rcf", "", None, Capabilities()

    def __init__(self, asset: str) -> None:
        self._asset, self._home = asset, os.getpid()

    def score(self, batch: Sequence[Series], shingle: int, rows: Sequence[slice] | None = None) -> list[Scores]:
        if os.getpid() != self._home and any(series.asset == self._asset for series in batch):
            os._exit(1)
        return [Scores(series.timestamps, series.values[:, 0].copy()) for series in batch]

    def contributions(self, series: Series, rows: object, shingle: int) -> None:
        return None


@pytest.fixture(scope="module")
def engine() -> Iterator[Ray]:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with Ray(workers=2) as engine:
        yield engine
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def results(folder: Path, detector: Deadly, engine: Ray | Threads, away: bool = False) -> dict[str, Record]:
    """The records of a run by asset; ``away`` hides the store from everyone who has not opened it yet."""
    (folder / "anomscan.toml").write_text(config())
    store = Store.create(folder / "anomscan-data")
    if not (folder / "anomscan-data").exists():
        put(
            store,
            {(asset, day): ([(day * 7 % 11) + (day == 30) * 90], "ok") for asset in ASSETS for day in range(40)},
            1,
        )
    run = Run.of(
        load(folder / "anomscan.toml").settings,
        Job(schema=SCAN_SCHEMA, whole=False, assets=None),
        store.snapshot("fleet"),
        detector,
    )
    if away:
        (folder / "anomscan-data").rename(folder / "elsewhere")
    with Checkpoint(None, run.key, run.work.columns) as checkpoint:
        run.go(engine, checkpoint, lambda tally: None)
        lines = [each.line.decode() for each in checkpoint.results()]
    return {record.asset: record for record in read_records(lines)}


def test_an_asset_that_ends_its_worker_thrice_is_an_error_of_its_own(engine: Ray, tmp_path: Path) -> None:
    usual = results(tmp_path, Deadly("none"), Threads(1))
    found = results(tmp_path, Deadly("asset 3"), engine)
    assert len(usual) == len(ASSETS)
    assert any(record.has_findings for record in usual.values())
    assert "killed or crashed, 3 times" in (found.pop("asset 3").error or "")
    del usual["asset 3"]
    assert found == usual


def test_workers_that_do_not_see_the_store_get_their_part_sent(engine: Ray, tmp_path: Path) -> None:
    usual = results(tmp_path, Deadly("none"), Threads(1))
    assert results(tmp_path, Deadly("none"), engine, away=True) == usual
