"""Points to scores through an endpoint: requests of bounded size, a bounded number under way, retries of our own."""

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

from anomscan.config import SageMakerDetector as Settings
from anomscan.detectors.points import Floats32
from anomscan.detectors.sagemaker import wire
from anomscan.errors import AnomscanError, AssetError, ConfigError, MissingExtraError, ServiceError
from anomscan.retrying import Backoff, Clock, Deadline
from anomscan.storage.aws import in_words, refusals, region_of
from anomscan.telemetry.series import Floats

#: What a request may weigh, in millions of bytes, well under the service's 6 MiB and, serverless, 4 MiB.
PAYLOAD_MB = {False: 5.0, True: 3.5}
#: How often botocore tries before we begin to wait by ourselves.
_ATTEMPTS = 3
_FEW = 4
_BACKOFF = Backoff(0.25, 20.0, jitter=(0.5, 1.0))

#: Scores of a request's rows, and the stretches of them that failed: from, to, why.
_Answer = tuple[Floats, list[tuple[int, int, str]]]


def connect(settings: Settings) -> Any:
    """A client of the runtime, as the AWS environment and the settings say.

    ``AWS_RETRY_MODE`` and ``AWS_MAX_ATTEMPTS`` win over our choice of them.

    Raises
    ------
    MissingExtraError
        Without boto3.
    ConfigError
        Without a region, or with a profile that is not there.
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
    except ValueError as error:  # AWS_ENDPOINT_URL is no URL
        raise ConfigError(f"{thing}: {in_words(error)}") from None


class Runtime:
    """Asks an endpoint; threads may share it. Close it when done.

    Parameters
    ----------
    settings
        Of the detector.
    client
        Of botocore, for ``sagemaker-runtime``; made by :func:`connect` where it is None.
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
            If the model takes points of another dimension.
        ConfigError
            If a single point is larger than a request may be.
        ServiceError
            If the endpoint is missing, refuses us or cannot be reached, or if all these assets failed and it has not
            answered in this run at all.
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
        """Ask in a thread that nobody need wait for: an interrupted run ends though an answer is still to come."""
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
        """Ask for the scores of some rows until they are there, or time is up.

        Returns
        -------
        (n,) float64, and the stretches of rows that failed, each with its reason; there the scores are NaN.
        """
        from anomscan.detectors.sagemaker.faults import Cure, FaultError, UnreachableError

        settings = self._settings
        scores, failed = np.full(len(rows), np.nan), list[tuple[int, int, str]]()
        deadline = Deadline(self._clock, settings.deadline_s)
        pieces = [(0, len(rows), 0)]  # from, to, failures that waiting does not cure; the next one last
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
    """Pass what the block raises on to whoever waits for a future."""

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
