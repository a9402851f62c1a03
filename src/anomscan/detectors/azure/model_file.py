"""Which model of the service to use: the id in the settings, else the one that ``train`` recorded."""

from __future__ import annotations

import json

from anomscan.config import AzureSettings
from anomscan.errors import ModelError
from anomscan.storage.durable import replace_file
from anomscan.storage.untrusted import parse_json, read_regular


def model_id_of(name: str, settings: AzureSettings) -> str:
    """The id of a detector's model.

    Raises
    ------
    ModelError
        If no model is recorded, or it belongs to another service.
    """
    if settings.model_id:
        return settings.model_id
    hint = f"run anomscan train --detector {name}, or set model_id (or anomaly_detector_model_id)"
    try:
        noted = parse_json(read_regular(settings.model))
        model_id, endpoint = _text(noted["model_id"]), _text(noted["endpoint"])
    except FileNotFoundError:
        raise ModelError(f"detector '{name}' has no model: there is no {settings.model}", hint=hint) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise ModelError(f"{settings.model} does not name a model", hint=hint) from None
    if endpoint != settings.endpoint.rstrip("/"):
        raise ModelError(f"{settings.model} names a model of {endpoint}, not of {settings.endpoint}", hint=hint)
    return model_id


def note(settings: AzureSettings, model_id: str) -> None:
    """Record which model was trained.

    Raises
    ------
    OutputError
        If the file cannot be written; the old one is kept.
    """
    noted = {"model_id": model_id, "endpoint": settings.endpoint.rstrip("/")}
    with replace_file(settings.model) as file:
        file.write(json.dumps(noted, indent=2).encode() + b"\n")


def forget(settings: AzureSettings, model_id: str) -> None:
    """Remove the record of a deleted model."""
    try:
        noted = parse_json(read_regular(settings.model))
    except (OSError, ValueError):
        return
    if isinstance(noted, dict) and noted.get("model_id") == model_id:
        settings.model.unlink(missing_ok=True)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("text")
    return value
