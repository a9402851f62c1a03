"""What was measured: series, their cadence, their shingles."""
