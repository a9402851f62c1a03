"""Scan and detect for Python: a store in a temporary folder, and the jobs of the command line on it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomscan.api.frames import cadence_of, long_table
from anomscan.api.quiet import Quiet
from anomscan.api.result import Result
from anomscan.errors import ConfigError
from anomscan.telemetry.rows import ASSET, TIMESTAMP

if TYPE_CHECKING:
    from anomscan.config import Settings

_SOURCE = "fleet"
#: Settings of a detector may be called like those of a scan: these are the scan's.
_KINDS = ("rcf", "control-chart", "nearest")


def scan(
    data: Any,
    *,
    detector: str = "control-chart",
    asset: str | None = "asset",
    timestamp: str | None = "timestamp",
    values: str | Sequence[str] | None = None,
    health: str | None = None,
    cohort: str | None = None,
    cadence: str | None = None,
    timezone: str = "UTC",
    through: str | None = None,
    **settings: object,
) -> Result:
    """Backtest a detector over the history of a fleet: on each day only what was known by then counts.

    Parameters
    ----------
    data
        One row a sample: a DataFrame of pandas or polars, or a table of Arrow.
    detector
        ``control-chart``, ``nearest`` or ``rcf``, which is trained first.
    asset, timestamp, values, health
        Columns. ``asset`` None: all rows are of one asset. ``timestamp`` None: the index of a pandas DataFrame.
        ``values`` None: all other columns of numbers.
    cohort
        A column that says whose peers an asset has; None for one cohort of all.
    cadence, timezone
        The step between samples, which is found out where it is None, and the zone of naive times and of days.
    through
        The last day that the forest is trained on; None for all.
    settings
        Those of ``[scan]`` and of the detector, by their names in the settings file.

    Raises
    ------
    AnomscanError
        As the command line says it: a setting that is not known, a table that cannot be used.
    """
    columns = {"asset": asset, "timestamp": timestamp, "values": values, "health": health, "cohort": cohort}
    return _run(data, columns, detector, cadence, timezone, through, settings, whole=False)


def detect(
    data: Any,
    *,
    detector: str = "control-chart",
    asset: str | None = "asset",
    timestamp: str | None = "timestamp",
    values: str | Sequence[str] | None = None,
    health: str | None = None,
    cohort: str | None = None,
    cadence: str | None = None,
    timezone: str = "UTC",
    through: str | None = None,
    **settings: object,
) -> Result:
    """Score a history once, with one cut-off over all its scores; see :func:`scan` for the parameters."""
    columns = {"asset": asset, "timestamp": timestamp, "values": values, "health": health, "cohort": cohort}
    return _run(data, columns, detector, cadence, timezone, through, settings, whole=True)


def _run(
    data: Any,
    columns: Mapping[str, Any],
    kind: str,
    cadence: str | None,
    timezone: str,
    through: str | None,
    given: Mapping[str, object],
    *,
    whole: bool,
) -> Result:
    if kind not in _KINDS:
        raise ConfigError(f"detector '{kind}' is not known here", hint=f"take one of {', '.join(_KINDS)}")
    table, variables = long_table(data, **columns)
    folder = Path(tempfile.mkdtemp(prefix="anomscan-"))
    try:
        flags = _written(folder, table, variables, columns, cadence or cadence_of(table), timezone)
        settings = _settings(folder, kind, flags, given)
        console = Quiet()
        _fetch(settings, console)
        _train(settings, console, kind, through)
        _deliver(settings, console, folder, whole=whole)
        return Result(folder, settings, console.warnings)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _written(
    folder: Path, table: Any, variables: Sequence[str], columns: Mapping[str, Any], cadence: str, timezone: str
) -> dict[tuple[str, ...], Any]:
    """Write the table as a file, and say what it is."""
    import pyarrow.parquet as pq

    named = {"asset": ASSET, "timestamp": TIMESTAMP, "values": list(variables)}
    if columns["health"] is not None:
        named["health"] = columns["health"]
    cohort = columns["cohort"]
    if cohort is not None:
        members = table.select([ASSET, cohort]).group_by([ASSET, cohort]).aggregate([])
        import pyarrow.csv

        pyarrow.csv.write_csv(members, folder / "assets.csv")
        table = table.drop_columns([cohort]) if cohort not in variables else table
    pq.write_table(table, folder / "telemetry.parquet")
    source = {
        "kind": "files",
        "path": str(folder / "telemetry.parquet"),
        "cadence": cadence,
        "timezone": timezone,
        "columns": named,
    }
    flags: dict[tuple[str, ...], Any] = {("sources", _SOURCE): source, ("store", "path"): str(folder / "store")}
    if cohort is not None:
        flags[("assets",)] = {"path": str(folder / "assets.csv"), "columns": {"asset": ASSET, "cohort": cohort}}
    return flags


def _settings(folder: Path, kind: str, flags: dict[tuple[str, ...], Any], given: Mapping[str, object]) -> Settings:
    """The settings of a run: what is of ``[scan]`` goes there, all else to the detector, which knows its own."""
    from anomscan.config import ScanSettings, load

    detector: dict[str, Any] = {"kind": kind}
    if kind == "rcf":
        detector["model"] = str(folder / "model.forest")
    for name, value in given.items():
        if name in ScanSettings.model_fields:
            flags[("scan", name)] = value
        else:
            detector[name] = value
    flags |= {
        ("detectors", kind): detector,
        ("defaults", "source"): _SOURCE,
        ("defaults", "detector"): kind,
        ("incidents", "path"): str(folder / "incidents"),
    }
    return load(flags=flags, environ={}, cwd=folder).settings


def _fetch(settings: Settings, console: Quiet) -> None:
    from anomscan.jobs.fetch.asset_list import keep_assets, listed_assets
    from anomscan.jobs.fetch.fetching import fetch_into
    from anomscan.jobs.fetch.requests import request_of, rules_of
    from anomscan.sources.registry import build
    from anomscan.store.store import Store

    name, source = settings.source(_SOURCE)
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
        console.warn(f"{len(report.rejects)} rows rejected; the first: {report.rejects[0].reason}")


def _train(settings: Settings, console: Quiet, kind: str, through: str | None) -> None:
    from anomscan.detectors.kind import TrainingRequest
    from anomscan.detectors.registry import kind_of

    name, chosen = settings.detector(kind)
    if kind_of(chosen).trained:
        request = TrainingRequest(settings=settings, name=name, source=_SOURCE, through=through, options={})
        kind_of(chosen).train(console, chosen, request)


def _deliver(settings: Settings, console: Quiet, folder: Path, *, whole: bool) -> None:
    from anomscan.jobs.engines import Threads
    from anomscan.jobs.job import Job
    from anomscan.jobs.scan import Delivery, deliver
    from anomscan.reports.records import DETECT_SCHEMA, SCAN_SCHEMA

    job = Job(schema=DETECT_SCHEMA if whole else SCAN_SCHEMA, whole=whole, assets=None)
    delivery = Delivery(output=str(folder / "results.jsonl"))
    deliver(settings, job, Threads(None), console, delivery, lambda records, tally: None)
