"""Multivariate Anomaly Detector, v1.1, hosted or served here: through the official SDK."""
