"""The telemetry store: Parquet files, revisions, and the manifest that lists the files in use."""
