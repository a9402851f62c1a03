"""How a call to a service can fail."""

from __future__ import annotations

from anomscan.errors import AssetError
from anomscan.retrying import TransientError


class UnreachedError(TransientError):
    """No service was found at the other end."""


class RefusedError(AssetError):
    """The service refuses a call (403): for this asset, or for all of them."""


class TooLongError(AssetError):
    """The service has no answer for so long a stretch."""


class StoppedError(Exception):
    """The run ended while a call was under way."""
