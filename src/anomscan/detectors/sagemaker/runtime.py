"""Scores points through an endpoint, with bounded requests, bounded concurrency and our own retries."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future
from concurrent.futures import wait as wait_for
from types import TracebackType
from typing import Any, Self

import numpy as np

from anomscan.config import SageMakerSettings as Settings
from anomscan.detectors.points import Floats32
from anomscan.detectors.sagemaker import wire
from anomscan.errors import AnomscanError, AssetError, ConfigError, MissingExtraError, ServiceError
from anomscan.retrying import Backoff, Clock, Deadline
from anomscan.storage.aws import in_words, refusals, region_of
from anomscan.telemetry.series import Floats

#: Largest request in MB, without and with serverless; well under the service's limits of 6 MiB and 4 MiB.
PAYLOAD_MB = {False: 5.0, True: 3.5}
#: Attempts of botocore before our own retries.
_ATTEMPTS = 3
_FEW = 4
_BACKOFF = Backoff(0.25, 20.0, jitter=(0.5, 1.0))

#: Scores of a request's rows, and the stretches of rows that failed: start, stop, reason.
_Answer = tuple[Floats, list[tuple[int, int, str]]]


def connect(settings: Settings) -> Any:
    """Create a client of the runtime from the AWS environment and the settings.

    ``AWS_RETRY_MODE`` and ``AWS_MAX_ATTEMPTS`` take precedence over our choices.

    Raises
    ------
    MissingExtraError
        If boto3 is not installed.
    ConfigError
        If no region is set, or the profile does not exist.
    ServiceError
        If a credential helper fails.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise MissingExtraError("the sagemaker detector", "aws") from None

    ours = {"mode": ("AWS_RETRY_MODE", "adaptive"), "total_max_attempts": ("AWS_MAX_ATTEMPTS", _ATTEMPTS)}
    config = Config(
        connect_timeout=settings.connect_timeout_s,
        read_timeout=settings.read_timeout_s,
        max_pool_connections=settings.concurrency,
        retries={key: value for key, (variable, value) in ours.items() if variable not in os.environ},
    )
    thing, region = f"endpoint '{settings.endpoint}'", region_of(settings.region)
    try:
        with refusals(thing):
            return boto3.session.Session().client("sagemaker-runtime", region_name=region, config=config)
    except ValueError as error:  # AWS_ENDPOINT_URL is not a URL
        raise ConfigError(f"{thing}: {in_words(error)}") from None


