"""anomscan finds the bad days of a fleet: fetch telemetry, score it, merge anomalous days into spans, report."""

__version__ = "0.1.0"
