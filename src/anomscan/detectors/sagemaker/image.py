"""The image of SageMaker's Random Cut Forest; each region has its own registry."""

from __future__ import annotations

from anomscan.errors import ConfigError, MissingExtraError
from anomscan.storage.aws import region_of


def image_of(name: str, image_uri: str | None, region: str | None) -> str:
    """Find the image for training and serving.

    Parameters
    ----------
    name
        The detector's name, for messages.
    image_uri
        From the settings; if given, nothing is looked up.
    region
        From the settings.

    Raises
    ------
    ConfigError
        If no region is set, or it has no such image.
    MissingExtraError
        If Amazon's SDK is not installed.
    """
    if image_uri:
        return image_uri
    feature = f"finding the algorithm's image (without training.image_uri in [detectors.{name}])"
    try:
        import boto3
        from sagemaker.core import image_uris
    except ImportError:
        raise MissingExtraError(feature, "sagemaker") from None
    region = region_of(region) or boto3.session.Session().region_name
    if region is None:
        raise ConfigError(f"detector '{name}': no AWS region is set", hint="set its region, or AWS_REGION")
    try:
        return str(image_uris.retrieve("randomcutforest", region))
    except ValueError:
        raise ConfigError(
            f"Amazon's SDK knows no image of the algorithm in region '{region}'",
            hint=f"set training.image_uri in [detectors.{name}]",
        ) from None
