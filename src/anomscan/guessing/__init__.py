"""What a table of telemetry holds, guessed from its rows: layout, columns, times, cadence, and the detector for it."""