class Runtime:
    """Client of an endpoint; threads may share it. Close it when done.

    Parameters
    ----------
    settings
        The detector's section.
    client
        A botocore client for ``sagemaker-runtime``; None to create one with :func:`connect`.
    clock
        For tests.
    """

    def __init__(
        self,
        settings: Settings,
        client: Any = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._client = connect(settings) if client is None else client
        self._closed = threading.Event()
        self._clock = clock or Clock()
        self._wait = self._clock.sleep or self._closed.wait
        self._slots = threading.BoundedSemaphore(settings.concurrency)
        self._given_up: Future[_Answer] = Future()
        self._answered = False
        self._most_bytes = int(1e6 * (settings.max_payload_mb or PAYLOAD_MB[settings.serverless]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        """Start no further requests; whoever waits for one gets a CancelledError."""
        if not self._closed.is_set():
            self._closed.set()
            self._given_up.cancel()
            self._given_up.set_running_or_notify_cancel()

    def score(self, points: Sequence[Floats32]) -> list[Floats | AnomscanError]:
        """Score the points of many assets, packed together; see :class:`anomscan.detectors.recording.Scorer`.

        Raises
        ------
        ModelError
            If the model expects points of another dimension.
        ConfigError
            If a single point is larger than a request may be.
        ServiceError
            If the endpoint does not exist, refuses us or cannot be reached, or if all these assets failed and it has
            not answered at all in this run.
        """
        answers: list[_Answer] = []
        waiting: deque[Future[_Answer]] = deque()
        dimension = points[0].shape[1]
        try:
            for request in wire.requests(points, self._most_bytes):
                while len(waiting) > self._settings.concurrency:
                    answers.append(self._end(waiting.popleft()))
                waiting.append(self._begin(request, dimension))
            answers += map(self._end, waiting)
        except BaseException:
            for future in waiting:
                future.cancel()
            raise
        return self._by_asset(answers, [len(table) for table in points])

    def _begin(self, rows: list[bytes], dimension: int) -> Future[_Answer]:
        """Send a request in a daemon thread, so that an interrupted run can exit before the answer arrives."""
        future: Future[_Answer] = Future()

        def work() -> None:
            with self._slots:
                if future.set_running_or_notify_cancel():
                    with _Raised(future):
                        future.set_result(self._persist(rows, dimension))

        threading.Thread(target=work, name="endpoint", daemon=True).start()
        return future

    def _end(self, future: Future[_Answer]) -> _Answer:
        wait_for([future, self._given_up], return_when=FIRST_COMPLETED)
        if not future.done():
            raise CancelledError
        return future.result()

    def _by_asset(self, answers: Sequence[_Answer], lengths: Sequence[int]) -> list[Floats | AnomscanError]:
        stops = np.cumsum(lengths)
        whole = np.concatenate([scores for scores, _ in answers])
        results: list[Floats | AnomscanError] = list(np.split(whole, stops[:-1]))
        offset = 0
        for scores, failed in answers:
            for start, stop, reason in failed:
                first = int(np.searchsorted(stops, offset + start, "right"))
                last = int(np.searchsorted(stops, offset + stop - 1, "right"))
                for place in range(first, last + 1):
                    results[place] = AssetError(f"endpoint '{self._settings.endpoint}' {reason}")
            offset += len(scores)
        if not self._answered:
            raise ServiceError(
                f"no asset can be scored: {next(iter(results))}", hint="look at the endpoint's status and its logs"
            )
        return results

    def _persist(self, rows: list[bytes], dimension: int) -> _Answer:
        """Request the scores of some rows, with retries, until the deadline.

        Returns
        -------
        (n,) float64, NaN where scoring failed; and the stretches of rows that failed, with their reasons.
        """
        from anomscan.detectors.sagemaker.faults import Cure, FaultError, UnreachableError

        settings = self._settings
        scores, failed = np.full(len(rows), np.nan), list[tuple[int, int, str]]()
        deadline = Deadline(self._clock, settings.deadline_s)
        pieces = [(0, len(rows), 0)]  # start, stop, failures that waiting does not cure; a stack
        streak = 0
        while pieces:
            start, stop, failures = pieces.pop()
            try:
                scores[start:stop] = self._ask(rows[start:stop], dimension)
            except FaultError as fault:
                delay = _BACKOFF.wait(streak, self._clock)
                late = not deadline.allows(delay)
                failures, streak = failures + (fault.cure is not Cure.WAIT), streak + 1
                if not late and fault.cure is Cure.HALVE and stop - start > 1:
                    middle = (start + stop) // 2
                    pieces += [(middle, stop, 0), (start, middle, 0)]
                elif not late and (fault.cure is Cure.WAIT or failures < _FEW):
                    pieces.append((start, stop, failures))
                elif isinstance(fault, UnreachableError):
                    raise ServiceError(
                        f"endpoint '{settings.endpoint}' {fault.reason}",
                        hint="check its region, the network and AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME",
                    ) from None
                else:
                    failed.append((start, stop, fault.reason))
                    if late:
                        failed += [(begin, end, fault.reason) for begin, end, _ in pieces]
                        break
                    continue
                self._wait(delay)
                if self._closed.is_set():
                    raise CancelledError from None
            else:
                streak = 0
        return scores, failed

    def _ask(self, rows: list[bytes], dimension: int) -> Floats:
        from botocore.exceptions import BotoCoreError, ClientError

        from anomscan.detectors.sagemaker.faults import Cure, FaultError, meaning

        settings = self._settings
        try:
            answer = self._client.invoke_endpoint(
                EndpointName=settings.endpoint, ContentType="text/csv", Accept=settings.accept, Body=b"\n".join(rows)
            )
            content = answer["Body"].read()
        except (BotoCoreError, ClientError) as error:
            raise meaning(error, settings.endpoint, dimension) from None
        try:
            scores = wire.scores(content, answer.get("ContentType") or settings.accept, len(rows))
        except ValueError as error:
            raise FaultError(Cure.FEW, f"cannot be understood: {error}") from None
        self._answered = True
        return scores


class _Raised:
    """Hands what the block raises to those who wait for a future."""

    def __init__(self, future: Future[_Answer]) -> None:
        self._future = future

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if error is not None:
            self._future.set_exception(error)
        return True
