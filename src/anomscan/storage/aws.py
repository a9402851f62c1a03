"""AWS for the rest of anomscan: clients that retry, and each refusal as one line that says what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from anomscan.errors import AnomscanError, ConfigError, MissingExtraError, ServiceError

_ATTEMPTS = 8
_LONGEST = 500
_CREDENTIALS = "set AWS_PROFILE, or give this host a role"
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "UnauthorizedOperation", "403"})
_BAD_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


def region_of(region: str | None) -> str | None:
    """The region to use: the one given, else ``$AWS_REGION``, else None, which leaves the search to boto3."""
    # boto3 itself reads only AWS_DEFAULT_REGION, although every other tool of AWS reads AWS_REGION.
    return region or os.environ.get("AWS_REGION") or None


def client(service: str, *, feature: str, region: str | None = None) -> Any:
    """A boto3 client that retries with growing waits and respects ``AWS_ENDPOINT_URL`` and the like.

    Parameters
    ----------
    service
        As boto3 calls it: ``s3``, ``sagemaker``.
    feature
        What needs it, as the user would say it.
    region
        The region of the settings, None where they have none.

    Raises
    ------
    MissingExtraError
        Without boto3.
    ConfigError
        If there is no region, or no such profile.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise MissingExtraError(feature, "aws") from None
    retries: dict[str, Any] = {"mode": "standard"}
    if "AWS_MAX_ATTEMPTS" not in os.environ:
        retries["total_max_attempts"] = _ATTEMPTS
    try:
        with refusals(feature):
            return boto3.session.Session().client(
                service,
                region_name=region_of(region),
                config=Config(retries=retries, connect_timeout=10, read_timeout=60),
            )
    except ValueError as error:  # AWS_ENDPOINT_URL is not a URL
        raise ConfigError(f"{feature}: {in_words(error)}") from None


def lacks_credentials(error: Exception) -> bool:
    """Whether boto3 found no credentials to use.

    What such an error says may repeat what a credential helper printed: show its kind alone.
    """
    import botocore.exceptions as boto

    return isinstance(
        error,
        (
            boto.NoCredentialsError,
            boto.PartialCredentialsError,
            boto.CredentialRetrievalError,
            boto.NoAuthTokenError,
            boto.TokenRetrievalError,
            boto.SSOError,
        ),
    )


def in_words(error: Exception) -> str:
    """The text of any other error of boto3, without the user and password that an address may contain.

    >>> in_words(ValueError("Invalid endpoint: http://me:secret@ local"))
    'Invalid endpoint: http://***@ local'
    """
    return re.sub(r"//[^/\s]*@", "//***@", str(error))


@contextmanager
def refusals(
    thing: str, kind: type[AnomscanError] = ServiceError, *, hints: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Turn errors of boto3 in the block into one line.

    Parameters
    ----------
    thing
        What was asked for, the beginning of the line.
    kind
        The error to raise where AWS refuses or cannot be reached.
    hints
        The way out by AWS's error code, for codes that mean something special here.

    Raises
    ------
    ConfigError
        No region, no such profile, a parameter that AWS's own rules forbid.
    AnomscanError
        Of ``kind``, for the rest.
    """
    import botocore.exceptions as boto

    try:
        yield
    except boto.NoRegionError:
        raise ConfigError(
            f"{thing}: no AWS region is set", hint="set region in the detector's settings, or AWS_REGION"
        ) from None
    except (boto.ProfileNotFound, boto.InvalidRegionError, boto.ConfigParseError, boto.ParamValidationError) as error:
        raise ConfigError(f"{thing}: {error}") from None
    except boto.ClientError as error:
        raise _refused(thing, kind, error.response.get("Error", {}), hints or {}) from None
    except boto.BotoCoreError as error:
        if lacks_credentials(error):
            raise kind(f"{thing}: there are no AWS credentials ({type(error).__name__})", hint=_CREDENTIALS) from None
        raise kind(f"{thing}: {in_words(error)}") from None


def _refused(
    thing: str, kind: type[AnomscanError], answer: Mapping[str, Any], hints: Mapping[str, str]
) -> AnomscanError:
    code, said = str(answer.get("Code", "unknown")), str(answer.get("Message", ""))[:_LONGEST]
    hint = hints.get(code)
    if code in _BAD_CREDENTIALS:
        return kind(f"{thing}: AWS does not accept our credentials ({code})", hint=hint or "renew them")
    if code in _DENIED:
        return kind(f"{thing}: access denied{f' ({said})' if said else ''}", hint=hint or "grant it to our role")
    return kind(f"{thing}: {code}{f': {said}' if said else ''}", hint=hint)
