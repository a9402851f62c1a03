"""The command line: one file per subcommand; nothing here computes."""
