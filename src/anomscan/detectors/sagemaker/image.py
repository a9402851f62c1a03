"""Where the image of SageMaker's Random Cut Forest lies: each region has its own registry."""

from __future__ import annotations

from anomscan.errors import ConfigError, MissingExtraError
from anomscan.storage.aws import region_of


def image_of(name: str, image_uri: str | None, region: str | None) -> str:
    """The image to train and to serve with.

    Parameters
    ----------
    name
        The detector's, for messages.
    image_uri
        The one of the settings; then nothing is looked up.
    region
        The region of the settings.

    Raises
    ------
    ConfigError
        If no region is set, or it has no such image.
    MissingExtraError
        Without Amazon's SDK.
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
