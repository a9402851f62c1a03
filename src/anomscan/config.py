"""Settings: flags > ANOMSCAN_* environment (and .env) > TOML file > defaults.

Every key has its home here. An environment variable names a key by its path, two underscores between the parts:
``ANOMSCAN_SCAN__SIGMA=3``, ``ANOMSCAN_SOURCES__FLEET__URL=...``. A ``.env`` file beside the configuration file (or,
without one, in the working directory) is read as if it were the environment, which wins over it.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from anomscan.errors import ConfigError
from anomscan.telemetry.cadence import Cadence, last_instant, parse_duration

PREFIX = "ANOMSCAN_"
DEFAULT_FILE = "anomscan.toml"

_Model = TypeVar("_Model", bound=BaseModel)
_REFERENCES = ("env:", "file:", "aws-secretsmanager://")


def is_reference(text: str) -> bool:
    """Whether a setting says where a secret stands; :mod:`anomscan.sources.secrets` reads it there."""
    return text.startswith(_REFERENCES)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Defaults(_Section):
    """``[defaults]``: what a command uses where no flag says otherwise."""

    source: str | None = None
    detector: str = "rcf"


class StoreSettings(_Section):
    """``[store]``."""

    path: Path = Path("anomscan-data")


class Columns(_Section):
    """Which column holds what.

    ``asset`` may be left out where each file holds one asset, named after it; ``health`` where there is none.
    """

    asset: str | None = None
    timestamp: str = "timestamp"
    values: tuple[str, ...] = Field(min_length=1)
    health: str | None = None

    @field_validator("values")
    @classmethod
    def _values_differ(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        twice = [name for place, name in enumerate(names) if name in names[:place]]
        if twice:
            raise ConfigError(f"columns.values names '{twice[0]}' twice")
        return names


class _SourceSettings(_Section):
    cadence: str
    columns: Columns
    timezone: str | None = None
    timestamp_format: str | None = None
    late: str = "3d"

    @field_validator("late")
    @classmethod
    def _late_is_a_duration(cls, text: str) -> str:
        parse_duration(text)
        return text

    @field_validator("cadence")
    @classmethod
    def _cadence_is_known(cls, text: str) -> str:
        Cadence.parse(text)
        return text

    @field_validator("timezone")
    @classmethod
    def _zone_is_known(cls, name: str | None) -> str | None:
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        if name is not None:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError):
                raise ConfigError(f"time zone '{name}' is not known", hint="write it as Europe/Paris or UTC") from None
        return name


class FilesSource(_SourceSettings):
    """``[sources.NAME]`` with ``kind = "files"``: CSV, Parquet or JSON lines; one file, a folder, or a pattern."""

    kind: Literal["files"]
    path: Path
    format: Literal["csv", "parquet", "jsonl"] | None = None


class SqlSource(_SourceSettings):
    """``[sources.NAME]`` with ``kind = "sql"``: the user's own query with bound parameters."""

    kind: Literal["sql"]
    url: SecretStr | None = None
    secret: str | None = None
    query: str
    tls: Literal["verify-identity", "verify-ca", "require", "prefer", "disable"] = "prefer"
    ca: Path | None = None
    connect_timeout_s: float = Field(10.0, gt=0.0, le=3_600.0)
    read_timeout_s: float = Field(300.0, gt=0.0, le=86_400.0)
    fast: Literal["auto", "never"] = "auto"

    @field_validator("secret")
    @classmethod
    def _secret_stands_elsewhere(cls, reference: str | None) -> str | None:
        if reference is not None and not is_reference(reference):
            # It may be the secret itself, so it is not repeated.
            raise ConfigError("secret is not a reference", hint=f"it begins with {', '.join(_REFERENCES)}")
        return reference


class RestSource(_SourceSettings):
    """``[sources.NAME]`` with ``kind = "rest"``: a JSON API that is asked asset by asset; docs/rest.md has examples."""

    kind: Literal["rest"]
    url: SecretStr
    key: SecretStr | None = None
    key_in: Literal["query", "header", "bearer"] = "query"
    key_name: str | None = None
    records: str | None = None
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


