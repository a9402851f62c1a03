"""Reads and checks the bodies of requests; errors have the service's documented codes."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from anomscan_mvad import limits
from anomscan_mvad.errors import ApiError
from anomscan_mvad.shapes import number

ALIGN_MODES = ("Inner", "Outer")
FILL_METHODS = ("Previous", "Subsequent", "Linear", "Zero", "Fixed", "NotFill")
SCHEMAS = ("OneTable", "MultiTable")
Body = Mapping[str, Any]
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse(raw: bytes) -> Body:
    """Read a JSON object.

    Raises
    ------
    ApiError
        400 InvalidJsonFormat: not a JSON object, or one whose text is not Unicode (half of a surrogate pair).
    """
    try:
        text = raw.decode(json.detect_encoding(raw))
        body = json.loads(text)
        if _SURROGATE.search(text):
            json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise ApiError(400, "InvalidJsonFormat", "Invalid JSON format.") from None
    if not isinstance(body, dict):
        raise ApiError(400, "InvalidJsonFormat", "Invalid JSON format: an object is expected.")
    return body


@dataclass(frozen=True)
class TrainRequest:
    """The body of POST models, with defaults filled in."""

    source: str
    schema: str
    start: datetime
    end: datetime
    name: str
    window: int
    align: str
    fill: str
    padding: float

    @classmethod
    def read(cls, body: Body) -> "TrainRequest":
        """Check a body; ApiError 400 with the documented code if it is wrong."""
        source = _source(body)
        start, end = _times(body)
        window = body.get("slidingWindow")
        window = limits.DEFAULT_WINDOW if window is None else window
        if type(window) is not int or not limits.MIN_WINDOW <= window <= limits.MAX_WINDOW:
            raise ApiError(
                400,
                "InvalidSlidingWindow",
                f"The 'slidingWindow' field must be an integer between {limits.MIN_WINDOW} and {limits.MAX_WINDOW}.",
            )
        policy = body.get("alignPolicy")
        policy = {} if policy is None else policy
        if not isinstance(policy, dict):
            raise invalid("The 'alignPolicy' field must be an object.")
        align = policy.get("alignMode") or "Outer"
        if align not in ALIGN_MODES:
            raise ApiError(
                400, "InvalidAlignMode", "The 'alignMode' field must be one of the following: 'Inner' or 'Outer'."
            )
        fill = policy.get("fillNAMethod") or "Linear"
        if fill not in FILL_METHODS or (fill == "NotFill" and align == "Outer"):
            raise ApiError(
                400,
                "InvalidFillNAMethod",
                "The 'fillNAMethod' field must be one of the following: 'Previous', 'Subsequent', 'Linear', 'Zero', "
                "'Fixed', 'NotFill'. It cannot be 'NotFill' when 'alignMode' is 'Outer'.",
            )
        padding = policy.get("paddingValue")
        if padding is None and fill == "Fixed":
            raise ApiError(
                400,
                "RequiredPaddingValue",
                "The 'paddingValue' field is required in the request when 'fillNAMethod' is 'Fixed'.",
            )
        if padding is not None and not number(padding):
            raise invalid("The 'paddingValue' field must be a finite number of 32 bits.")
        name = body.get("displayName")
        name = "" if name is None else name
        if not isinstance(name, str) or len(name) > limits.MAX_NAME:
            raise invalid(f"The 'displayName' field must be a text of at most {limits.MAX_NAME} characters.")
        schema = body.get("dataSchema") or "OneTable"
        if schema not in SCHEMAS:
            raise invalid("The 'dataSchema' field must be one of the following: 'OneTable' or 'MultiTable'.")
        return cls(source, schema, start, end, name, window, align, fill, float(padding or 0.0))


@dataclass(frozen=True)
class BatchRequest:
    """The body of POST detect-batch."""

    source: str
    start: datetime
    end: datetime
    top: int

    @classmethod
    def read(cls, body: Body) -> "BatchRequest":
        """Check a body; ApiError 400 if it is wrong."""
        source = _source(body)
        start, end = _times(body)
        return cls(source, start, end, _top(body))


@dataclass(frozen=True)
class LastRequest:
    """The body of POST detect-last.

    Parameters
    ----------
    variables : dict
        By name (timestamps, values): lists of equal length; a value is a number or None.
    top : int
    """

    variables: dict[str, tuple[list[str], list[float | None]]]
    top: int

    @classmethod
    def read(cls, body: Body) -> "LastRequest":
        """Check a body; ApiError 400 if it is wrong. The timestamps are read later."""
        listed = body.get("variables")
        if not isinstance(listed, list) or not listed:
            raise invalid("The 'variables' field is required in the request and must be a list.")
        if len(listed) > limits.MAX_VARIABLES:
            raise too_many_variables(len(listed))
        variables: dict[str, tuple[list[str], list[float | None]]] = {}
        for entry in listed:
            name = entry.get("variable") if isinstance(entry, dict) else None
            if not isinstance(name, str) or not name:
                raise invalid("Each of 'variables' must be an object with 'variable', 'timestamps' and 'values'.")
            if name in variables:
                raise ApiError(400, "DuplicatedVariables", f"There are multiple variables with the same name: {name}.")
            times, values = entry.get("timestamps"), entry.get("values")
            if not isinstance(times, list) or not isinstance(values, list) or len(times) != len(values):
                raise invalid(f"Variable {name}: 'timestamps' and 'values' must be lists of the same length.")
            if len(times) > limits.MAX_LAST_TIMESTAMPS:
                raise invalid(
                    f"Variable {name}: at most {limits.MAX_LAST_TIMESTAMPS} timestamps; these are {len(times)}."
                )
            if not all(isinstance(t, str) for t in times) or not all(v is None or number(v) for v in values):
                raise invalid(f"Variable {name}: timestamps must be texts and values finite numbers or null.")
            variables[name] = (times, values)
        return cls(variables, _top(body))


def invalid(message: str) -> ApiError:
    """The error for a field that has no code of its own."""
    return ApiError(400, "InvalidRequestParameterError", message)


def too_many_variables(count: int) -> ApiError:
    """The error for more variables than the service takes."""
    return ApiError(400, "DataExceedsLimit", f"There are {count} variables; the limit is {limits.MAX_VARIABLES}.")


def instant(moment: datetime) -> str:
    """Format an instant as the service does: UTC, ``Z``, a fraction only if there is one."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return text.rstrip("0") + "Z" if "." in text else text + "Z"


