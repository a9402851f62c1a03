"""``[[maintenance]]``: when some assets are not expected to work as usual."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from pydantic import Field, field_validator, model_validator

from anomscan.config.section import Section, check_timezone, told
from anomscan.errors import ConfigError
from anomscan.telemetry.cadence import first_instant, last_instant

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_CLOCK = r"([01]\d|2[0-3]):([0-5]\d)"
_WEEKLY = re.compile(rf"({'|'.join(_DAYS)}) {_CLOCK}-(?:{_CLOCK}|24:00)")
_DAY_MINUTES = 24 * 60


class MaintenanceSettings(Section):
    """A stretch of time, or one that comes back each week."""

    assets: tuple[str, ...] = ()
    cohort: str | None = None
    tags: tuple[str, ...] = Field((), description="instead of assets: those with one of these tags")
    from_: str | None = Field(None, alias="from")
    to: str | None = None
    weekly: str | None = None
    timezone: str | None = None
    reason: str = Field(min_length=1)

    @property
    def minutes(self) -> tuple[int, int]:
        """Of a weekly one: when it begins, in minutes since Monday began, and how many minutes later it ends.

        It ends on the next day if it would end no later than it begins.
        """
        match = _WEEKLY.fullmatch(self.weekly or "")
        if match is None:
            raise ConfigError(f"'{self.weekly}' is not a weekly time", hint='write it as "Sun 22:00-04:00"')
        day, hour, minute, to_hour, to_minute = match.groups()
        start = 60 * int(hour) + int(minute)
        end = _DAY_MINUTES if to_hour is None else 60 * int(to_hour) + int(to_minute)
        length = end - start if end > start else end - start + _DAY_MINUTES
        return _DAY_MINUTES * _DAYS.index(day) + start, length

    @field_validator("from_", "to", mode="before")
    @classmethod
    def _as_text(cls, given: Any) -> Any:
        # TOML has dates of its own.
        return given.isoformat() if isinstance(given, date) else given

    @model_validator(mode="after")
    @told
    def _makes_sense(self) -> MaintenanceSettings:
        if not (self.assets or self.cohort or self.tags):
            raise ConfigError("maintenance of what?", hint="name assets, a cohort or tags")
        if self.timezone is not None:
            check_timezone(self.timezone)
        if self.weekly is not None:
            if self.from_ is not None or self.to is not None:
                raise ConfigError("weekly and from/to exclude each other", hint="give one of them")
            _ = self.minutes
            return self
        if self.from_ is None or self.to is None:
            raise ConfigError("maintenance needs from and to, or weekly", hint='such as weekly = "Sun 22:00-04:00"')
        zone = self.timezone or "UTC"
        if first_instant(self.from_, zone) >= last_instant(self.to, zone):
            raise ConfigError(f"maintenance from {self.from_} ends no later, on {self.to}", hint="swap them")
        return self
