"""What can go wrong with the service, as errors of one line with a hint at the way out."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from anomscan.errors import ServiceError
from anomscan.retrying import retry_after

#: How to run the same service without Azure.
LOCALLY = 'or run the same service here: make mvad, then set endpoint = "http://127.0.0.1:5000"'

_LONGEST = 300
_SECRET = re.compile(
    r"(?i)\b(sig|signature|accountkey|sharedaccesssignature|ocp-apim-subscription-key|code)=[^&\s\"';,]+"
)

#: The documented error codes, and what to do about each.
WAYS_OUT = {
    "SubscriptionNotInHeaders": "set key in the detector's settings, or anomaly_detector_key",
    "FileNotExist": "the service cannot find the data it was pointed to: see that it can read the storage account",
    "InvalidBlobURL": "let the service read there: by --allow-path or --allow-host, in Azure by the account's network",
    "StorageReadError": "let the service read the storage account: its network rules, or the managed identity's role",
    "StorageWriteError": "let the service use its own storage account",
    "UnexpectedError": "try again later",
    "TooManyModels": "delete a model: anomscan models list, then anomscan models delete",
    "TooManyRunningModels": "wait until a training has ended",
    "InvalidJsonFormat": "see that the endpoint speaks v1.1",
    "InvalidAlignMode": "set align to Outer or Inner",
    "InvalidFillNAMethod": "set fill to Linear, Previous, Subsequent, Zero or Fixed",
    "RequiredPaddingValue": "set fill_value",
    "InvalidTimestampFormat": "see that the endpoint speaks v1.1",
    "InvalidSlidingWindow": "set sliding_window between 28 and 2880",
    "InvalidRequestParameterError": "see that the endpoint speaks v1.1",
    "ModelNotExist": "name another in model_id, or run anomscan train",
    "ModelFailed": "its training failed: run anomscan train again",
    "ModelNotReady": "wait until its training has ended: anomscan models show",
    "InvalidFileSize": "send less: lower max_timestamps",
    "FileSizeTooLarge": "send less: lower max_timestamps",
    "ResultNotExist": "results are kept for 7 days: run it again",
    "NoVariablesFound": "set data_schema as the endpoint wants it: table, zip or folder",
    "DuplicatedVariables": "rename a variable in the source",
    "RedundantFile": "send the variables the model was trained on, and no other",
    "ReadingFileError": "set data_schema as the endpoint wants it: table, zip or folder",
    "FileColumnsNotExist": "set data_schema as the endpoint wants it: table, zip or folder",
    "VariableParseError": "see that every value is a number",
    "MergeDataFailed": "the variables share too few timestamps: set align to Outer",
    "ColumnNotFound": "send the variables the model was trained on",
    "NumColumnsMismatch": "send the variables the model was trained on",
    "TooManyData": "lower max_timestamps, or train on less",
    "DataExceedsLimit": "lower max_timestamps, or train on less",
    "NoData": "fetch more history: there is none in that stretch",
    "NotEnoughInput": "fetch more history: the model's sliding window needs it before the first day asked for",
    "InsufficientHistoricalData": "fetch more history: the model's sliding window needs it before these samples",
}


class BadResponseError(Exception):
    """A response that is an error or is not JSON; the client translates it.

    Parameters
    ----------
    status
        The HTTP status.
    headers
        Of the response.
    body
        Its content.
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def retry_after_s(self) -> float | None:
        """The wait that the service asks for, if it does."""
        return retry_after(self.headers.get("Retry-After"), time.time())


@dataclass(frozen=True, slots=True)
class Said:
    """An error code and its message from the service, secrets masked."""

    code: str | None
    message: str

    @property
    def hint(self) -> str | None:
        """What to do about it; None for an undocumented code."""
        return WAYS_OUT.get(self.code or "")

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.code, self.message)))


