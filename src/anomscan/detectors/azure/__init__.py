"""Azure's Multivariate Anomaly Detector, v1.1, hosted or run locally, through the official SDK."""
