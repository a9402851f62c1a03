"""What was measured: series, their cadence, and the local store."""
