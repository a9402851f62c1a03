"""The examples run as a user would run them: their scripts, and this checkout's anomscan as a command."""

import shlex
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def anomscan(tmp_path_factory) -> Path:
    """The command."""
    command = tmp_path_factory.mktemp("bin") / "anomscan"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m anomscan "$@"\n')
    command.chmod(0o755)
    return command
