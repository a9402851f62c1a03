"""``[[notify]]``: who is told what of the incidents, a class each sink."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from anomscan.config.section import Section, told
from anomscan.telemetry.cadence import parse_duration

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
