"""Settings: flags > ANOMSCAN_* environment (and .env) > TOML file > defaults.

Every key has its home here. An environment variable names a key by its path, two underscores between the parts:
``ANOMSCAN_SCAN__SIGMA=3``, ``ANOMSCAN_SOURCES__FLEET__URL=...``. A ``.env`` file beside the configuration file (or,
without one, in the working directory) is read as if it were the environment, which wins over it.
"""

from anomscan.config.files import files_named
from anomscan.config.loading import DEFAULT_FILE, Loaded, load
from anomscan.config.sections import (
    AssetColumns,
    AssetsSettings,
    AzureDetector,
    Columns,
    ControlChartDetector,
    DetectorSettings,
    FilesSource,
    NearestDetector,
    RcfDetector,
    RecordedDetector,
    RestSource,
    SageMakerDetector,
    SageMakerTraining,
    ScanSettings,
    SourceSettings,
    SqlSource,
    TrainSettings,
    is_reference,
)
from anomscan.config.settings import Settings
from anomscan.config.showing import explain

__all__ = [
    "DEFAULT_FILE",
    "AssetColumns",
    "AssetsSettings",
    "AzureDetector",
    "Columns",
    "ControlChartDetector",
    "DetectorSettings",
    "FilesSource",
    "Loaded",
    "NearestDetector",
    "RcfDetector",
    "RecordedDetector",
    "RestSource",
    "SageMakerDetector",
    "SageMakerTraining",
    "ScanSettings",
    "Settings",
    "SourceSettings",
    "SqlSource",
    "TrainSettings",
    "explain",
    "files_named",
    "is_reference",
    "load",
]
