"""Settings: flags > ANOMSCAN_* environment (and .env) > TOML file > defaults.

Every key has its home here. An environment variable names a key by its path, two underscores between the parts:
``ANOMSCAN_SCAN__SIGMA=3``, ``ANOMSCAN_SOURCES__FLEET__URL=...``. A ``.env`` file beside the configuration file (or,
without one, in the working directory) is read as if it were the environment, which wins over it.
"""

from anomscan.config.detector_sections import (
    AzureSettings,
    ControlChartSettings,
    DetectorSettings,
    NearestSettings,
    ProfileSettings,
    RcfSettings,
    RecordedSettings,
    SageMakerSettings,
    SageMakerTraining,
)
from anomscan.config.files import files_named
from anomscan.config.loading import DEFAULT_FILE, Loaded, load
from anomscan.config.maintenance import MaintenanceSettings
from anomscan.config.notify_sections import (
    AlertmanagerRoute,
    AppriseRoute,
    MailRoute,
    NotifySettings,
    Route,
    WebhookRoute,
)
from anomscan.config.sections import AssetColumns, AssetsSettings, ScanSettings, TrainSettings
from anomscan.config.settings import Settings
from anomscan.config.showing import explain
from anomscan.config.source_sections import (
    Columns,
    FilesSource,
    RestSource,
    SourceSettings,
    SqlSource,
    is_reference,
)

__all__ = [
    "DEFAULT_FILE",
    "AlertmanagerRoute",
    "AppriseRoute",
    "AssetColumns",
    "AssetsSettings",
    "AzureSettings",
    "Columns",
    "ControlChartSettings",
    "DetectorSettings",
    "FilesSource",
    "Loaded",
    "MailRoute",
    "MaintenanceSettings",
    "NearestSettings",
    "NotifySettings",
    "ProfileSettings",
    "RcfSettings",
    "RecordedSettings",
    "RestSource",
    "Route",
    "SageMakerSettings",
    "SageMakerTraining",
    "ScanSettings",
    "Settings",
    "SourceSettings",
    "SqlSource",
    "TrainSettings",
    "WebhookRoute",
    "explain",
    "files_named",
    "is_reference",
    "load",
]
