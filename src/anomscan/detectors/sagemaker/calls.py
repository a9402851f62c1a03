"""The calls that train a forest with SageMaker and put it into service, as plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anomscan.config import SageMakerTraining

VARIANT = "AllTraffic"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of boto3.

    Parameters
    ----------
    service, operation
        ``s3`` and ``put_object``, say.
    parameters
        Its keyword arguments.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]

    def line(self) -> str:
        """It as one line of JSON, content shown by its size."""
        call = {"service": self.service, "call": self.operation, "parameters": dict(self.parameters)}
        return json.dumps(call, default=lambda content: f"<{len(content):,} bytes>", ensure_ascii=False)


def put_object(bucket: str, key: str, content: bytes, content_type: str) -> Call:
    """Put one object."""
    parameters = {"Bucket": bucket, "Key": key, "Body": content, "ContentType": content_type}
    return Call("s3", "put_object", parameters)


def training_job(name: str, settings: SageMakerTraining, image: str, *, data: str, output: str, dimension: int) -> Call:
    """Train on the CSV files below ``data``; the model goes below ``output``."""
    return Call(
        "sagemaker",
        "create_training_job",
        {
            "TrainingJobName": name,
            "RoleArn": settings.role_arn,
            "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
            "HyperParameters": {
                "feature_dim": str(dimension),
                "num_trees": str(settings.trees),
                "num_samples_per_tree": str(settings.sample_size),
            },
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "ContentType": "text/csv;label_size=0",
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",
                            "S3Uri": data,
                            # The one distribution that the algorithm takes.
                            "S3DataDistributionType": "ShardedByS3Key",
                        }
                    },
                }
            ],
            "OutputDataConfig": {"S3OutputPath": output},
            "ResourceConfig": {
                "InstanceType": settings.training_instance_type,
                "InstanceCount": settings.training_instance_count,
                "VolumeSizeInGB": settings.volume_gb,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": settings.max_runtime_s},
            **_tags(settings),
        },
    )


def model(name: str, settings: SageMakerTraining, image: str, artifact: str) -> Call:
    """Make a model of an artifact."""
    return Call(
        "sagemaker",
        "create_model",
        {
            "ModelName": name,
            "PrimaryContainer": {"Image": image, "ModelDataUrl": artifact},
            "ExecutionRoleArn": settings.role_arn,
            **_tags(settings),
        },
    )


def endpoint_config(name: str, settings: SageMakerTraining, model_name: str, *, serverless: bool) -> Call:
    """Say what an endpoint runs on."""
    hardware: dict[str, Any] = {
        "InitialInstanceCount": settings.instance_count,
        "InstanceType": settings.instance_type,
    }
    if serverless:
        hardware = {
            "ServerlessConfig": {
                "MemorySizeInMB": settings.serverless_memory_mb,
                "MaxConcurrency": settings.serverless_concurrency,
            }
        }
    variant = {"VariantName": VARIANT, "ModelName": model_name, **hardware}
    return Call(
        "sagemaker",
        "create_endpoint_config",
        {"EndpointConfigName": name, "ProductionVariants": [variant], **_tags(settings)},
    )


def endpoint(name: str, settings: SageMakerTraining, config_name: str, *, update: bool) -> Call:
    """Make an endpoint, or have one that is there take another configuration."""
    parameters: dict[str, Any] = {"EndpointName": name, "EndpointConfigName": config_name}
    if update:
        return Call("sagemaker", "update_endpoint", parameters)
    return Call("sagemaker", "create_endpoint", parameters | _tags(settings))


def _tags(settings: SageMakerTraining) -> dict[str, Any]:
    if not settings.tags:
        return {}
    return {"Tags": [{"Key": key, "Value": value} for key, value in settings.tags.items()]}