SourceSettings = Annotated[FilesSource | SqlSource | RestSource, Field(discriminator="kind")]

#: The first notebook's variables, which stand in for what such a section leaves out: (section, kind), key, name.
#: The first key of each is the address of a service; the second and third belong to the notebook's service alone.
_NOTEBOOK = {
    ("sources", "rest"): {"url": "inference_telemetry_endpoint_url", "key": "inference_telemetry_endpoint_key"},
    ("detectors", "azure"): {
        "endpoint": "anomaly_detector_endpoint",
        "key": "anomaly_detector_key",
        "model_id": "anomaly_detector_model_id",
        "storage_connection_string": "storage_connection_string",
    },
}
_NOTEBOOK_HOME = frozenset({"key", "model_id"})


class RcfDetector(_Section):
    """``[detectors.NAME]`` with ``kind = "rcf"``: the forest in this process."""

    kind: Literal["rcf"] = "rcf"
    trees: int = Field(300, ge=1, le=1000)
    sample_size: int = Field(365, ge=1, le=2048)
    seed: int = Field(0, ge=0)
    sampling: Literal["shuffled", "sagemaker"] = "shuffled"
    model: Path = Path("models/rcf.forest")


class RecordedDetector(_Section):
    """``[detectors.NAME]`` with ``kind = "recorded"``: scores read from a file."""

    kind: Literal["recorded"]
    path: Path


class SageMakerTraining(_Section):
    """``[detectors.NAME.training]``: how ``train`` makes a model with SageMaker, and where it puts it into service."""

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


class SageMakerDetector(_Section):
    """``[detectors.NAME]`` with ``kind = "sagemaker"``: a forest behind an endpoint; docs/sagemaker.md tells more."""

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
    def _trained_through_is_an_instant(cls, text: str | None) -> str | None:
        if text is not None:
            last_instant(text)
        return text


class AzureDetector(_Section):
    """``[detectors.NAME]`` with ``kind = "azure"``: Multivariate Anomaly Detector v1.1; docs/azure.md tells more."""

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

    @field_validator("key", "model_id", "storage_connection_string", mode="before")
    @classmethod
    def _empty_is_none(cls, text: object) -> object:
        return None if text == "" else text


DetectorSettings = Annotated[
    RcfDetector | RecordedDetector | SageMakerDetector | AzureDetector, Field(discriminator="kind")
]


class TrainSettings(_Section):
    """``[train]``: which assets are fit to learn from."""

    samples: int = Field(365, ge=2)
    min_std: float = Field(0.0, ge=0.0)
    max_std: float = Field(0.10, gt=0.0)


class ScanSettings(_Section):
    """``[scan]``: the rules of the backtest."""

    window: int = Field(366, ge=2)
    shingle: int = Field(7, ge=1, le=60)
    sigma: float = Field(4.0, gt=0.0, allow_inf_nan=False)
    baseline: Literal["include-newest", "exclude-newest"] = "include-newest"
    gaps: Literal["calendar", "ignore"] = "calendar"
    skip_health: tuple[str, ...] = ("Unknown",)


class ReportSettings(_Section):
    """``[report]``."""

    asset_url: str | None = None


