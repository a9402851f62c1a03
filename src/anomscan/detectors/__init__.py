"""Detectors: what scores a series."""
