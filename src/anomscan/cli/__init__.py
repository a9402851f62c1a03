"""The command line: one file a subcommand; nothing here computes."""
