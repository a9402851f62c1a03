"""What a run was asked to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from anomscan.backtest.asset import Stretch
from anomscan.backtest.rules import Rules
from anomscan.config import DetectorSettings, MaintenanceSettings, ScanSettings, Settings
from anomscan.detectors.base import Capabilities
from anomscan.detectors.control_chart.thresholds import time_of
from anomscan.errors import ConfigError
from anomscan.telemetry.cadence import Cadence, first_instant, last_instant, parse_duration

#: The cut-off that is the detector's own threshold.
OWN_THRESHOLD = "threshold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the command line asked for.

    Parameters
    ----------
    schema
        Of the records.
    whole
        Whether one cut-off is taken over all scores of an asset.
    assets
        The ids asked for, None for all.
    source, detector
        Names in the settings; None for the default ones.
    start, end, days
        The days to report.
    as_of
        Only rows that had arrived by then exist.
    through
        Only samples up to then exist.
    record, replay
        Where to keep what a remote detector answers, or to have it from.
    min_severity
        An anomaly's severity lies above it; None for what the detector's settings say, if anything.
    rescore
        Whether scores that were kept are left aside.
    retrospective
        Whether later samples may have a say in the verdict on a day.
    """

    schema: str
    whole: bool
    assets: Sequence[str] | None
    source: str | None = None
    detector: str | None = None
    start: str | None = None
    end: str | None = None
    days: int | None = None
    as_of: str | None = None
    through: str | None = None
    record: Path | None = None
    replay: Path | None = None
    min_severity: float | None = None
    rescore: bool = False
    retrospective: bool = False

    def stretch(self, settings: Settings) -> Stretch:
        """The days to report, which are days of the source's time zone.

        Raises
        ------
        ConfigError
            If they make no sense.
        """
        zone = settings.source(self.source)[1].sample_zone
        return Stretch(
            None if self.start is None else first_instant(self.start, zone),
            None if self.end is None else last_instant(self.end, zone),
            self.days,
            zone,
        )

    def known(self, settings: Settings) -> Known:
        """What the run may know.

        Raises
        ------
        ConfigError
            If a time is not one.
        """
        source = settings.source(self.source)[1]
        return Known(
            None if self.as_of is None else last_instant(self.as_of, source.zone),
            None if self.through is None else last_instant(self.through, source.sample_zone),
        )

    def severity_above(self, settings: Settings) -> float | None:
        """The value that an anomaly's severity must exceed; None for no limit."""
        _, chosen = settings.detector(self.detector)
        return chosen.min_severity if self.min_severity is None and self.whole else self.min_severity

    def facts(self, settings: Settings) -> dict[str, Any]:
        """Everything that decides the results, besides the data and the model."""
        source, origin = settings.source(self.source)
        detector, chosen = settings.detector(self.detector)
        least = self.severity_above(settings)
        return {
            "source": source,
            "detector": detector,
            "scan": settings.scan.model_dump(mode="json"),
            "detector_settings": chosen.model_dump(
                mode="json", exclude={"path", "model", *(() if chosen.cutoff else ("cutoff",))}
            ),
            "from": self.start,
            "to": self.end,
            "days": self.days,
            "as_of": self.as_of,
            **({} if self.through is None else {"through": self.through}),
            **({} if origin.zone == "UTC" else {"timezone": origin.zone}),
            **({} if least is None else {"min_severity": least}),
            **({} if not settings.maintenance else {"maintenance": _plain(settings.maintenance)}),
        }


def _plain(maintenance: Sequence[MaintenanceSettings]) -> list[dict[str, Any]]:
    return [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in maintenance]


@dataclass(frozen=True, slots=True)
class Known:
    """What a run may know.

    Parameters
    ----------
    as_of, through
        datetime64[us]: the last arrival and the last sample that exist; None for no bound.
    """

    as_of: np.datetime64 | None = None
    through: np.datetime64 | None = None


def rules_of(scan: ScanSettings, cadence: Cadence, detector: Capabilities, cutoff: str | None = None) -> Rules:
    """The rules that a section of the settings describes.

    Parameters
    ----------
    detector
        If it has a threshold there is no window; if it scores by all that came before, each sample stands for itself.
    cutoff
        What ``[detectors.NAME] cutoff`` says instead of ``[scan]``, and of a threshold; None if nothing.

    Raises
    ------
    ConfigError
        If nothing could ever be anomalous, or the detector has no threshold of its own that was asked for.
    """
    if cutoff == OWN_THRESHOLD:
        if detector.threshold is None:
            raise ConfigError("the detector has no threshold of its own", hint='choose "mean-std" or "rank"')
        cutoff = None
    if detector.threshold is not None and cutoff is None:
        calendar, threshold = scan.gaps == "calendar", detector.threshold
        return Rules(shingle=1, calendar=calendar, skip_health=scan.skip_health, threshold=threshold)
    return Rules(
        window=scan.window,
        shingle=1 if detector.history else scan.shingle,
        sigma=scan.sigma,
        include_newest=scan.baseline == "include-newest",
        calendar=scan.gaps == "calendar",
        skip_health=scan.skip_health,
        cutoff=cutoff or scan.cutoff,
        clean=scan.baseline_days == "clean",
        forget_after=max(int(parse_duration(scan.forget_after).astype(np.int64) // cadence.step_us), 1),
        min_scores=scan.min_scores,
        history=detector.history,
        budget=time_of(scan.budget) / cadence.step_us,
        refractory=scan.refractory,
    )


class Remedies(NamedTuple):
    """What to do where all days are warming up, and where all lack data: the reason, and the way out."""

    warming_up: str
    no_data: str


def remedies(settings: Settings, job: Job) -> Remedies:
    """What a detector and its rules need before they judge a day."""
    name, chosen = settings.detector(job.detector)
    if chosen.warm_up is not None and chosen.cutoff in (None, OWN_THRESHOLD):
        return Remedies(
            f"a day is judged after {chosen.warm_up} samples: fetch more history, or lower [detectors.{name}] "
            "min_history",
            "there is no value to judge: fetch the missing samples",
        )
    return Remedies(
        "fetch more history: too few scores for a cut-off"
        if job.whole
        else f"a day is judged after {settings.scan.window} samples: fetch more history, or lower [scan] window or "
        "min_scores",
        "each shingle has a gap: fetch the missing samples, or lower [scan] shingle",
    )


def samples_to_false(rules: Rules, detector: DetectorSettings, step_us: int) -> float | None:
    """How many samples there are to a false one, by the budget of a cut-off; None if it has none."""
    if rules.threshold is not None:
        return None if detector.false_budget is None else time_of(detector.false_budget) / step_us
    return rules.budget if rules.cutoff == "rank" else None