def masked(text: str) -> str:
    """The text cut to one short line, secrets of URLs and connection strings masked.

    >>> masked("cannot read https://a.blob/x?sv=2&sig=abc%2F=&se=9")
    'cannot read https://a.blob/x?sv=2&sig=***&se=9'
    """
    return _SECRET.sub(r"\1=***", " ".join(text.split()))[:_LONGEST]


def said(body: bytes) -> Said | None:
    """The error in a response's JSON; None if it is not JSON."""
    try:
        content: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(content, dict) and isinstance(content.get("error"), dict):
        content = content["error"]
    if not isinstance(content, dict):
        return Said(None, "")
    return Said(str(content["code"]) if content.get("code") else None, masked(str(content.get("message") or "")))


def listed(errors: Iterable[Any]) -> tuple[str, str | None]:
    """The errors of a summary or a model as text, and what to do about the first documented one."""
    found = [Said(str(error.code) if error.code else None, masked(str(error.message or ""))) for error in errors]
    return "; ".join(map(str, found)) or "it does not say why", next((one.hint for one in found if one.hint), None)


def refusal(refused: BadResponseError, what: str, endpoint: str) -> ServiceError:
    """The error that a bad response means.

    Parameters
    ----------
    what
        What was asked of the service; begins the line.
    endpoint
        The service's address.
    """
    status, error = refused.status, said(refused.body)
    html = refused.body.lstrip()[:1] == b"<"
    if status == 410:
        return ServiceError(f"{what}: {endpoint} is retired (410 Gone); Azure ended this service in 2026", hint=_here())
    if status == 401:
        return ServiceError(
            f"{what}: {endpoint} does not accept our key (401{_detail(error)})",
            hint=f"set key in the detector's settings, or anomaly_detector_key; {LOCALLY}",
        )
    if status == 403:
        allow = (error.hint if error else None) or "allow this key, or this address, at the service"
        return ServiceError(f"{what}: {endpoint} forbids it (403{_detail(error)})", hint=f"{allow}; {LOCALLY}")
    if status == 429:
        wait = refused.retry_after_s
        asked = "" if wait is None else f", it asks to wait {wait:g} s"
        return ServiceError(
            f"{what}: {endpoint} wants fewer calls (429{asked})", hint=f"lower calls_per_minute, or wait; {LOCALLY}"
        )
    if 300 <= status < 400:
        return ServiceError(
            f"{what}: {endpoint} redirects us ({status}), and the key is not sent there",
            hint=f"set endpoint to the service itself; {LOCALLY}",
        )
    if html:
        return ServiceError(
            f"{what}: {endpoint} answers with a web page ({status}): a proxy, a sign-in page, or another service",
            hint=f"check endpoint; {LOCALLY}",
        )
    if not refused.body.strip():
        return ServiceError(
            f"{what}: {endpoint} answers {status} with nothing in it: not the service, or one that is gone",
            hint=f"check endpoint; {LOCALLY}",
        )
    if status < 300:
        return ServiceError(
            f"{what}: {endpoint} answers with something that is not a JSON object: cut off, or another service",
            hint=f"try again, or check endpoint; {LOCALLY}",
        )
    if status == 404 and (error is None or error.code not in WAYS_OUT):
        return ServiceError(
            f"{what}: {endpoint} does not know that address (404{_detail(error)})", hint=f"check endpoint; {LOCALLY}"
        )
    documented = error.hint if error else None
    return ServiceError(
        f"{what}: {endpoint} refuses ({status}{_detail(error)})",
        hint=f"{documented or 'see docs/how-to/azure.md'}; {LOCALLY}",
    )


def unreachable(what: str, endpoint: str, reason: str) -> ServiceError:
    """The error for a service that does not answer."""
    return ServiceError(f"{what}: {endpoint} cannot be reached: {masked(reason)}", hint=f"check endpoint; {LOCALLY}")


def _here() -> str:
    return LOCALLY.removeprefix("or ")


def _detail(error: Said | None) -> str:
    return f", {error}" if error and str(error) else ""
