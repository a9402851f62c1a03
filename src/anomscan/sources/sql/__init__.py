"""Telemetry in a database: the user's own query."""
