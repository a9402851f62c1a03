"""The official SDK with a rate limit, retries and deadlines."""

from __future__ import annotations

import ipaddress
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from anomscan.config import AzureSettings
from anomscan.detectors.azure.faults import LOCALLY, BadResponseError, masked, refusal, unreachable
from anomscan.errors import ConfigError, MissingExtraError, ServiceError
from anomscan.origins import origin_of
from anomscan.retrying import Backoff, Clock, Deadline, GaveUpError, LateError, TransientError, persist, poll

if TYPE_CHECKING:
    from azure.ai.anomalydetector import AnomalyDetectorClient
    from azure.ai.anomalydetector.models import AnomalyDetectionModel, ModelInfo, MultivariateDetectionResult

_FEATURE = "the azure detector"
#: Statuses worth a retry.
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_ATTEMPTS = 4
_BACKOFF = Backoff(0.5, 30.0)
_CLOCK = Clock()

Answer = TypeVar("Answer")


def is_near(endpoint: str) -> bool:
    """Whether a service runs on this machine.

    >>> is_near("http://127.0.0.1:5000"), is_near("http://localhost"), is_near("https://x.azure.com")
    (True, True, False)
    """
    host = urlsplit(endpoint).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Mvad:
    """Client of the multivariate calls of v1.1; threads may share it.

    Parameters
    ----------
    settings
        Endpoint, key, rate limit and deadlines.

    Raises
    ------
    ConfigError
        If the endpoint is invalid, or a service on another machine has no key.
    MissingExtraError
        If the SDK is not installed.
    """

    def __init__(self, settings: AzureSettings) -> None:
        self.endpoint = settings.endpoint.rstrip("/")
        self.near = is_near(self.endpoint)
        self._settings = settings
        self._rate_limit = _RateLimit(60.0 / settings.calls_per_minute)
        self._closed = threading.Event()
        self._sdk = _sdk(settings, self.endpoint, near=self.near)

    def close(self) -> None:
        """Close the connections; calls waiting in other threads end with an error."""
        self._closed.set()
        self._sdk.close()

    def model(self, model_id: str) -> AnomalyDetectionModel:
        """Look up a model, trained or not."""
        return self._call(f"model {model_id}", lambda: self._sdk.get_multivariate_model(model_id))

    def models(self) -> list[AnomalyDetectionModel]:
        """List all models of the service."""
        return self._call("the list of models", lambda: list(self._sdk.list_multivariate_models()))

    def delete(self, model_id: str) -> None:
        """Delete a model."""
        self._call(f"deleting model {model_id}", lambda: self._sdk.delete_multivariate_model(model_id))

    def train(self, info: ModelInfo, on_poll: Callable[[AnomalyDetectionModel], None]) -> AnomalyDetectionModel:
        """Train a model and wait until it is ready, or its training has failed.

        Parameters
        ----------
        on_poll
            Called with the model after each poll.

        Raises
        ------
        ServiceError
            If the service refuses, cannot be reached, or has not finished by the deadline.
        """
        # A training whose response was lost may be running: a retry would start a second one.
        begun = self._call("training a model", lambda: self._sdk.train_multivariate_model(info), again=False)

        def look() -> AnomalyDetectionModel:
            found = self._sdk.get_multivariate_model(begun.model_id)
            on_poll(found)
            return found

        what = f"training model {begun.model_id}"
        return self._wait(what, look, lambda m: status_of(m.model_info), self._settings.train_deadline_s)

    def detect(self, model_id: str, source: str, start: str, end: str) -> MultivariateDetectionResult:
        """Run detection on a stretch and wait for the result, ready or failed.

        Parameters
        ----------
        source
            Where the data is; never quoted in an error.
        start, end
            ISO 8601 with Z, both inclusive.

        Raises
        ------
        ServiceError
            If the service refuses, cannot be reached, or has not finished by the deadline.
        """
        options = {
            "dataSource": source,
            "topContributorCount": self._settings.top_contributors,
            "startTime": start,
            "endTime": end,
        }
        what = f"detection with model {model_id}"
        begun = self._call(what, lambda: self._sdk.detect_multivariate_batch_anomaly(model_id, options))
        return self._wait(
            what,
            lambda: self._sdk.get_multivariate_batch_detection_result(begun.result_id),
            lambda result: status_of(result.summary),
            self._settings.deadline_s,
        )

    def _wait(
        self, what: str, look: Callable[[], Answer], status: Callable[[Answer], str], deadline_s: float
    ) -> Answer:
        """Poll, with growing pauses, until the work has finished."""
        deadline = Deadline(_CLOCK, deadline_s)
        pauses = Backoff(self._settings.poll_s, self._settings.poll_longest_s, factor=1.5)
        try:
            return poll(
                lambda: self._call(what, look, deadline=deadline),
                lambda found: status(found) in ("READY", "FAILED"),
                pauses,
                deadline,
                _CLOCK,
                self._sleep,
            )
        except LateError as late:
            raise ServiceError(
                f"{what}: {self.endpoint} has not ended after {deadline_s:g} s (it is {status(late.last) or 'silent'})",
                hint="raise deadline_s or train_deadline_s in the detector's settings",
            ) from None

    def _call(
        self, what: str, ask: Callable[[], Answer], *, again: bool = True, deadline: Deadline | None = None
    ) -> Answer:
        """Make a call; retry temporary failures until the attempts or the time run out.

        Parameters
        ----------
        again
            Whether to retry where an earlier attempt may have taken effect.
        """

        def attempt() -> Answer:
            self._sleep(self._rate_limit.turn())
            try:
                with _translated(what, self.endpoint):
                    return ask()
            except _PassingError as passing:
                if not (again or passing.harmless):
                    passing.most_tries = 1
                raise

        deadline = deadline or Deadline(_CLOCK, self._settings.deadline_s)
        try:
            return persist(attempt, _BACKOFF, deadline, _CLOCK, self._sleep)
        except GaveUpError as gave_up:
            if isinstance(gave_up.last, _PassingError):
                raise gave_up.last.error from None
            raise

    def _sleep(self, seconds: float) -> None:
        if self._closed.wait(seconds):
            raise ServiceError(f"no more requests to {self.endpoint}: the run has ended")


