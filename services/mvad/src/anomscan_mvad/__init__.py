"""The multivariate API of Azure Anomaly Detector v1.1, served locally by Microsoft's open-source engine."""

__version__ = "0.1.0"
