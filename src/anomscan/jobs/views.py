"""What a detector is given to see: each asset by itself, or against its cohort."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from anomscan.config import Settings
from anomscan.detectors.base import Detector, has_baseline, has_peers
from anomscan.detectors.cohorts import cohorts_of
from anomscan.detectors.kind import Console
from anomscan.detectors.peers import PeerView
from anomscan.errors import ConfigError
from anomscan.jobs.job import Known
from anomscan.store.asset_list import AssetList, members_of, read_asset_list
from anomscan.store.snapshot import Snapshot
from anomscan.telemetry.baseline import Baseline
from anomscan.telemetry.cohorts import Cohorts
from anomscan.wording import counted

#: Below this share of the variation peers tell hardly more than the own past.
LITTLE_SHARED = 0.2


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


def tell_of_peers(console: Console, cohorts: Cohorts, chosen: Any, detector: Detector, assets: Iterable[str]) -> None:
    """Say how much of their variation cohorts share, and which assets of a run have no cohort."""
    shares = {name: share for name, share in cohorts.shared.items() if not math.isnan(share)}
    if shares:
        low, high = (round(100 * each) for each in (min(shares.values()), max(shares.values())))
        many = f"{low} %" if low == high else f"{low} to {high} %"
        share = "shares" if len(shares) == 1 else "share"
        console.info(f"peers: {counted(len(shares), 'cohort')} {share} {many} of the variation of their assets")
    little = sorted(name for name, share in shares.items() if share < LITTLE_SHARED)
    if little and chosen.view == "peers":
        console.warn(
            f"{_some(little, 'cohort')} {'shares' if len(little) == 1 else 'share'} less than "
            f"{round(100 * LITTLE_SHARED)} % of the variation: comparing with peers hardly helps there "
            '(view = "own" leaves it)'
        )
    alone = [asset for asset in assets if cohorts.cohort(asset) is None]
    if alone:
        their = "its" if len(alone) == 1 else "their"
        say = f"compared with {their} own past" if has_peers(detector) else "no data"
        console.warn(f"{_some(alone, 'asset')} {'has' if len(alone) == 1 else 'have'} no cohort in [assets]: {say}")


def _some(names: Sequence[str], what: str) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{counted(len(names), what)} ({shown})"


def in_view(
    detector: Detector,
    chosen: Any,
    settings: Settings,
    snapshot: Snapshot,
    known: Known,
    cohorts: Cohorts | None = None,
    baseline: Baseline | None = None,
) -> tuple[Detector, Cohorts | None]:
    """A detector as its settings say what it sees, and the cohorts it was given.

    Parameters
    ----------
    cohorts
        The cohorts, where somebody knows them already.
    baseline
        What people say is normal; None if nobody has said anything.

    Raises
    ------
    ConfigError
        If peers cannot be told.
    StoreError
        If the store is damaged.
    """
    if has_baseline(detector):
        detector = detector.with_baseline(baseline or Baseline(), settings.scan.skip_health)
    if not wants_peers(chosen):
        return detector, None
    if settings.scan.gaps != "calendar":
        raise ConfigError("peers are compared by the calendar", hint='set [scan] gaps = "calendar", or view = "own"')
    if cohorts is None:
        members = members_of(asset_list(settings, snapshot, known))
        cohorts = cohorts_of(snapshot, members, as_of=known.as_of, through=known.through)
    cohorts = replace(cohorts, how=chosen.peers)
    if has_peers(detector):
        return detector.with_cohorts(cohorts), cohorts
    return PeerView(detector, cohorts, chosen.peers), cohorts
