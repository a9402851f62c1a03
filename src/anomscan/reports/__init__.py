"""What was found, shown: result records, a folder of pages with charts, and plain listings."""
