"""How a call to a service can fail."""

from __future__ import annotations

import ssl

from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from anomscan.errors import AssetError, ServiceError
from anomscan.retrying import TransientError

_TRIES_TO_UNPACK = 3


class UnreachedError(TransientError):
    """No service was found at the other end."""


class RefusedError(AssetError):
    """The service refuses a call (403): for this asset, or for all of them."""


class TooLongError(AssetError):
    """The service has no answer for so long a stretch."""


class StoppedError(Exception):
    """The run ended while a call was under way."""


def translated(error: HTTPError, place: str, ca: str) -> TransientError | ServiceError:
    """The library's error, without the URL that it may repeat.

    Parameters
    ----------
    place
        Where the call went, for people.
    ca
        The setting that names certificates to trust.
    """
    cause = error.args[-1] if isinstance(error, SSLError) else error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return ServiceError(
            f"{place}: its certificate is not trusted: {cause.verify_message}",
            hint=f"set {ca} to the certificates of a private service",
        )
    if isinstance(error, (NameResolutionError, LocationParseError)):
        return UnreachedError(f"{place}: there is no such host, or its name cannot be looked up")
    if isinstance(error, NewConnectionError):
        why = (getattr(cause, "strerror", None) or "no connection").lower()
        return UnreachedError(f"{place} cannot be reached: {why}")
    if isinstance(error, ConnectTimeoutError):
        return UnreachedError(f"{place} cannot be reached: the connection timed out")
    if isinstance(error, ProxyError):
        return UnreachedError(f"{place} cannot be reached through the proxy of the environment")
    if isinstance(error, SSLError):
        why = (getattr(cause, "reason", None) or "broken off").lower().replace("_", " ")
        return UnreachedError(f"{place} cannot be reached over TLS: {why}")
    if isinstance(error, ReadTimeoutError):
        return TransientError(f"{place} did not answer in time")
    if isinstance(error, DecodeError):
        return TransientError(f"{place} sent broken gzip", most_tries=_TRIES_TO_UNPACK)
    return TransientError(f"{place} dropped the connection")
