"""The telemetry store: Parquet files, revisions, and the manifest that names the files that count."""
