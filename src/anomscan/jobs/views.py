"""What a detector is given to see: each asset by itself, or against its cohort."""

from __future__ import annotations

from typing import Any

from anomscan.config import Settings
from anomscan.detectors.base import Detector
from anomscan.detectors.cohorts import cohorts_of
from anomscan.detectors.control_chart.detector import ControlChart
from anomscan.detectors.peers import PeerView
from anomscan.errors import ConfigError
from anomscan.jobs.job import Known
from anomscan.store.asset_list import AssetList, members_of, read_asset_list
from anomscan.store.snapshot import Snapshot
from anomscan.telemetry.cohorts import Cohorts


def asset_list(settings: Settings, snapshot: Snapshot, known: Known) -> AssetList:
    """What the store says of the assets, as far as a run may know; nothing without ``[assets]``.

    Raises
    ------
    StoreError
        If it is damaged.
    """
    if not settings.assets.given:
        return {}
    return read_asset_list(snapshot.folder, known.as_of) or {}


def wants_peers(chosen: Any) -> bool:
    """Whether the settings of a detector ask for a comparison with others."""
    return getattr(chosen, "view", "own") != "own"


def in_view(
    detector: Detector, chosen: Any, settings: Settings, snapshot: Snapshot, known: Known
) -> tuple[Detector, Cohorts | None]:
    """A detector as its settings say what it sees, and the cohorts it was given.

    Raises
    ------
    ConfigError
        If peers cannot be told.
    StoreError
        If the store is damaged.
    """
    cohorts = None
    if wants_peers(chosen):
        if settings.scan.gaps != "calendar":
            raise ConfigError(
                "peers are compared by the calendar", hint='set [scan] gaps = "calendar", or view = "own"'
            )
        cohorts = cohorts_of(
            snapshot, members_of(asset_list(settings, snapshot, known)), as_of=known.as_of, through=known.through
        )
    if isinstance(detector, ControlChart):
        return detector.with_cohorts(cohorts, settings.scan.skip_health), cohorts
    return (detector if cohorts is None else PeerView(detector, cohorts, chosen.peers)), cohorts
