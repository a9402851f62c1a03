"""The sinks, each imported when a target needs it."""

from __future__ import annotations

from importlib import import_module

from anomscan.config import Route
from anomscan.incidents.notify.base import Sink
from anomscan.retrying import Clock

#: For each ``sink``, its module in this package and its class.
SINKS = {
    "webhook": ("webhook", "Webhook"),
    "mail": ("mail", "Mail"),
    "alertmanager": ("alertmanager", "Alertmanager"),
    "apprise": ("apprise", "Apprise"),
}


def opened(route: Route, clock: Clock | None = None) -> Sink:
    """The sink of a target.

    Raises
    ------
    ConfigError
        If its settings cannot be used.
    MissingExtraError
        If it needs a package that is not installed.
    ServiceError
        If a secret of it cannot be had.
    """
    module, name = SINKS[route.sink]
    sink: Sink = getattr(import_module(f"anomscan.incidents.notify.{module}"), name)(route, clock or Clock())
    return sink
