"""The AWS calls that train a forest with SageMaker and deploy it, as plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anomscan.config import SageMakerTraining

VARIANT = "AllTraffic"


@dataclass(frozen=True, slots=True)
class Call:
    """One boto3 call.

    Parameters
    ----------
    service, operation
        For example ``s3`` and ``put_object``.
    parameters
        Its keyword arguments.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]

    def line(self) -> str:
        """The call as one line of JSON; uploaded content is replaced by its size."""
        call = {"service": self.service, "call": self.operation, "parameters": dict(self.parameters)}
        return json.dumps(call, default=lambda content: f"<{len(content):,} bytes>", ensure_ascii=False)


def put_object(bucket: str, key: str, content: bytes, content_type: str) -> Call:
    """Upload one object."""
    parameters = {"Bucket": bucket, "Key": key, "Body": content, "ContentType": content_type}
    return Call("s3", "put_object", parameters)


def training_job(name: str, settings: SageMakerTraining, image: str, *, data: str, output: str, dimension: int) -> Call:
    """Train on the CSV files under ``data``; the model is stored under ``output``."""
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
                            # The only distribution that the algorithm accepts.
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
    """Create a model from an artifact."""
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
    """Configure what an endpoint runs on."""
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
    """Create an endpoint, or switch an existing one to another configuration."""
    parameters: dict[str, Any] = {"EndpointName": name, "EndpointConfigName": config_name}
    if update:
        return Call("sagemaker", "update_endpoint", parameters)
    return Call("sagemaker", "create_endpoint", parameters | _tags(settings))


def _tags(settings: SageMakerTraining) -> dict[str, Any]:
    if not settings.tags:
        return {}
    return {"Tags": [{"Key": key, "Value": value} for key, value in settings.tags.items()]}
