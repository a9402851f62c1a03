"""Every section and key of the settings, with its type and default."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from datetime import date
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError

from anomscan.errors import ConfigError
from anomscan.storage.places import is_url
from anomscan.store.rules import Duplicates
from anomscan.telemetry.cadence import Cadence, first_instant, last_instant, parse_duration
from anomscan.telemetry.patterns import check_pattern, check_zone

_Checked = TypeVar("_Checked")

_REFERENCES = ("env:", "file:", "aws-secretsmanager://")


def is_reference(text: str) -> bool:
    """Whether a setting refers to a secret elsewhere; :mod:`anomscan.tables.secrets` reads it."""
    return text.startswith(_REFERENCES)


def _told(check: Callable[..., _Checked]) -> Callable[..., _Checked]:
    """Let what a check refuses stand beside the other errors of the settings."""

    @wraps(check)
    def checked(*given: Any) -> _Checked:
        try:
            return check(*given)
        except ConfigError as error:
            raise PydanticCustomError("refused", "{said}", {"said": error.message, "hint": error.hint}) from None

    return checked


class Section(BaseModel):
    """A section of the settings: unknown keys are errors, and values never change."""

    # Built when first used: that is, once, with the settings as a whole.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)


class Defaults(Section):
    """``[defaults]``: what a command uses unless an option says otherwise."""

    source: str | None = None
    detector: str = "rcf"


class StoreSettings(Section):
    """``[store]``: a folder, or the URL of a copy of one on object storage."""

    path: Path | str = Path("anomscan-data")

    @field_validator("path", mode="plain")
    @classmethod
    @_told
    def _url_stays_a_url(cls, path: object) -> Path | str:
        if isinstance(path, str) and is_url(path):
            from anomscan.storage.object_storage import check_url

            check_url(path)
            return path
        if isinstance(path, (str, Path)):
            return Path(path)
        raise ValueError("not a path")


class Columns(Section):
    """Which column holds what.

    ``asset`` may be left out where each file holds one asset, named after it; ``health`` where there is none. ``tag``
    and ``value`` are of a table with a row each value, ``ignore`` of one with a column each asset.
    """

    asset: str | None = None
    timestamp: str = "timestamp"
    values: tuple[str, ...] = Field(min_length=1)
    health: str | None = None
    tag: str | None = None
    value: str | None = None
    ignore: tuple[str, ...] = ()

    @field_validator("values")
    @classmethod
    @_told
    def _values_differ(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        twice = [name for place, name in enumerate(names) if name in names[:place]]
        if twice:
            raise ConfigError(f"columns.values names '{twice[0]}' twice")
        return names


class _SourceSettings(Section):
    cadence: str
    columns: Columns
    layout: Literal["long", "wide", "tags"] = "long"
    timezone: str | None = None
    timestamp_format: str | None = None
    day_stamp: Literal["start", "end"] = "start"
    missing: tuple[str, ...] = ()
    plausible: dict[str, tuple[float, float]] | None = None
    late: str = "3d"
    earliest: str | None = None
    silent_after: str | None = None
    align: Literal["exact", "nearest"] = "exact"
    align_tolerance: str = "30s"

    @field_validator("align_tolerance")
    @classmethod
    @_told
    def _tolerance_is_a_duration(cls, text: str) -> str:
        parse_duration(text)
        return text

    @model_validator(mode="after")
    @_told
    def _tolerance_fits(self) -> Self:
        if self.align == "nearest" and 2 * self.tolerance_us >= Cadence.parse(self.cadence).step_us:
            raise ConfigError(
                f"align_tolerance {self.align_tolerance} is not less than half of the cadence {self.cadence}",
                hint="name how far timestamps may be off, such as 5s",
            )
        return self

    @property
    def tolerance_us(self) -> int:
        """How far from the grid a timestamp may lie, in microseconds."""
        return int(parse_duration(self.align_tolerance).astype(int)) if self.align == "nearest" else 0

    @property
    def zone(self) -> str:
        """The IANA name of the time zone of the source's days."""
        return self.timezone or "UTC"

    @property
    def sample_zone(self) -> str:
        """The zone in which days that a user names become instants: daily samples are dates, midnights in UTC."""
        return "UTC" if Cadence.parse(self.cadence).whole_days else self.zone

    @field_validator("earliest", mode="before")
    @classmethod
    @_told
    def _earliest_is_an_instant(cls, given: object) -> object:
        # TOML has dates of its own.
        text = given.isoformat() if isinstance(given, date) else given
        if isinstance(text, str):
            first_instant(text)
        return text

    @field_validator("missing", mode="before")
    @classmethod
    @_told
    def _numbers_as_text(cls, given: object) -> object:
        if not isinstance(given, (list, tuple)):
            return given
        return tuple(str(each) if type(each) in (int, float) else each for each in given)

    @field_validator("late", "silent_after")
    @classmethod
    @_told
    def _is_a_duration(cls, text: str | None) -> str | None:
        if text is not None:
            parse_duration(text)
        return text

    @field_validator("cadence")
    @classmethod
    @_told
    def _cadence_is_known(cls, text: str) -> str:
        Cadence.parse(text)
        return text

    @field_validator("timestamp_format")
    @classmethod
    @_told
    def _pattern_is_one(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            check_pattern(pattern)
        return pattern

    @field_validator("timezone")
    @classmethod
    @_told
    def _zone_is_known(cls, name: str | None) -> str | None:
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        if name is not None:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones, as Europe
                raise ConfigError(f"time zone '{name}' is not known", hint="write it as Europe/Paris or UTC") from None
        return name

    @model_validator(mode="after")
    @_told
    def _columns_fit_the_layout(self) -> Self:
        columns = self.columns
        if self.layout != "tags" and (columns.tag is not None or columns.value is not None):
            raise ConfigError('columns.tag and columns.value need layout = "tags"')
        if self.layout != "wide" and columns.ignore:
            raise ConfigError('columns.ignore needs layout = "wide"')
        if self.layout == "tags" and columns.health is not None:
            raise ConfigError('layout = "tags" has no columns.health')
        if self.layout == "wide" and (columns.asset or columns.health or len(columns.values) > 1):
            raise ConfigError(
                'layout = "wide" has a column each asset: no columns.asset, no health, and one name in columns.values',
                hint="read several variables from a source each, or from a long table",
            )
        if self.layout == "tags" and isinstance(self, RestSource):
            raise ConfigError('layout = "tags" is for files and SQL')
        if self.layout == "wide" and not isinstance(self, FilesSource):
            raise ConfigError(
                'layout = "wide" is for files', hint="let the query turn the columns into rows, by UNPIVOT or UNION ALL"
            )
        return self

    @model_validator(mode="after")
    @_told
    def _pattern_fits_the_zone(self) -> Self:
        if self.timestamp_format is not None:
            check_zone(self.timestamp_format, self.timezone)
        return self

    @model_validator(mode="after")
    @_told
    def _limits_are_of_variables(self) -> Self:
        for name, (low, high) in (self.plausible or {}).items():
            if name not in self.columns.values:
                raise ConfigError(
                    f"plausible names '{name}', which is not in columns.values",
                    hint=f"its variables are {', '.join(self.columns.values)}",
                )
            if not low < high:
                raise ConfigError(f"plausible.{name} is [{low:g}, {high:g}]: the first must be below the second")
        return self


class FilesSource(_SourceSettings):
    """``[sources.NAME]`` with ``kind = "files"``: one file, a folder, or a pattern."""

    kind: Literal["files"]
    path: Path
    format: Literal["csv", "parquet", "jsonl", "excel"] | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    decimal: Literal[".", ","] | None = None
    thousands: Literal[".", ",", " ", "'"] | None = None
    encoding: str | None = None
    skip_rows: tuple[Annotated[int, Field(ge=1)], ...] = ()
    comment: Annotated[str, Field(min_length=1)] | None = None
    duplicates: Duplicates | Literal["newest-file"] = "reject"
    units_row: bool | None = None
    sheet: str | None = None

    @field_validator("encoding")
    @classmethod
    @_told
    def _encoding_is_known(cls, name: str | None) -> str | None:
        if name is None:
            return None
        try:
            "".encode(name)  # which refuses what is no encoding of text
            return codecs.lookup(name).name
        except LookupError:
            raise ConfigError(f"encoding '{name}' is not known", hint="write it as utf-8, cp1252 or latin-1") from None

    @model_validator(mode="after")
    @_told
    def _signs_differ(self) -> FilesSource:
        signs = [sign for sign in (self.delimiter, self.decimal, self.thousands) if sign is not None]
        if len(set(signs)) < len(signs):
            raise ConfigError("delimiter, decimal and thousands must differ from one another")
        return self


class SqlSource(_SourceSettings):
    """``[sources.NAME]`` with ``kind = "sql"``: the user's own query with bound parameters."""

    kind: Literal["sql"]
    url: SecretStr | None = None
    secret: str | None = None
    query: str
    duplicates: Duplicates = "reject"
    tls: Literal["verify-identity", "verify-ca", "require", "prefer", "disable"] = "prefer"
    ca: Path | None = None
    connect_timeout_s: float = Field(10.0, gt=0.0, le=3_600.0)
    read_timeout_s: float = Field(300.0, gt=0.0, le=86_400.0)
    fast: Literal["auto", "never"] = "auto"

    @field_validator("secret")
    @classmethod
    @_told
    def _secret_stands_elsewhere(cls, reference: str | None) -> str | None:
        if reference is not None and not is_reference(reference):
            # It may be the secret itself, so it is not repeated.
            raise ConfigError(
                "the secret of a source is not a reference", hint=f"it must begin with {', '.join(_REFERENCES)}"
            )
        return reference


class RestSource(_SourceSettings):
    """``[sources.NAME]`` with ``kind = "rest"``: a JSON API that is asked asset by asset; docs/rest.md has examples."""

    kind: Literal["rest"]
    url: SecretStr
    key: SecretStr | None = None
    key_in: Literal["query", "header", "bearer"] = "query"
    key_name: str | None = None
    records: str | None = None
    fields: tuple[str, ...] | str | None = None
    duplicates: Duplicates = "reject"
    time_format: str | None = None
    history_days: int = Field(366, ge=1, le=36_500)
    assets: tuple[str, ...] = ()
    assets_url: SecretStr | None = None
    assets_records: str | None = None
    assets_id: str | None = None
    paging: Literal["none", "next-link", "cursor", "page"] = "none"
    next: str | None = None
    page_parameter: str | None = None
    first_page: int = Field(1, ge=0)
    concurrency: int = Field(4, ge=1, le=64)
    deadline_s: float = Field(120.0, gt=0.0, le=86_400.0)
    connect_timeout_s: float = Field(10.0, gt=0.0, le=3_600.0)
    read_timeout_s: float = Field(30.0, gt=0.0, le=3_600.0)
    max_response_mb: float = Field(32.0, gt=0.0, le=4_096.0)
    ca: Path | None = None

    @model_validator(mode="after")
    @_told
    def _fields_have_the_columns(self) -> RestSource:
        if isinstance(self.fields, tuple):
            wanted = [self.columns.asset, self.columns.timestamp, *self.columns.values, self.columns.health]
            for name in wanted:
                if name is not None and not any(name == each or name.startswith(f"{each}.") for each in self.fields):
                    raise ConfigError(
                        f"fields has no '{name}', which columns names",
                        hint="name all items of a record in their order",
                    )
        return self


SourceSettings = Annotated[FilesSource | SqlSource | RestSource, Field(discriminator="kind")]


class DetectorSection(Section):
    """What all ``[detectors.NAME]`` have in common."""

    @property
    def min_severity(self) -> float | None:
        """The value that the severity of an anomaly must exceed in ``detect``; None for no limit."""
        return None


class RcfDetector(DetectorSection):
    """``[detectors.NAME]`` with ``kind = "rcf"``: the forest in this process."""

    view: Literal["own", "peers"] = "own"
    peers: Literal["difference", "ratio"] = "difference"

    kind: Literal["rcf"] = "rcf"
    trees: int = Field(300, ge=1, le=1000)
    sample_size: int = Field(365, ge=1, le=2048)
    seed: int = Field(0, ge=0)
    sampling: Literal["shuffled", "sagemaker"] = "shuffled"
    model: Path = Path("models/rcf.forest")


class RecordedDetector(DetectorSection):
    """``[detectors.NAME]`` with ``kind = "recorded"``: scores read from a file."""

    kind: Literal["recorded"]
    path: Path


class ControlChartDetector(DetectorSection):
    """``[detectors.NAME]`` with ``kind = "control-chart"``: statistical process control; see docs/control-chart.md."""

    kind: Literal["control-chart"]
    view: Literal["own", "peers", "auto"] = "auto"
    peers: Literal["difference", "ratio"] = "difference"
    budget: str = "1/20y"
    min_history: int = Field(60, ge=10, le=2_016)
    forget_after: str = "90d"


class NearestDetector(DetectorSection):
    """``[detectors.NAME]`` with ``kind = "nearest"``: the nearest past; see docs/nearest.md."""

    kind: Literal["nearest"]
    view: Literal["own", "peers"] = "own"
    peers: Literal["difference", "ratio"] = "difference"
    half_lives: tuple[Annotated[float, Field(ge=1.0, le=10_000.0)], ...] | None = Field(
        None, min_length=1, max_length=8
    )
    difference: bool = False
    min_history: int | None = Field(None, ge=10, le=1_000_000)
    max_lag: int = Field(10_000, ge=10, le=1_000_000)
    inherit: float = Field(0.8, ge=0.0, le=1.0)

    @model_validator(mode="after")
    @_told
    def _there_is_something_to_compare(self) -> Self:
        longest = max(self.half_lives or (1.0,))
        if self.min_history is not None and self.half_lives is not None and self.min_history <= 5 * longest:
            raise ConfigError(
                f"min_history of {self.min_history} holds no two stretches of half-life {longest:g}",
                hint="set min_history above five times the longest of half_lives",
            )
        if self.max_lag <= 5 * longest:
            raise ConfigError(
                f"max_lag of {self.max_lag} leaves no past to compare for a half-life of {longest:g}",
                hint="set max_lag above five times the longest of half_lives",
            )
        return self


class SageMakerTraining(Section):
    """``[detectors.NAME.training]``: how ``train`` trains a model with SageMaker and deploys it."""

    role_arn: str | None = None
    bucket: str | None = None
    prefix: str = "anomscan"
    image_uri: str | None = None
    trees: int = Field(300, ge=50, le=1000)
    sample_size: int = Field(365, ge=1, le=2048)
    order: Literal["shuffled", "by-asset"] = "shuffled"
    training_instance_type: str = "ml.m5.large"
    training_instance_count: int = Field(1, ge=1, le=20)
    volume_gb: int = Field(10, ge=1, le=16_384)
    max_runtime_s: int = Field(3_600, ge=60, le=432_000)
    instance_type: str = "ml.c5.xlarge"
    instance_count: int = Field(1, ge=1, le=100)
    serverless_memory_mb: int = Field(2_048, ge=1_024, le=6_144, multiple_of=1_024)
    serverless_concurrency: int = Field(5, ge=1, le=200)
    tags: dict[str, str] = {}


class SageMakerDetector(DetectorSection):
    """``[detectors.NAME]`` with ``kind = "sagemaker"``: a forest behind an endpoint; see docs/sagemaker.md."""

    kind: Literal["sagemaker"]
    endpoint: str = Field(min_length=1)
    region: str | None = None
    accept: Literal["application/json", "application/jsonlines"] = "application/json"
    serverless: bool = False
    max_payload_mb: float | None = Field(None, gt=0.0, le=25.0)
    concurrency: int = Field(4, ge=1, le=64)
    deadline_s: float = Field(120.0, gt=0.0, le=86_400.0)
    connect_timeout_s: float = Field(10.0, gt=0.0, le=3_600.0)
    read_timeout_s: float = Field(70.0, gt=0.0, le=3_600.0)
    shingle: int | None = Field(None, ge=1)
    variables: tuple[str, ...] | None = None
    trained_through: str | None = None
    training: SageMakerTraining = SageMakerTraining()

    @field_validator("trained_through")
    @classmethod
    @_told
    def _trained_through_is_an_instant(cls, text: str | None) -> str | None:
        if text is not None:
            last_instant(text)
        return text


class AzureDetector(DetectorSection):
    """``[detectors.NAME]`` with ``kind = "azure"``: Multivariate Anomaly Detector v1.1; see docs/azure.md."""

    kind: Literal["azure"]
    endpoint: str = Field(min_length=1)
    key: SecretStr | None = None
    model_id: str | None = None
    model: Path = Path("models/mvad.json")
    storage_connection_string: SecretStr | None = None
    container: str = Field("data", min_length=1)
    access: Literal["sas", "managed-identity"] = "sas"
    sas_lifetime_s: int = Field(3_600, ge=60, le=86_400)
    data_folder: Path = Path("anomscan-mvad-data/sources")
    data_schema: Literal["table", "zip", "folder"] = "table"
    sensitivity: float = Field(0.15, ge=0.0, le=1.0)
    top_contributors: int = Field(10, ge=1, le=30)
    max_timestamps: int = Field(20_000, ge=29, le=20_000)
    calls_per_minute: float = Field(60.0, gt=0.0)
    poll_s: float = Field(1.0, gt=0.0, le=600.0)
    poll_longest_s: float = Field(15.0, gt=0.0, le=600.0)
    deadline_s: float = Field(600.0, gt=0.0, le=86_400.0)
    train_deadline_s: float = Field(3_600.0, gt=0.0, le=86_400.0)
    connect_timeout_s: float = Field(10.0, gt=0.0, le=3_600.0)
    read_timeout_s: float = Field(60.0, gt=0.0, le=3_600.0)
    sliding_window: int = Field(300, ge=28, le=2_880)
    align: Literal["Outer", "Inner"] = "Outer"
    fill: Literal["Linear", "Previous", "Subsequent", "Zero", "Fixed"] = "Linear"
    fill_value: float = Field(0.0, allow_inf_nan=False)
    display_name: str = Field("anomscan", max_length=24)

    @property
    def min_severity(self) -> float:
        """The service calls a sample anomalous above this severity."""
        return 1 - self.sensitivity

    @field_validator("key", "model_id", "storage_connection_string", mode="before")
    @classmethod
    @_told
    def _empty_is_none(cls, text: object) -> object:
        return None if text == "" else text


DetectorSettings = Annotated[
    RcfDetector | ControlChartDetector | NearestDetector | RecordedDetector | SageMakerDetector | AzureDetector,
    Field(discriminator="kind"),
]


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
    baseline_days: Literal["all", "clean"] = "all"
    forget_after: str = "90d"

    @field_validator("forget_after")
    @classmethod
    @_told
    def _forget_after_is_a_duration(cls, text: str) -> str:
        parse_duration(text)
        return text


class IncidentsSettings(Section):
    """``[incidents]``: what is one incident."""

    close_after: int = Field(7, ge=1, le=100_000)


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
    @_told
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
