"""anomscan in Python: DataFrames in, a result out, by the same jobs as the command line."""
