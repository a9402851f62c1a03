"""What holds for all tests."""

from __future__ import annotations

import shlex
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

#: No test may depend on the speed of the machine.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_configure() -> None:
    """Heed Ctrl-C, which a shell that starts the tests in the background has them and their children ignore."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def anomscan(tmp_path_factory) -> Path:
    """This checkout's anomscan as a command, for what runs it as a user would."""
    command = tmp_path_factory.mktemp("bin") / "anomscan"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m anomscan "$@"\n')
    command.chmod(0o755)
    return command
