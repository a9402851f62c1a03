"""A run: the settings and the store go in, unit by unit the results come out and are kept until all are there."""