def status_of(thing: Any) -> str:
    """The status of a model's info or a result's summary: CREATED, RUNNING, READY or FAILED; empty if it has none."""
    status = getattr(thing, "status", None)
    return str(getattr(status, "value", status) or "").upper()


class _RateLimit:
    """Keeps calls at least ``apart_s`` seconds apart, across threads."""

    def __init__(self, apart_s: float) -> None:
        self._apart_s = apart_s
        self._next = 0.0
        self._lock = threading.Lock()

    def turn(self) -> float:
        """Take the next turn; returns how many seconds to wait for it."""
        with self._lock:
            now = _CLOCK.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._apart_s
        return turn - now


class _PassingError(TransientError):
    """A failure that may be temporary; ``error`` is raised if it is not.

    Parameters
    ----------
    harmless
        Whether it is certain that the call had no effect.
    """

    def __init__(
        self,
        error: ServiceError,
        *,
        wait_s: float | None = None,
        most_tries: int | None = _ATTEMPTS,
        harmless: bool = False,
    ) -> None:
        super().__init__(error.message, wait_s=wait_s or 0.0, most_tries=most_tries)
        self.error = error
        self.harmless = harmless


@contextmanager
def _translated(what: str, endpoint: str) -> Iterator[None]:
    """Translate the SDK's errors into ours; this is the only place that does."""
    from azure.core.exceptions import AzureError, IncompleteReadError, ServiceRequestError

    try:
        yield
    except BadResponseError as refused:
        error = refusal(refused, what, endpoint)
        if refused.status in _PASSING:
            busy = refused.status == 429
            most = None if busy else _ATTEMPTS
            raise _PassingError(error, wait_s=refused.retry_after_s, most_tries=most, harmless=busy) from None
        raise error from None
    except ServiceRequestError as failed:
        raise _PassingError(unreachable(what, endpoint, _reason(failed)), harmless=True) from None
    except IncompleteReadError:
        raise _PassingError(unreachable(what, endpoint, "its answer breaks off")) from None
    except AzureError as failed:  # no answer
        raise _PassingError(unreachable(what, endpoint, _reason(failed))) from None
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as failed:
        # valid JSON of the wrong shape: the SDK reads keys lazily
        raise ServiceError(
            f"{what}: the answer of {endpoint} is not one of v1.1 ({masked(str(failed))})",
            hint=f"check endpoint; {LOCALLY}",
        ) from None


def _reason(error: Exception) -> str:
    text = str(error)
    # urllib3 puts the connection's repr in front of the reason
    return text.rsplit(">: ", 1)[-1].rsplit("]", 1)[-1].strip(" ')") or type(error).__name__


def _sdk(settings: AzureSettings, endpoint: str, *, near: bool) -> AnomalyDetectorClient:
    home = origin_of(endpoint)
    if home is None:
        raise ConfigError(f"endpoint '{masked(endpoint)}' is not the address of a service", hint="write https://...")
    if settings.key is None and not near:
        raise ConfigError(
            f"the service at {endpoint} wants a key, and none is set",
            hint="set key in the detector's settings, or anomaly_detector_key",
        )
    try:
        from azure.ai.anomalydetector import AnomalyDetectorClient
        from azure.core.credentials import AzureKeyCredential
        from azure.core.pipeline import PipelineRequest, PipelineResponse
        from azure.core.pipeline.policies import SansIOHTTPPolicy
    except ImportError:
        raise MissingExtraError(_FEATURE, "azure") from None

    # Without a handler its warnings would go to stderr; failures are raised, and reported in one line.
    logging.getLogger("azure").addHandler(logging.NullHandler())

    class Manners(SansIOHTTPPolicy[Any, Any]):
        """Sends the key to no other origin, and reads errors before the SDK, which fails on those without JSON."""

        def on_request(self, request: PipelineRequest[Any]) -> None:
            if origin_of(request.http_request.url) != home:  # a next link may lead anywhere
                raise BadResponseError(307, {}, b"")

        def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:
            answer = response.http_response
            body: bytes = answer.read()
            if answer.status_code == 204:
                return
            if answer.status_code >= 300 or not _is_object(body):
                raise BadResponseError(answer.status_code, answer.headers, body)

    # A local service may need no key, but the SDK does.
    key = "none" if settings.key is None else settings.key.get_secret_value()
    return AnomalyDetectorClient(
        endpoint,
        AzureKeyCredential(key),
        per_call_policies=[Manners()],
        retry_total=0,
        permit_redirects=False,
        connection_timeout=settings.connect_timeout_s,
        read_timeout=settings.read_timeout_s,
    )


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False
