"""What an endpoint's errors call for: waiting, retrying, smaller requests, or giving up."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from botocore import exceptions as aws

from anomscan.errors import AnomscanError, ConfigError, ModelError, ServiceError
from anomscan.storage.aws import lacks_credentials

_SHOWN = 200


class Cure(Enum):
    """What may help after a fault."""

    WAIT = "ask again until the deadline"
    FEW = "ask again a few times"
    HALVE = "ask for half as much"


class FaultError(Exception):
    """A request that failed and may succeed later.

    Parameters
    ----------
    cure
        What may help.
    reason
        What the endpoint did, as the end of a sentence that begins with its name.
    """

    def __init__(self, cure: Cure, reason: str) -> None:
        super().__init__(reason)
        self.cure = cure
        self.reason = reason


class UnreachableError(FaultError):
    """The service cannot be reached."""

    def __init__(self, reason: str) -> None:
        super().__init__(Cure.FEW, reason)


def meaning(error: Exception, endpoint: str, dimension: int) -> FaultError | AnomscanError:
    """Translate a botocore error into a fault, or into the error that ends the run.

    Parameters
    ----------
    error
        A ClientError or BotoCoreError.
    endpoint
        The endpoint's name, for messages.
    dimension
        Of the points sent.
    """
    if isinstance(error, aws.ClientError):
        return _refusal(error.response, endpoint, dimension)
    if isinstance(error, (aws.NoRegionError, aws.ProfileNotFound, aws.ParamValidationError, aws.InvalidRegionError)):
        return ConfigError(f"endpoint '{endpoint}' cannot be asked: {error}", hint="set the detector's region")
    if lacks_credentials(error):
        return ServiceError(
            f"endpoint '{endpoint}' cannot be asked without AWS credentials ({type(error).__name__})",
            hint="set AWS_PROFILE or the AWS_* variables, sign in again, or give this host a role",
        )
    if isinstance(error, aws.ReadTimeoutError):
        return FaultError(Cure.HALVE, "did not answer in time")
    if isinstance(error, aws.ConnectionError):
        return UnreachableError(f"cannot be reached ({type(error).__name__})")
    if isinstance(error, (aws.HTTPClientError, aws.IncompleteReadError)):
        return FaultError(Cure.WAIT, "broke off the connection")
    return ServiceError(f"endpoint '{endpoint}' cannot be asked: {type(error).__name__}")


_TOO_LARGE = 413
_TOO_MANY = 429
_SERVER = 500


def _refusal(response: Mapping[str, Any], endpoint: str, dimension: int) -> FaultError | AnomscanError:
    code = str(response.get("Error", {}).get("Code", "unknown"))
    said = str(response.get("Error", {}).get("Message", ""))[:_SHOWN]
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code == "ModelError":
        return _of_the_model(response, endpoint, dimension)
    if code == "ModelNotReadyException":
        return FaultError(Cure.WAIT, "was still loading its model")
    if status == _TOO_LARGE or "length less than" in said:
        return FaultError(Cure.HALVE, "found a request too large")
    if status == _TOO_MANY or status >= _SERVER or "Throttl" in code or code in _BUSY:
        return FaultError(Cure.WAIT, f"answered {code}")
    if code in ("ValidationError", "ValidationException") and "not found" in said.lower():
        return ServiceError(
            f"there is no endpoint '{endpoint}': {said}",
            hint="check its name and region; anomscan train --deploy makes one",
        )
    if code.startswith("AccessDenied"):
        return ServiceError(
            f"endpoint '{endpoint}' is denied to us ({code})", hint="allow sagemaker:InvokeEndpoint on it"
        )
    if code in _CREDENTIALS or "Token" in code or "Signature" in code:
        # The message can contain what was signed, including a session token.
        return ServiceError(
            f"endpoint '{endpoint}' does not accept the AWS credentials ({code})",
            hint="renew them, or check AWS_PROFILE and this host's clock",
        )
    return ServiceError(f"endpoint '{endpoint}' refuses us: {code}{f', {said}' if said else ''}")


_BUSY = frozenset({"RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete", "RequestLimitExceeded"})
_CREDENTIALS = frozenset({"RequestExpired", "RequestTimeTooSkewed", "AuthFailure", "OptInRequired"})


#: What a container answers to points that its model does not take, and to requests in a format it does not know.
_BAD_POINTS, _FORMAT = (400, 422), (406, 415)
_FORMAT_HINT = (
    "anomscan sends text/csv and asks for the detector's accept: name an endpoint of SageMaker's Random Cut Forest, "
    "or set accept"
)


def _of_the_model(response: Mapping[str, Any], endpoint: str, dimension: int) -> FaultError | AnomscanError:
    """An error from the model's container; worth a retry unless it blames the request."""
    status = int(response.get("OriginalStatusCode") or _SERVER)
    if status == _TOO_MANY:
        return FaultError(Cure.WAIT, f"had its model answer {status}")
    if status >= _SERVER or status == _TOO_LARGE:
        return FaultError(Cure.HALVE, f"had its model answer {status}")
    said = str(response.get("OriginalMessage", ""))[:_SHOWN]
    if status not in _BAD_POINTS:
        return ModelError(
            f"the model of endpoint '{endpoint}' refuses our requests ({status}{f': {said}' if said else ''})",
            hint=_FORMAT_HINT if status in _FORMAT else "name an endpoint of SageMaker's Random Cut Forest",
        )
    return ModelError(
        f"the model of endpoint '{endpoint}' refuses points of dimension {dimension} "
        f"({status}{f': {said}' if said else ''})",
        hint="dimension is shingle times variables: set them as in its training, or name another endpoint",
    )
