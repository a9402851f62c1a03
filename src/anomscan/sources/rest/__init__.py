"""Telemetry behind a REST API."""
