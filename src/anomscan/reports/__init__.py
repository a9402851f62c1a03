"""Showing what was found: result records, a folder of pages with charts, and plain listings."""
