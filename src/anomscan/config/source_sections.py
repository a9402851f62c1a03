"""``[sources.NAME]``: where telemetry comes from, a class each kind."""

from __future__ import annotations

import codecs
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from anomscan.config.section import Section, check_timezone, told
from anomscan.errors import ConfigError
from anomscan.store.rules import Duplicates
from anomscan.telemetry.cadence import Cadence, first_instant, parse_duration
from anomscan.telemetry.patterns import check_pattern, check_zone

_REFERENCES = ("env:", "file:", "aws-secretsmanager://")


def is_reference(text: str) -> bool:
    """Whether a setting refers to a secret elsewhere; :mod:`anomscan.tables.secrets` reads it."""
    return text.startswith(_REFERENCES)


class Columns(Section):
    """Which column holds what.

    ``asset`` may be left out where each file holds one asset, named after it; ``health`` where there is none. ``tag``
    and ``value`` are of a table with a row each value, ``ignore`` of one with a column each asset.
    """

    asset: str | None = Field(None, description="the id; if left out: one file for each asset, named after it")
    timestamp: str = Field("timestamp", description="the time of a sample")
    values: tuple[str, ...] = Field(min_length=1, description="one or more variables")
    health: str | None = Field(None, description="the health of the asset; if left out: none")
    tag: str | None = Field(None, description='with layout = "tags": which variable a row is of')
    value: str | None = Field(None, description='with layout = "tags": the value of a row')
    ignore: tuple[str, ...] = Field((), description='with layout = "wide": columns that are not assets')

    @field_validator("values")
    @classmethod
    @told
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
    @told
    def _tolerance_is_a_duration(cls, text: str) -> str:
        parse_duration(text)
        return text

    @model_validator(mode="after")
    @told
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
    @told
    def _earliest_is_an_instant(cls, given: object) -> object:
        # TOML has dates of its own.
        text = given.isoformat() if isinstance(given, date) else given
        if isinstance(text, str):
            first_instant(text)
        return text

    @field_validator("missing", mode="before")
    @classmethod
    @told
    def _numbers_as_text(cls, given: object) -> object:
        if not isinstance(given, (list, tuple)):
            return given
        return tuple(str(each) if type(each) in (int, float) else each for each in given)

    @field_validator("late", "silent_after")
    @classmethod
    @told
    def _is_a_duration(cls, text: str | None) -> str | None:
        if text is not None:
            parse_duration(text)
        return text

    @field_validator("cadence")
    @classmethod
    @told
    def _cadence_is_known(cls, text: str) -> str:
        Cadence.parse(text)
        return text

    @field_validator("timestamp_format")
    @classmethod
    @told
    def _pattern_is_one(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            check_pattern(pattern)
        return pattern

    @field_validator("timezone")
    @classmethod
    @told
    def _zone_is_known(cls, name: str | None) -> str | None:
        if name is not None:
            check_timezone(name)
        return name

    @model_validator(mode="after")
    @told
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
        if self.layout == "wide" and not isinstance(self, FilesSource):
            raise ConfigError(
                'layout = "wide" is for files', hint="let the query turn the columns into rows, by UNPIVOT or UNION ALL"
            )
        return self

    @model_validator(mode="after")
    @told
    def _pattern_fits_the_zone(self) -> Self:
        if self.timestamp_format is not None:
            check_zone(self.timestamp_format, self.timezone)
        return self

    @model_validator(mode="after")
    @told
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
    format: Literal["csv", "parquet", "jsonl", "json", "excel"] | None = None
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
    @told
    def _encoding_is_known(cls, name: str | None) -> str | None:
        if name is None:
            return None
        try:
            "".encode(name)  # which refuses codecs that do not encode text
            return codecs.lookup(name).name
        except (LookupError, ValueError):  # a NUL character
            raise ConfigError(f"encoding '{name}' is not known", hint="write it as utf-8, cp1252 or latin-1") from None

    @model_validator(mode="after")
    @told
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
    @told
    def _secret_stands_elsewhere(cls, reference: str | None) -> str | None:
        if reference is not None and not is_reference(reference):
            # It may be the secret itself, so it is not repeated.
            raise ConfigError(
                "the secret of a source is not a reference", hint=f"it must begin with {', '.join(_REFERENCES)}"
            )
        return reference


class RestSource(_SourceSettings):
    """``[sources.NAME]`` with ``kind = "rest"``: a JSON API that is asked asset by asset; see docs/how-to/rest.md."""

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
    @told
    def _fields_have_the_columns(self) -> RestSource:
        if isinstance(self.fields, tuple):
            values = self.columns.values
            if self.layout == "tags":
                values = (self.columns.tag or "tag", self.columns.value or "value")
            wanted = [self.columns.asset, self.columns.timestamp, *values, self.columns.health]
            for name in wanted:
                if name is not None and not any(name == each or name.startswith(f"{each}.") for each in self.fields):
                    raise ConfigError(
                        f"fields has no '{name}', which columns names",
                        hint="name all items of a record in their order",
                    )
        return self


SourceSettings = Annotated[FilesSource | SqlSource | RestSource, Field(discriminator="kind")]