class Settings(_Section):
    """All settings; relative paths have been made absolute against the folder of the file."""

    defaults: Defaults = Defaults()
    store: StoreSettings = StoreSettings()
    sources: dict[str, SourceSettings] = {}
    detectors: dict[str, DetectorSettings] = {"rcf": RcfDetector()}
    train: TrainSettings = TrainSettings()
    scan: ScanSettings = ScanSettings()
    report: ReportSettings = ReportSettings()

    def source(self, name: str | None) -> tuple[str, FilesSource | SqlSource | RestSource]:
        """The source a command works on: the one named, else the default, else the only one.

        Raises
        ------
        ConfigError
            If there is no such source, or none can be chosen.
        """
        name = name or self.defaults.source
        if name is None and len(self.sources) == 1:
            name = next(iter(self.sources))
        if name is None:
            known = ", ".join(sorted(self.sources)) or "none"
            raise ConfigError(
                f"which source is meant? (in the settings: {known})", hint="name one with --source or [defaults] source"
            )
        if name not in self.sources:
            raise ConfigError(
                f"there is no source '{name}' in the settings", hint=_nearest(name, self.sources, "sources")
            )
        return name, self.sources[name]

    def detector(self, name: str | None) -> tuple[str, DetectorSettings]:
        """The detector a command works with: the one named, else the default.

        Raises
        ------
        ConfigError
            If there is no such detector.
        """
        name = name or self.defaults.detector
        if name not in self.detectors:
            raise ConfigError(
                f"there is no detector '{name}' in the settings", hint=_nearest(name, self.detectors, "detectors")
            )
        return name, self.detectors[name]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings and where each value came from.

    Parameters
    ----------
    settings
        The merged settings.
    origins
        For each key that was given (a path such as ``("scan", "sigma")``), who gave it. A key not here has its default.
    file
        The configuration file, None where there is none.
    """

    settings: Settings
    origins: Mapping[tuple[str, ...], str]
    file: Path | None


def load(
    file: Path | None = None,
    *,
    flags: Mapping[tuple[str, ...], Any] | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Loaded:
    """Merge flags, environment, file and defaults.

    Parameters
    ----------
    file
        The file of ``--config``; else ``$ANOMSCAN_CONFIG``, else ``./anomscan.toml`` if it exists, else none.
    flags
        Values given on the command line by key path; those that are None are taken as not given.
    environ, cwd
        For tests; the process's own by default.

    Raises
    ------
    ConfigError
        A file that cannot be read, an unknown key (the nearest is named), a value of the wrong kind.
    """
    own = environ is None
    environ = os.environ if environ is None else environ
    cwd = Path.cwd() if cwd is None else cwd
    path = _find(file, environ, cwd)
    base = path.parent if path else cwd
    if own:
        _export(base / ".env")
    merged: dict[str, Any] = {}
    origins: dict[tuple[str, ...], str] = {}
    if path is not None:
        merged = _read_toml(path)
        origins = {key: str(path) for key, _ in _leaves(merged)}
    for variable, value, place in _environment(environ, base / ".env"):
        key = _place(merged, variable, value)
        origins = {old: origin for old, origin in origins.items() if old[: len(key)] != key}
        origins[key] = place
    for key, value in (flags or {}).items():
        if value is not None:
            _put(merged, key, value)
            origins[key] = "flag"
    for key, value, place in _notebook_names(merged, environ, base / ".env"):
        _put(merged, key, value)
        origins[key] = place
    if not isinstance(merged.get("detectors", {}), dict) or "rcf" not in merged.get("detectors", {}):
        merged.setdefault("detectors", {})
        if isinstance(merged["detectors"], dict):
            merged["detectors"]["rcf"] = {"kind": "rcf"}
    return Loaded(_validate(merged, base, str(path) if path else "the settings"), origins, path)


def explain(loaded: Loaded) -> list[tuple[str, str, str]]:
    """Every setting as (key, value as TOML text, origin); secrets are masked."""
    rows = []
    for key, value in _leaves(_plain(loaded.settings)):
        origin = next((loaded.origins[key[:n]] for n in range(len(key), 0, -1) if key[:n] in loaded.origins), "default")
        rows.append((".".join(key), _toml(value), origin))
    return rows


def _find(file: Path | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    if file is None and environ.get(PREFIX + "CONFIG"):
        file = Path(environ[PREFIX + "CONFIG"])
    if file is None:
        default = cwd / DEFAULT_FILE
        return default if default.is_file() else None
    file = cwd / file
    if not file.is_file():
        raise ConfigError(
            f"there is no configuration file {file}", hint="name one with --config; config.example.toml shows every key"
        )
    return file


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def _environment(environ: Mapping[str, str], env_file: Path) -> Iterator[tuple[str, str, str]]:
    """Variables that name a setting, those of the .env file first: (name, value, who gave it)."""
    sections = tuple(f"{PREFIX}{section.upper()}_" for section in Settings.model_fields)
    if env_file.is_file():
        from dotenv import dotenv_values

        for name, value in dotenv_values(env_file).items():
            if name.startswith(sections) and value is not None and name not in environ:
                yield name, value, f"{env_file} {name}"
    for name in sorted(environ):
        if name.startswith(sections):
            yield name, environ[name], f"environment {name}"


def _export(env_file: Path) -> None:
    """Give this process what the .env file says beside settings: what env:NAME means, AWS_PROFILE and the like."""
    if env_file.is_file():
        from dotenv import dotenv_values

        for name, value in dotenv_values(env_file).items():
            if not name.startswith(PREFIX) and value is not None:
                os.environ.setdefault(name, value)


def _notebook_names(
    tree: Mapping[str, Any], environ: Mapping[str, str], env_file: Path
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """What the notebook's variables give to sections that leave it out: (key, value, who gave it)."""
    asked = [
        (part, name, section, names)
        for (part, kind), names in _NOTEBOOK.items()
        for name, section in (tree[part].items() if isinstance(tree.get(part), Mapping) else ())
        if isinstance(section, Mapping) and section.get("kind") == kind and not set(names) <= set(section)
    ]
    if not asked:
        return
    known = {variable for names in _NOTEBOOK.values() for variable in names.values()}
    given = {variable: (environ[variable], f"environment {variable}") for variable in known if environ.get(variable)}
    if env_file.is_file():
        from dotenv import dotenv_values

        for variable, value in dotenv_values(env_file).items():
            if variable in known and value and variable not in environ:
                given[variable] = (value, f"{env_file} {variable}")
    for part, name, section, names in asked:
        home = next(iter(names))
        # What belongs to the notebook's service must not be sent to one elsewhere.
        elsewhere = names[home] in given and home in section and _host(section[home]) != _host(given[names[home]][0])
        for key, variable in names.items():
            if key not in section and variable in given and not (elsewhere and key in _NOTEBOOK_HOME):
                yield (part, name, key), *given[variable]


