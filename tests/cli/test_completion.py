"""The shell completes commands and options."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("anomscan repo", ["report"]), ("anomscan report --ch", ["--charts"]), ("anomscan store ex", ["export"])],
)
def test_bash_is_offered_what_fits(typed: str, offered: list[str]) -> None:
    code = "import sys; sys.argv[0] = 'anomscan'; from anomscan.__main__ import main; main()"
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1), "_ANOMSCAN_COMPLETE": "complete_bash"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | words, capture_output=True, text=True, check=False
    )
    assert (done.stdout.split(), done.stderr) == (offered, "")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
@pytest.mark.parametrize(
    ("typed", "offered"), [("anomscan repo", "report"), ("anomscan report --ch", "--charts"), ("anomscan st", "store")]
)
def test_zsh_and_fish_are_offered_it_too(shell: str, typed: str, offered: str) -> None:
    code = "import sys; sys.argv[0] = 'anomscan'; from anomscan.__main__ import main; main()"
    words = {"_TYPER_COMPLETE_ARGS": typed, "_ANOMSCAN_COMPLETE": f"complete_{shell}"}
    if shell == "fish":
        words["_TYPER_COMPLETE_FISH_ACTION"] = "get-args"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | words, capture_output=True, text=True, check=False
    )
    assert offered in done.stdout
    assert done.stderr == ""
