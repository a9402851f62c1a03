"""The shapes of the API's answers (v1.1), so that clients accept all that are sent.

Source: the published specification (Azure/azure-rest-api-specs, AnomalyDetector, multivariate/models.tsp). Clients with
types are strict about it: .NET's reads ids as GUIDs, ``dataSource`` as an absolute URI and numbers as 32 bits;
JavaScript's refuses null for a text. So a field without a value is left out, and what this server always sends is
required here even where the specification calls it optional.
"""

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

FLOAT32_MAX = 3.4028234663852886e38
"""The largest number that the API can hold."""
Shape = Callable[[Any], bool] | Mapping[str, Any] | list[Any]
"""A test; an object's fields (``?`` after a name: may be absent); or a list with the shape of its items."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


def misfit(value: Any, shape: Shape, at: str = "") -> str | None:
    """The first place where a value read from JSON does not have the shape; None if it has it."""
    if isinstance(shape, list):
        if not isinstance(value, list):
            return at or "."
        found = (misfit(item, shape[0], f"{at}[{i}]") for i, item in enumerate(value))
        return next((place for place in found if place), None)
    if not isinstance(shape, Mapping):
        return None if shape(value) else at or "."
    if not isinstance(value, dict):
        return at or "."
    known = {name.rstrip("?") for name in shape}
    for name in value:
        if name not in known:
            return f"{at}.{name}"
    for name, inner in shape.items():
        field = name.rstrip("?")
        if field in value or field == name:
            place = misfit(value.get(field), inner, f"{at}.{field}")
            if place:
                return place
    return None


def number(value: object) -> bool:
    """Whether a value is a number within the range of float32."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= FLOAT32_MAX


def count(value: object) -> bool:
    """Whether a value is a non-negative integer of 32 bits."""
    return type(value) is int and 0 <= value < 2**31


def text(value: object) -> bool:
    """Whether a value is text that UTF-8 can encode."""
    return isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)


def identifier(value: object) -> bool:
    """Whether a value is a UUID in its usual form."""
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value
    except ValueError:
        return False


def time(value: object) -> bool:
    """Whether a value is an instant in UTC."""
    try:
        return isinstance(value, str) and bool(_TIME.fullmatch(value) and datetime.fromisoformat(value))
    except ValueError:
        return False


def url(value: object) -> bool:
    """Whether a value is an absolute URL."""
    try:
        return text(value) and bool(urlsplit(str(value)).scheme)
    except ValueError:
        return False


def one_of(*words: str) -> Callable[[Any], bool]:
    """A test for one of some words."""
    return lambda value: isinstance(value, str) and value in words


def _boolean(value: object) -> bool:
    return isinstance(value, bool)


def _seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**63


STATUS = one_of("CREATED", "RUNNING", "READY", "FAILED")
ERROR = {"code": text, "message": text}
VARIABLE_STATE = {
    "variable": text,
    "filledNARatio": number,
    "effectiveCount": count,
    "firstTimestamp?": time,
    "lastTimestamp?": time,
}
MODEL_INFO = {
    "dataSource": url,
    "dataSchema": one_of("OneTable", "MultiTable"),
    "startTime": time,
    "endTime": time,
    "displayName": text,
    "slidingWindow": count,
    "alignPolicy": {
        "alignMode": one_of("Inner", "Outer"),
        "fillNAMethod": one_of("Previous", "Subsequent", "Linear", "Zero", "Fixed", "NotFill"),
        "paddingValue": number,
    },
    "status": STATUS,
    "errors": [ERROR],
    "diagnosticsInfo": {
        "modelState": {
            "epochIds": [count],
            "trainLosses": [number],
            "validationLosses": [number],
            "latenciesInSeconds": [number],
        },
        "variableStates": [VARIABLE_STATE],
    },
}
MODEL = {"modelId": identifier, "createdTime": time, "lastUpdatedTime": time, "modelInfo": MODEL_INFO}
MODEL_LIST = {"models": [MODEL], "currentCount": count, "maxCount": count, "nextLink?": url}
STATE = {
    "timestamp": time,
    "value?": {
        "isAnomaly": _boolean,
        "severity": number,
        "score": number,
        "interpretation": [
            {"variable": text, "contributionScore": number, "correlationChanges": {"changedVariables": [text]}}
        ],
    },
    "errors": [ERROR],
}
SUMMARY = {
    "status": STATUS,
    "errors": [ERROR],
    "variableStates": [VARIABLE_STATE],
    "setupInfo": {"dataSource": url, "topContributorCount": count, "startTime": time, "endTime": time},
}
RESULT = {"resultId": identifier, "summary": SUMMARY, "results": [STATE]}
LAST_RESULT = {"variableStates": [VARIABLE_STATE], "results": [STATE]}

STORED = {"created": _seconds, "attempts?": count, "source?": text}
STORED_MODEL = STORED | {"updated": _seconds, "info": MODEL_INFO}
STORED_RESULT = STORED | {"updated?": _seconds, "model": identifier, "summary": SUMMARY}
