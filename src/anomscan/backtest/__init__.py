"""Scores become verdicts and spans; nothing here opens a file or a socket."""
