"""JSON Schemas (2020-12) of what anomscan writes, a file each.

Tests hold real records to them. Programs that read anomscan's output find them here, too.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

#: Of result records, of the facts of a run, of ``incidents list --json``, of what a webhook is sent, and of what
#: ``compare`` and ``inject`` write.
NAMES = ("record-2", "run", "incidents", "digest-1", "compare-1", "inject-1")


def schema_text(name: str) -> str:
    """One of ``NAMES``, as it is written."""
    return files(__name__).joinpath(f"{name}.json").read_text("utf-8")


def schema(name: str) -> dict[str, Any]:
    """One of ``NAMES``.

    >>> schema("record-2")["title"]
    'A result record of scan or detect'
    """
    found: dict[str, Any] = json.loads(schema_text(name))
    return found
