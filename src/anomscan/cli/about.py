"""What ``anomscan --version`` says: the version, what scores, and which extras are installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from anomscan import __version__

#: A package that each extra brings.
EXTRAS = {
    "aws": "boto3",
    "azure": "azure.ai.anomalydetector",
    "charts": "matplotlib",
    "excel": "python_calamine",
    "fast": "connectorx",
    "notify": "apprise",
    "ray": "ray",
    "sagemaker": "sagemaker",
}


def about() -> Iterator[str]:
    """Lines of text, the version first.

    Raises
    ------
    ConfigError
        If what is to score is set and cannot.
    """
    from anomscan.detectors.kernel import describe

    yield f"anomscan {__version__}"
    yield f"scores with: {describe()}"
    yield f"extras: {', '.join(name for name, package in EXTRAS.items() if _is_there(package)) or 'none'}"


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # of a package above it
        return False
