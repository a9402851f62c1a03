"""The sections that are there once, each with its keys, their types and defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from anomscan.config.section import Section, told
from anomscan.errors import ConfigError
from anomscan.storage.places import is_url
from anomscan.telemetry.cadence import parse_duration


class Defaults(Section):
    """``[defaults]``: what a command uses unless an option says otherwise."""

    source: str | None = None
    detector: str = "rcf"


class StoreSettings(Section):
    """``[store]``: a folder, or the URL of a copy of one on object storage."""

    path: Path | str = Path("anomscan-data")

    @field_validator("path", mode="plain")
    @classmethod
    @told
    def _url_stays_a_url(cls, path: object) -> Path | str:
        if isinstance(path, str) and is_url(path):
            from anomscan.storage.object_storage import check_url

            check_url(path)
            return path
        if isinstance(path, (str, Path)):
            return Path(path)
        raise ConfigError("it must be a path, as text, or a URL")


class TrainSettings(Section):
    """``[train]``: which assets are fit to learn from."""

    samples: int = Field(365, ge=2)
    min_std: float = Field(0.0, ge=0.0)
    max_std: float = Field(0.10, gt=0.0)


class ScanSettings(Section):
    """``[scan]``: the rules of the backtest."""

    window: int = Field(366, ge=2)
    shingle: int = Field(7, ge=1, le=60)
    sigma: float = Field(4.0, gt=0.0, le=1e6, allow_inf_nan=False)
    cutoff: str = "mean-std"
    baseline: Literal["include-newest", "exclude-newest"] = "include-newest"
    gaps: Literal["calendar", "ignore"] = "calendar"
    skip_health: tuple[str, ...] = ("Unknown",)
    min_scores: float = Field(0.5, ge=0.0, le=1.0)
    budget: str = "1/1y"
    refractory: int = Field(0, ge=0, le=100_000)
    direction: Literal["both", "low", "high"] = "both"
    baseline_days: Literal["all", "clean"] = "all"
    forget_after: str = "90d"

    @field_validator("forget_after")
    @classmethod
    @told
    def _forget_after_is_a_duration(cls, text: str) -> str:
        parse_duration(text)
        return text


class IncidentsSettings(Section):
    """``[incidents]``: what is one incident, and the folder where all of them are remembered."""

    path: Path = Path("incidents")
    close_after: int = Field(7, ge=1, le=100_000)
    reopen_within: str = "30d"
    keep: str = "400d"

    @field_validator("reopen_within", "keep")
    @classmethod
    @told
    def _is_a_duration(cls, text: str) -> str:
        parse_duration(text)
        return text


class AssetColumns(Section):
    """Which column of the list of assets holds what; all but ``asset`` may be left out."""

    asset: str = "asset"
    cohort: str | None = None
    name: str | None = None
    capacity: str | None = None
    url: str | None = None
    tags: str | None = None
    commissioned: str | None = None
    retired: str | None = None


class AssetsSettings(Section):
    """``[assets]``: a CSV file, or a query to the database of a source, that says who the assets are."""

    path: Path | None = None
    source: str | None = None
    query: str | None = None
    columns: AssetColumns = AssetColumns()

    @property
    def given(self) -> bool:
        """Whether anything says who the assets are."""
        return self.path is not None or self.query is not None

    @model_validator(mode="after")
    @told
    def _one_origin(self) -> AssetsSettings:
        if self.path is not None and (self.query or self.source):
            raise ConfigError("the list of assets has a path and a query", hint="leave out one of them")
        if (self.query is None) != (self.source is None):
            raise ConfigError(
                "the list of assets needs a source and a query together",
                hint="source names one of kind sql, whose database is asked",
            )
        return self


class ReportSettings(Section):
    """``[report]``."""

    asset_url: str | None = None


class NightSettings(Section):
    """``[night]``."""

    prometheus: Path | None = None

    @field_validator("prometheus")
    @classmethod
    @told
    def _is_read_by_node_exporter(cls, path: Path | None) -> Path | None:
        return None if path is None else metrics_file(path)


def metrics_file(path: Path) -> Path:
    """A file for the textfile collector of node_exporter, which reads no other.

    Raises
    ------
    ConfigError
        If it is not called so.
    """
    if path.suffix != ".prom":
        raise ConfigError(
            f"'{path}' does not end in .prom", hint="node_exporter reads files such as /var/lib/node/anomscan.prom"
        )
    return path