def _source(body: Body) -> str:
    source = body.get("dataSource")
    if not isinstance(source, str) or not source.strip():
        raise ApiError(400, "RequiredSource", "The 'dataSource' field is required in the request.")
    return source.strip()


def _times(body: Body) -> tuple[datetime, datetime]:
    times = []
    for field, code in (("startTime", "RequiredStartTime"), ("endTime", "RequiredEndTime")):
        text = body.get(field)
        if text is None or text == "":
            raise ApiError(400, code, f"The '{field}' field is required in the request.")
        try:
            moment = datetime.fromisoformat(text)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            raise ApiError(
                400,
                "InvalidTimestampFormat",
                f"Invalid timestamp format. The {str(text)[:40]} format is not a valid format.",
            ) from None
        if not 1700 <= moment.year <= 2200:
            raise ApiError(400, "InvalidTimestampFormat", f"The '{field}' field must lie in the years 1700 to 2200.")
        times.append(moment)
    if times[1] < times[0]:
        raise invalid("The 'endTime' field must not be earlier than 'startTime'.")
    return times[0], times[1]


def _top(body: Body) -> int:
    top = body.get("topContributorCount")
    top = limits.DEFAULT_CONTRIBUTORS if top is None else top
    if type(top) is not int or not 1 <= top <= limits.MAX_CONTRIBUTORS:
        raise invalid(f"The 'topContributorCount' field must be an integer between 1 and {limits.MAX_CONTRIBUTORS}.")
    return top