def _host(url: object) -> str:
    match = re.match(r"\w+://([^/?#]*)", str(url))
    return match[1].lower() if match else ""


def _place(tree: dict[str, Any], variable: str, value: str) -> tuple[str, ...]:
    """Put an environment variable's value where its name says; parts match keys that exist without regard to case."""
    key: list[str] = []
    node: Any = tree
    for part in variable.removeprefix(PREFIX).lower().split("__"):
        known = [name for name in node if name.lower() == part] if isinstance(node, dict) else []
        key.append(known[0] if known else part)
        node = node.get(key[-1], {}) if isinstance(node, dict) else {}
    _put(tree, tuple(key), _from_text(value))
    return tuple(key)


def _from_text(text: str) -> Any:
    """An environment value: a TOML array or table where it looks like one, else text (pydantic reads numbers)."""
    if text[:1] in "[{" and text:
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    return text


def _put(tree: dict[str, Any], key: tuple[str, ...], value: Any) -> None:
    node = tree
    for part in key[:-1]:
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            raise ConfigError(f"'{part}' is a value, not a section: {'.'.join(key)} cannot be set")
        node = child
    node[key[-1]] = value


def _validate(tree: dict[str, Any], base: Path, place: str) -> Settings:
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise _first_problem(error, tree, place) from None
    return _absolute(settings, base)


