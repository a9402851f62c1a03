"""Carries out a plan in AWS: trains a model on exemplars, deploys it to an endpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from anomscan.detectors.sagemaker.calls import Call
from anomscan.detectors.sagemaker.planning import Plan
from anomscan.detectors.sagemaker.waiting import Waiter
from anomscan.errors import ConfigError, ServiceError
from anomscan.retrying import Clock
from anomscan.storage.aws import client, refusals
from anomscan.wording import counted

_FEATURE = "training with SageMaker"


@dataclass(frozen=True, slots=True)
class Made:
    """What was created, by name; None for what was not asked for."""

    artifact: str
    training_job: str | None = None
    model: str | None = None
    endpoint_config: str | None = None
    endpoint: str | None = None

    def line(self) -> str:
        """The same as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


class Account:
    """The AWS account that a plan is carried out in.

    Parameters
    ----------
    plan
        What to do.
    say
        Called with a line for each thing that happens.
    clock
        For tests.

    Raises
    ------
    MissingExtraError
        If boto3 is not installed.
    ConfigError
        If no region is set.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        say: Callable[[str], None],
        clock: Clock | None = None,
    ) -> None:
        self._plan = plan
        self._say = say
        self._clients: dict[str, Any] = {
            service: client(service, feature=_FEATURE, region=plan.settings.region) for service in ("s3", "sagemaker")
        }
        self._waiter = Waiter(self._clients["sagemaker"], say, clock or Clock())

    def check(self) -> bool:
        """Check the bucket and the endpoint before anything costs money.

        Returns
        -------
        Whether the endpoint exists, and is to be updated.

        Raises
        ------
        ConfigError
            If the endpoint exists, but the user did not name it.
        ServiceError
            If the bucket does not exist, the endpoint cannot be updated now, or AWS refuses us.
        """
        import botocore.exceptions as boto

        plan = self._plan
        if plan.uploads:
            bucket = plan.settings.training.bucket
            with refusals(f"bucket '{bucket}'"):
                try:
                    self._clients["s3"].head_bucket(Bucket=bucket)
                except boto.ClientError as error:
                    if _code(error) == "404":
                        raise ServiceError(
                            f"there is no bucket '{bucket}'", hint="make it, or check training.bucket"
                        ) from None
                    if _code(error) != "403":  # permission to write does not imply permission to look
                        raise
        if not plan.wish.deploys:
            return False
        with refusals(f"endpoint '{plan.endpoint}'"):
            try:
                found = self._clients["sagemaker"].describe_endpoint(EndpointName=plan.endpoint)
            except boto.ClientError as error:
                if _code(error) == "ValidationException" and "could not find" in str(error).lower():
                    return False
                raise
        if plan.wish.endpoint is None:
            raise ConfigError(
                f"endpoint '{plan.endpoint}' already exists ({found['EndpointStatus']})",
                hint=f"--endpoint {plan.endpoint} updates it, another name makes another",
            )
        if found["EndpointStatus"] != "InService":
            raise ServiceError(
                f"endpoint '{plan.endpoint}' is {found['EndpointStatus']} and cannot be updated",
                hint="wait for it, or delete it if it has failed",
            )
        return True

    def carry_out(self, *, update: bool) -> Made:
        """Do what was planned.

        Parameters
        ----------
        update
            Whether the endpoint exists, from :meth:`check`.

        Raises
        ------
        ServiceError
            If AWS refuses, or a step fails; says where the model is stored, if there is one.
        """
        plan = self._plan
        artifact, job = plan.artifact, plan.training
        for call in plan.uploads:
            self._do(call, f"s3://{call.parameters['Bucket']}/{call.parameters['Key']}")
        if plan.uploads:
            self._say(
                f"{counted(len(plan.uploads), 'file')} put below {plan.artifact.removesuffix('output/model.tar.gz')}"
            )
        if job is not None:
            self._do(job, f"training job '{plan.name}'")
            self._say(f"training job '{plan.name}' goes on in AWS even if this is interrupted")
            artifact = self._waiter.trained(plan.name, plan.settings.training.max_runtime_s)
            self._say(f"model artifact: {artifact}")
        trained = plan.name if job is not None else None
        steps = plan.deployment(artifact, update=update)
        if not steps:
            return Made(artifact, trained)
        try:
            for call, thing in zip(steps, ("model", "endpoint configuration", "endpoint"), strict=True):
                self._do(call, f"{thing} '{plan.endpoint if thing == 'endpoint' else plan.name}'")
            self._waiter.in_service(plan.endpoint, plan.name)
        except ServiceError as error:
            kept = f"the model is kept: --artifact {artifact} deploys it"
            raise ServiceError(error.message, hint=f"{error.hint}; {kept}" if error.hint else kept) from error
        return Made(artifact, trained, plan.name, plan.name, plan.endpoint)

    def _do(self, call: Call, thing: str) -> None:
        role = self._plan.settings.training.role_arn
        hints = {"ValidationException": f"does the role {role} exist, and does it trust sagemaker.amazonaws.com?"}
        with refusals(thing, hints=hints):
            getattr(self._clients[call.service], call.operation)(**call.parameters)


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code"))
