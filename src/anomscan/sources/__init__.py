"""Where telemetry comes from."""
