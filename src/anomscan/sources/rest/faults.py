"""How a call to a service can fail."""

from __future__ import annotations

from anomscan.retrying import TransientError


class UnreachedError(TransientError):
    """No service was found at the other end."""


class StoppedError(Exception):
    """The run ended while a call was under way."""
