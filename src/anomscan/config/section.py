"""What all sections of the settings have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from anomscan.errors import ConfigError

_Checked = TypeVar("_Checked")


def told(check: Callable[..., _Checked]) -> Callable[..., _Checked]:
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


def check_timezone(name: str) -> None:
    """Refuse an unknown time zone.

    Raises
    ------
    ConfigError
        If it is not known.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones, as Europe
        raise ConfigError(f"time zone '{name}' is not known", hint="write it as Europe/Paris or UTC") from None
