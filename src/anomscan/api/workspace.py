"""Where a run in Python works: a temporary folder with a store, and the jobs of the command line on it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomscan.api.frames import Given, Shape, cadence_of, given_table
from anomscan.api.quiet import Quiet
from anomscan.detectors.rcf.forest import Forest
from anomscan.errors import ConfigError
from anomscan.telemetry.rows import ASSET, TIMESTAMP
from anomscan.wording import counted

if TYPE_CHECKING:
    from anomscan.config import Settings

SOURCE = "fleet"
_KINDS = ("rcf", "control-chart", "nearest", "profile")


@dataclass(frozen=True)
class Workspace:
    """A folder with a store that holds the user's telemetry, and the settings to judge it with."""

    folder: Path
    settings: Settings
    console: Quiet
    kind: str

    def train(self, through: str | None) -> None:
        """Train the detector, if it is one that is trained.

        Raises
        ------
        AnomscanError
            If it cannot be.
        """
        from anomscan.detectors.kind import TrainingRequest
        from anomscan.detectors.registry import kind_of

        name, chosen = self.settings.detector(self.kind)
        if kind_of(chosen).trained:
            request = TrainingRequest(settings=self.settings, name=name, source=SOURCE, through=through, options={})
            kind_of(chosen).train(self.console, chosen, request)

    def judge(self, *, whole: bool) -> None:
        """Write records and scores beside the store.

        Raises
        ------
        AnomscanError
            If the store cannot be judged.
        """
        from anomscan.jobs.engines import Threads
        from anomscan.jobs.job import Job
        from anomscan.jobs.scan import Delivery, deliver
        from anomscan.reports.records import DETECT_SCHEMA, SCAN_SCHEMA

        job = Job(schema=DETECT_SCHEMA if whole else SCAN_SCHEMA, whole=whole, assets=None)
        delivery = Delivery(output=str(self.folder / "results.jsonl"))
        deliver(self.settings, job, Threads(None), self.console, delivery, lambda records, tally: None)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that stays, unless there is an error."""
    folder = Path(tempfile.mkdtemp(prefix="anomscan-"))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def filled(
    folder: Path, data: Any, shape: Shape, kind: str, cadence: str | None, timezone: str, given: Mapping[str, object]
) -> Workspace:
    """Bring a user's table into the store of a folder.

    Parameters
    ----------
    kind
        Of detector.
    given
        Settings of the scan, of training and of the detector.

    Raises
    ------
    AnomscanError
        A setting that is not known, a table that cannot be used.
    """
    if kind not in _KINDS:
        raise ConfigError(f"detector '{kind}' is not known here", hint=f"take one of {', '.join(_KINDS)}")
    table = given_table(data, shape)
    flags = _written(folder, table, shape, cadence or cadence_of(table), timezone)
    settings = _settings(folder, kind, flags, given)
    console = Quiet()
    if table.left_out:
        console.warn(f"not watched, as they are not of numbers: {', '.join(table.left_out)}")
    fetched(settings, console)
    return Workspace(folder, settings, console, kind)


def _written(folder: Path, given: Given, shape: Shape, cadence: str, timezone: str) -> dict[tuple[str, ...], Any]:
    """Write the table as a file, and say what it is."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    pq.write_table(given.table, folder / "telemetry.parquet")
    columns: dict[str, object] = {"timestamp": TIMESTAMP, "values": list(given.variables)}
    if not given.wide:
        columns["asset"] = ASSET
    if shape.health is not None:
        columns["health"] = shape.health
    source = {
        "kind": "files",
        "path": str(folder / "telemetry.parquet"),
        "layout": "wide" if given.wide else "long",
        "cadence": cadence,
        "timezone": timezone,
        "columns": columns,
    }
    flags: dict[tuple[str, ...], Any] = {("sources", SOURCE): source, ("store", "path"): str(folder / "store")}
    if given.cohorts:
        members = pa.table({"asset": list(given.cohorts), "cohort": list(given.cohorts.values())})
        pyarrow.csv.write_csv(members, folder / "assets.csv")
        flags[("assets",)] = {"path": str(folder / "assets.csv"), "columns": {"asset": "asset", "cohort": "cohort"}}
    return flags


def _settings(folder: Path, kind: str, flags: dict[tuple[str, ...], Any], given: Mapping[str, object]) -> Settings:
    """The settings of a run: what is of ``[scan]`` or ``[train]`` goes there, all else to the detector."""
    from anomscan.config import ScanSettings, TrainSettings, load
    from anomscan.detectors.registry import kind_named

    detector: dict[str, Any] = {"kind": kind}
    trained = kind_named(kind).trained
    if trained:
        detector["model"] = str(folder / "model.forest")
    for name, value in given.items():
        if name in ScanSettings.model_fields:
            flags[("scan", name)] = value
        elif trained and name in TrainSettings.model_fields:
            flags[("train", name)] = value
        else:
            detector[name] = value
    if isinstance(detector.get("model"), Forest):
        forest, detector["model"] = detector["model"], str(folder / "model.forest")
        forest.save(detector["model"])
    flags |= {
        ("detectors", kind): detector,
        ("defaults", "source"): SOURCE,
        ("defaults", "detector"): kind,
        ("incidents", "path"): str(folder / "incidents"),
    }
    return load(flags=flags, environ={}, cwd=folder).settings


def fetched(settings: Settings, console: Quiet) -> None:
    """Bring the source of these settings into its store; the console keeps what went wrong with some of it.

    Raises
    ------
    AnomscanError
        If nothing can be had.
    """
    from anomscan.jobs.fetch.asset_list import keep_assets, listed_assets
    from anomscan.jobs.fetch.fetching import fetch_into
    from anomscan.jobs.fetch.requests import request_of, rules_of
    from anomscan.sources.registry import build
    from anomscan.store.store import Store

    name, source = settings.source(SOURCE)
    listed = listed_assets(settings)
    store = Store.create(settings.store.path)
    report = fetch_into(store, build(name, source), request_of(), rules=rules_of(source), include_current=True)
    if listed is not None:
        keep_assets(store, name, listed)
    for text in report.warnings:
        console.warn(text)
    for failure in report.failures:
        console.warn(f"asset '{failure.asset}': {failure.error}")
    if report.rejects:
        console.warn(f"{counted(len(report.rejects), 'row')} rejected; the first: {report.first_reject}")
