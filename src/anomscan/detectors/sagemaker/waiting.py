"""Waits for SageMaker and reports each change of state; a failure is an error with SageMaker's reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anomscan.errors import ServiceError
from anomscan.retrying import Backoff, Clock, Deadline, LateError, poll
from anomscan.storage.aws import refusals

_POLLS = Backoff(15.0, 15.0)
#: Allowed in addition to a job's own limit: for finding a machine and uploading the model.
_QUEUE_S = 7_200.0
_DEPLOY_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Waiter:
    """Polls until something has finished.

    Parameters
    ----------
    sagemaker
        A client of the control plane.
    say
        Called with each new state.
    clock
        For tests.
    """

    sagemaker: Any
    say: Callable[[str], None]
    clock: Clock

    def trained(self, job: str, max_runtime_s: float) -> str:
        """Wait for a training job.

        Returns
        -------
        Where its model is stored.

        Raises
        ------
        ServiceError
            If it failed or was stopped, with the reason, or has not finished in time.
        """
        thing = f"training job '{job}'"

        def ask() -> tuple[str, bool, Mapping[str, Any]]:
            found = self.sagemaker.describe_training_job(TrainingJobName=job)
            status = found["TrainingJobStatus"]
            return _state(status, found.get("SecondaryStatus")), status in ("Completed", "Failed", "Stopped"), found

        found = self._until(thing, ask, max_runtime_s + _QUEUE_S)
        if found["TrainingJobStatus"] != "Completed":
            reason = found.get("FailureReason") or found.get("SecondaryStatus") or "no reason was given"
            raise ServiceError(
                f"{thing} {found['TrainingJobStatus'].lower()}: {reason}", hint="its log is in CloudWatch"
            )
        return str(found["ModelArtifacts"]["S3ModelArtifacts"])

    def in_service(self, endpoint: str, config: str) -> None:
        """Wait for an endpoint to serve a configuration.

        Raises
        ------
        ServiceError
            If it failed, was rolled back to its old configuration, or is not in service in time.
        """
        thing = f"endpoint '{endpoint}'"

        def ask() -> tuple[str, bool, Mapping[str, Any]]:
            found = self.sagemaker.describe_endpoint(EndpointName=endpoint)
            status = found["EndpointStatus"]
            return status, status not in ("Creating", "Updating", "SystemUpdating", "RollingBack"), found

        found = self._until(thing, ask, _DEPLOY_S)
        reason = found.get("FailureReason") or "no reason was given"
        if found["EndpointStatus"] != "InService":
            raise ServiceError(f"{thing} is {found['EndpointStatus']}: {reason}", hint="its log is in CloudWatch")
        if found["EndpointConfigName"] != config:
            # After a failed update the old configuration stays in service, and the status does not tell.
            raise ServiceError(
                f"{thing} was not updated and serves '{found['EndpointConfigName']}' as before: {reason}",
                hint="the log of the endpoint is in CloudWatch",
            )

    def _until(
        self, thing: str, ask: Callable[[], tuple[str, bool, Mapping[str, Any]]], most_s: float
    ) -> Mapping[str, Any]:
        said = ""

        def look() -> tuple[str, bool, Mapping[str, Any]]:
            nonlocal said
            with refusals(thing):
                found = ask()
            if found[0] != said:
                said = found[0]
                self.say(f"{thing}: {said}")
            return found

        sleep = self.clock.sleep or time.sleep
        try:
            found = poll(look, lambda seen: seen[1], _POLLS, Deadline(self.clock, most_s), self.clock, sleep)
        except LateError:
            raise ServiceError(
                f"{thing} is still {said} after {most_s:.0f} s", hint="it goes on; look at it in AWS"
            ) from None
        return found[2]


def _state(status: str, detail: str | None) -> str:
    return status if detail in (None, status) else f"{status} ({detail})"
