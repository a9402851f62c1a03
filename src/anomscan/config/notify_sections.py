"""``[[notify]]``: who is told what of the incidents, a class each sink."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from anomscan.config.section import Section, told
from anomscan.errors import ConfigError
from anomscan.telemetry.cadence import parse_duration
from anomscan.wording import seen

#: Plain: neither names nor comments, nothing that could end a header.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+")
Told = Literal["new", "reopened", "worse", "closed", "ongoing", "quiet", "unknown"]


class Route(Section):
    """What every target has: which changes of which incidents it is told."""

    sink: str
    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=100)
    states: tuple[Told, ...] = ("new", "reopened", "worse", "closed")
    kinds: tuple[str, ...] = ()
    cohorts: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    severity: float | None = None
    min_age: str | None = None
    weekly: bool = True
    heartbeat: bool = False
    timeout_s: float = Field(20.0, gt=0.0, le=600.0)
    deadline_s: float = Field(60.0, gt=0.0, le=3_600.0)

    @field_validator("min_age")
    @classmethod
    @told
    def _min_age_is_a_duration(cls, text: str | None) -> str | None:
        if text is not None:
            parse_duration(text)
        return text


class WebhookRoute(Route):
    """``sink = "webhook"``: JSON to a URL, signed if there is a secret."""

    sink: Literal["webhook"]
    url: SecretStr
    secret: SecretStr | None = None
    token: SecretStr | None = None
    template: Path | None = None
    ca: Path | None = None


class MailRoute(Route):
    """``sink = "mail"``: a message by SMTP."""

    sink: Literal["mail"]
    host: str = Field(min_length=1)
    port: int = Field(587, ge=1, le=65_535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: SecretStr | None = None
    sender: str
    to: tuple[str, ...] = Field(min_length=1)
    template: Path | None = None
    ca: Path | None = None

    @field_validator("sender", "to")
    @classmethod
    @told
    def _addresses(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for each in (given,) if isinstance(given, str) else given:
            if not _ADDRESS.fullmatch(each):
                raise ConfigError(f"'{seen(each)}' is not an address", hint="write it as ops@example.com")
        return given

    @model_validator(mode="after")
    @told
    def _no_password_in_the_clear(self) -> MailRoute:
        if (self.user is None) != (self.password is None):
            raise ConfigError("user and password go together", hint="set both, or none")
        if self.password is not None and self.security == "none":
            raise ConfigError(
                'no password is sent where security = "none"',
                hint='take "starttls" or "tls", or leave out the password',
            )
        return self


class AlertmanagerRoute(Route):
    """``sink = "alertmanager"``: every open incident as an alert, sent again each night."""

    sink: Literal["alertmanager"]
    url: SecretStr
    every: str = "1d"
    margin: str = "4h"
    user: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None
    weekly: Literal[False] = False
    heartbeat: Literal[False] = False
    ca: Path | None = None

    @field_validator("every", "margin")
    @classmethod
    @told
    def _durations(cls, text: str) -> str:
        parse_duration(text)
        return text

    @model_validator(mode="after")
    @told
    def _one_way_to_log_in(self) -> AlertmanagerRoute:
        if (self.user is None) != (self.password is None):
            raise ConfigError("user and password go together", hint="set both, or none")
        if self.token is not None and self.password is not None:
            raise ConfigError("token and password exclude each other", hint="set one of them")
        return self


class AppriseRoute(Route):
    """``sink = "apprise"``: a message to a chat, a pager or another service by its URL of Apprise."""

    sink: Literal["apprise"]
    url: SecretStr
    template: Path | None = None


NotifySettings = Annotated[WebhookRoute | MailRoute | AlertmanagerRoute | AppriseRoute, Field(discriminator="sink")]
