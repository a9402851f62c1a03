"""A plan of a training with SageMaker or a deployment, complete before anything is done."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from anomscan import __version__
from anomscan.config import SageMakerSettings as Settings
from anomscan.detectors.exemplars import Exemplars
from anomscan.detectors.points import as_points
from anomscan.detectors.sagemaker import calls
from anomscan.detectors.sagemaker.calls import Call
from anomscan.detectors.sagemaker.image import image_of
from anomscan.detectors.sagemaker.wire import rows
from anomscan.errors import ConfigError, InputError
from anomscan.telemetry.cadence import instant_text
from anomscan.telemetry.rows import Layout
from anomscan.wording import counted

#: Most rows in one file of the training set.
_SHARD_ROWS = 250_000
_LONGEST_NAME = 63


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for.

    Parameters
    ----------
    deploy
        Whether to deploy the model.
    endpoint
        The endpoint to create or update. None: the detector's own, which must not exist yet.
    artifact
        A model trained earlier, to deploy without training.
    """

    deploy: bool = False
    endpoint: str | None = None
    artifact: str | None = None

    @property
    def deploys(self) -> bool:
        """Whether anything is deployed."""
        return self.deploy or self.endpoint is not None or self.artifact is not None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Everything that will be done.

    Parameters
    ----------
    name
        The name of everything that is created.
    detector
        The name of the section.
    settings
        The section.
    image
        The algorithm's image.
    wish
        What was asked for.
    uploads
        The training set and its description; empty if nothing is trained.
    shape
        (m, L * d) of the training set; None if nothing is trained.
    """

    name: str
    detector: str
    settings: Settings
    image: str
    wish: Wish
    uploads: tuple[Call, ...] = ()
    shape: tuple[int, int] | None = None

    @property
    def endpoint(self) -> str:
        """The endpoint to deploy to."""
        return self.wish.endpoint or self.settings.endpoint

    @property
    def artifact(self) -> str:
        """Where the model is, or will be, stored."""
        return self.wish.artifact or f"{self._output}{self.name}/output/model.tar.gz"

    @property
    def training(self) -> Call | None:
        """The training job, if there is to be one."""
        if self.shape is None:
            return None
        return calls.training_job(
            self.name,
            self.settings.training,
            self.image,
            data=f"{self._output}{self.name}/train/",
            output=self._output,
            dimension=self.shape[1],
        )

    def deployment(self, artifact: str, *, update: bool) -> tuple[Call, ...]:
        """The calls that deploy an artifact; none if no deployment was asked for."""
        if not self.wish.deploys:
            return ()
        training = self.settings.training
        return (
            calls.model(self.name, training, self.image, artifact),
            calls.endpoint_config(self.name, training, self.name, serverless=self.settings.serverless),
            calls.endpoint(self.endpoint, training, self.name, update=update),
        )

    def lines(self) -> Iterator[str]:
        """Each call that changes something, as a line of JSON."""
        # Whether the endpoint exists is not known yet; --endpoint is meant for one that does.
        deployment = self.deployment(self.artifact, update=self.wish.endpoint is not None)
        for call in (*self.uploads, *((self.training,) if self.training else ()), *deployment):
            yield call.line()

    def costs(self) -> list[str]:
        """What will cost money, a sentence each."""
        training = self.settings.training
        said = []
        if self.shape is not None:
            said.append(
                f"training on {training.training_instance_count} x {training.training_instance_type} with "
                f"{training.volume_gb} GB of disk each, by the second, for at most {training.max_runtime_s} s"
            )
        if self.wish.deploys and self.settings.serverless:
            said.append(
                f"a serverless endpoint '{self.endpoint}' of {training.serverless_memory_mb} MB and up to "
                f"{counted(training.serverless_concurrency, 'request')} at a time, by request"
            )
        elif self.wish.deploys:
            said.append(
                f"an endpoint '{self.endpoint}' on {training.instance_count} x {training.instance_type}, by the hour "
                "until it is deleted, used or not"
            )
        return said

    def warning(self) -> str | None:
        """What the user should know about the training set."""
        trees, samples = self.settings.training.trees, self.settings.training.sample_size
        if self.shape is None or self.shape[0] >= trees * samples:
            return None
        effect = "scores come out a little higher than with enough of them"
        if self.settings.training.order == "by-asset":
            effect = "in the order of the assets, so each tree knows few assets and scores come out far too high"
        return (
            f"{self.shape[0]:,} shingles are fewer than {trees} trees x {samples} samples = {trees * samples:,}: "
            f"SageMaker gives each tree about {self.shape[0] // trees} of them; {effect}"
        )

    @property
    def _output(self) -> str:
        return f"s3://{self.settings.training.bucket}/{_folder(self.settings.training.prefix)}"


def make_plan(
    detector: str,
    settings: Settings,
    wish: Wish,
    exemplars: tuple[Exemplars, Layout, int] | None = None,
    *,
    now: datetime | None = None,
) -> Plan:
    """Plan a training, a deployment, or both; AWS is not called.

    Parameters
    ----------
    detector, settings
        The section's name and the section.
    wish
        What the user asked for.
    exemplars
        What to train on, with the layout of their source and L; None to deploy ``wish.artifact``.
    now
        The time that names contain; the present by default.

    Raises
    ------
    ConfigError
        If a setting is missing or contradicts another.
    InputError
        If the exemplars are too few, or have values beyond the range of float32.
    MissingExtraError
        If the image is to be looked up and Amazon's SDK is not installed.
    """
    training = settings.training
    if training.role_arn is None:
        raise _missing(detector, "role_arn", "the role that SageMaker works as")
    if wish.artifact is not None and not re.fullmatch(r"s3://[^/]+/.+", wish.artifact):
        raise ConfigError(f"'{wish.artifact}' is not an artifact", hint="it is written s3://BUCKET/.../model.tar.gz")
    image = image_of(detector, training.image_uri, settings.region)
    name = _run_name(detector, now or datetime.now(UTC))
    if exemplars is None:
        return Plan(name, detector, settings, image, wish)
    if training.bucket is None:
        raise _missing(detector, "bucket", "where the exemplars and the model are put")
    uploads, shape = _training_set(name, settings, training.bucket, *exemplars)
    return Plan(name, detector, settings, image, wish, uploads, shape)


def _training_set(
    name: str, settings: Settings, bucket: str, exemplars: Exemplars, layout: Layout, shingle: int
) -> tuple[tuple[Call, ...], tuple[int, int]]:
    """The files to upload, in the order of their rows, and the shape of all rows, (m, L * d)."""
    training = settings.training
    if settings.shingle not in (None, shingle):
        raise ConfigError(
            f"the detector is set to shingle {settings.shingle}, [scan] to {shingle}", hint="set both to the same"
        )
    points = as_points(exemplars.points[np.arange(len(exemplars.points))])
    if len(points) < training.trees:
        raise InputError(
            f"too few shingles for {training.trees} trees: {len(points):,}", hint="find more exemplars; see [train]"
        )
    if training.order == "shuffled":
        points = points[np.random.default_rng(0).permutation(len(points))]
    shards = max(training.training_instance_count, -(-len(points) // _SHARD_ROWS))
    folder = f"{_folder(training.prefix)}{name}/"
    facts = {
        "anomscan": __version__,
        "shingle": shingle,
        "variables": list(layout.variables),
        "cadence": layout.cadence.name,
        "trained_through": instant_text(exemplars.trained_through),
        "shingles": len(points),
        "order": training.order,
        "exemplars": exemplars.assets,
    }
    described = json.dumps(facts, indent=2, ensure_ascii=False).encode() + b"\n"
    uploads = [calls.put_object(bucket, f"{folder}training.json", described, "application/json")]
    for number, piece in enumerate(np.array_split(points, shards)):
        content = b"\n".join(rows(piece)) + b"\n"
        uploads.append(calls.put_object(bucket, f"{folder}train/part-{number:05}.csv", content, "text/csv"))
    return tuple(uploads), (len(points), points.shape[1])


def _run_name(detector: str, now: datetime) -> str:
    """A unique name of characters that AWS allows: ``anomscan-endpoint-20261122-101500-250``."""
    stamp = f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03}"
    middle = re.sub(r"[^A-Za-z0-9]+", "-", detector).strip("-") or "rcf"
    middle = middle[: _LONGEST_NAME - len("anomscan--") - len(stamp)].strip("-")
    return f"anomscan-{middle}-{stamp}"


def _folder(prefix: str) -> str:
    prefix = prefix.strip("/")
    return f"{prefix}/" if prefix else ""


def _missing(detector: str, key: str, what: str) -> ConfigError:
    return ConfigError(f"detector '{detector}' has no training.{key}", hint=f"[detectors.{detector}.training]: {what}")
