"""``[detectors.NAME]``: what scores, a class each kind."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from anomscan.config.section import Section, told
from anomscan.errors import ConfigError
from anomscan.telemetry.cadence import last_instant


class DetectorSection(Section):
    """What all ``[detectors.NAME]`` have in common."""

    cutoff: str | None = None

    @property
    def min_severity(self) -> float | None:
        """The value that the severity of an anomaly must exceed in ``detect``; None for no limit."""
        return None

    @property
    def false_budget(self) -> str | None:
        """How rare false samples are by its own threshold, such as ``1/20y``; None if nobody can say."""
        return None

    @property
    def warm_up(self) -> int | None:
        """After how many samples its own threshold judges; None where it has none, or where nobody can say."""
        return None


class RcfSettings(DetectorSection):
    """``[detectors.NAME]`` with ``kind = "rcf"``: the forest in this process."""

    view: Literal["own", "peers"] = "own"
    peers: Literal["difference", "ratio"] = "difference"

    kind: Literal["rcf"] = "rcf"
    trees: int = Field(300, ge=1, le=1000)
    sample_size: int = Field(365, ge=1, le=2048)
    seed: int = Field(0, ge=0)
    sampling: Literal["shuffled", "sagemaker"] = "shuffled"
    model: Path = Path("models/rcf.forest")


class RecordedSettings(DetectorSection):
    """``[detectors.NAME]`` with ``kind = "recorded"``: scores read from a file."""

    kind: Literal["recorded"]
    path: Path


class ControlChartSettings(DetectorSection):
    """``[detectors.NAME]`` with ``kind = "control-chart"``: process control; see docs/explanation/control-chart.md."""

    kind: Literal["control-chart"]
    view: Literal["own", "peers", "auto"] = "auto"
    peers: Literal["difference", "ratio"] = "difference"
    budget: str = "1/20y"
    min_history: int = Field(60, ge=10, le=2_016)
    forget_after: str = "90d"

    @property
    def false_budget(self) -> str:
        """The budget: its threshold follows from it."""
        return self.budget

    @property
    def warm_up(self) -> int:
        """What must lie before the first sample that is judged."""
        return self.min_history


class NearestSettings(DetectorSection):
    """``[detectors.NAME]`` with ``kind = "nearest"``: the nearest past; see docs/explanation/nearest.md."""

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
    @told
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


class ProfileSettings(DetectorSection):
    """``[detectors.NAME]`` with ``kind = "profile"``: the matrix profile; see docs/explanation/profile.md."""

    kind: Literal["profile"]
    view: Literal["own", "peers"] = "own"
    peers: Literal["difference", "ratio"] = "difference"
    windows: tuple[Annotated[int, Field(ge=1, le=100_000)], ...] | None = Field(None, min_length=1, max_length=8)
    causal: bool = False
    min_history: int | None = Field(None, ge=10, le=1_000_000)


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
    tags: dict[str, str] = Field({})


class SageMakerSettings(DetectorSection):
    """``[detectors.NAME]`` with ``kind = "sagemaker"``: a forest behind an endpoint; see docs/how-to/sagemaker.md."""

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
    @told
    def _trained_through_is_an_instant(cls, text: str | None) -> str | None:
        if text is not None:
            last_instant(text)
        return text


class AzureSettings(DetectorSection):
    """``[detectors.NAME]`` with ``kind = "azure"``: Multivariate Anomaly Detector v1.1; see docs/how-to/azure.md."""

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
    @told
    def _empty_is_none(cls, text: object) -> object:
        return None if text == "" else text


DetectorSettings = Annotated[
    RcfSettings
    | ControlChartSettings
    | NearestSettings
    | ProfileSettings
    | RecordedSettings
    | SageMakerSettings
    | AzureSettings,
    Field(discriminator="kind"),
]