def _first_problem(error: ValidationError, tree: Mapping[str, Any], place: str) -> ConfigError:
    """One line for the first thing pydantic found wrong."""
    problem = min(error.errors(include_url=False, include_input=False), key=lambda p: p["type"] != "extra_forbidden")
    # A union's branch name stands in the location; the user's keys are those that lead through the tree.
    key: list[str] = []
    node: Any = tree
    for part in problem["loc"]:
        if isinstance(node, Mapping) and part in node:
            node = node[part]
        elif part != problem["loc"][-1]:
            continue
        key.append(str(part))
    dotted = ".".join(key)
    kind = problem["type"]
    if kind == "extra_forbidden":
        known = _keys_beside(problem["loc"], tree)
        hint = _nearest(key[-1], known, "keys")
        return ConfigError(f"{place}: unknown {'section' if len(key) == 1 else 'key'} '{dotted}'", hint=hint)
    if kind == "missing":
        return ConfigError(f"{place}: '{dotted}' is missing")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tags = problem["ctx"].get("expected_tags") or _kinds(problem["loc"])
        return ConfigError(f"{place}: '{dotted}' needs a kind out of {tags}")
    return ConfigError(f"{place}: '{dotted}': {problem['msg'][0].lower()}{problem['msg'][1:]}")


def _kinds(location: tuple[int | str, ...]) -> str:
    annotation = SourceSettings if location[0] == "sources" else DetectorSettings
    return ", ".join(repr(_kind(model)) for model in _models(annotation))


def _kind(model: type[BaseModel]) -> str:
    return str(get_args(model.model_fields["kind"].annotation)[0])


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The settings models inside a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Annotated, Union, types.UnionType, dict):
        for part in get_args(annotation):
            yield from _models(part)


def _keys_beside(location: tuple[int | str, ...], tree: Mapping[str, Any]) -> list[str]:
    """The keys that are known where an unknown one was found."""
    models: list[type[BaseModel]] = [Settings]
    node: Any = tree
    for part in location[:-1]:
        if isinstance(node, Mapping) and part in node:
            node = node[part]
        kinds = [model for model in models if "kind" in model.model_fields and _kind(model) == part]
        if kinds:
            models = kinds
            continue
        inner = [
            m
            for model in models
            if part in model.model_fields
            for m in _models(model.model_fields[str(part)].annotation)
        ]
        models = inner or models
    return sorted({name for model in models for name in model.model_fields})


def _nearest(name: str, known: Any, what: str) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"known {what}: {', '.join(sorted(known)) or 'none'}"


def _absolute(settings: Settings, base: Path) -> Settings:
    """Relative paths are relative to the configuration file."""

    def settle(model: _Model) -> _Model:
        changed: dict[str, Any] = {}
        for name in type(model).model_fields:
            value = getattr(model, name)
            if isinstance(value, Path):
                changed[name] = Path(os.path.normpath(base / value.expanduser()))
            elif isinstance(value, SecretStr) and (url := _SQLITE_FILE.match(value.get_secret_value())):
                changed[name] = SecretStr(f"{url[1]}{os.path.normpath(base / url[2])}{url[3]}")
            elif isinstance(value, SecretStr) and value.get_secret_value().startswith("file:"):
                changed[name] = SecretStr(_settled_reference(value.get_secret_value(), base))
            elif name == "secret" and isinstance(value, str) and value.startswith("file:"):
                changed[name] = _settled_reference(value, base)
            elif isinstance(value, BaseModel):
                changed[name] = settle(value)
            elif isinstance(value, dict):
                changed[name] = {k: settle(child) if isinstance(child, BaseModel) else child for k, child in value.items()}
        return model.model_copy(update=changed)

    return settle(settings)


def _settled_reference(reference: str, base: Path) -> str:
    return f"file:{os.path.normpath(base / Path(reference.removeprefix('file:')).expanduser())}"


_SQLITE_FILE = re.compile(r"(sqlite(?:\+\w+)?:///)(?!/|:memory:|file:)([^?]+)(.*)", re.DOTALL)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {name: _plain(child) for name, child in value.items()}
    return value


def _leaves(tree: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name), value


def _toml(value: Any) -> str:
    import json

    if value is None:
        return "(not set)"
    if isinstance(value, SecretStr):
        return '"**********"'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
