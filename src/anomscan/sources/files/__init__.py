"""Telemetry in files: CSV, Parquet, JSON lines."""
