"""The files that only others read: hooks and workflows."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_hook_and_the_check_use_one_version_of_ruff():
    (hook,) = re.findall(r"ruff-pre-commit\n\s+rev: v(\S+)", (ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    (locked,) = re.findall(r"^ruff==(\S+)", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE)
    assert hook == locked


def test_workflows_call_targets_that_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for workflow in (ROOT / ".github" / "workflows").iterdir():
        called = set(re.findall(r"\bmake ([a-z-]+)", workflow.read_text("utf-8")))
        assert called
        assert called <= targets
