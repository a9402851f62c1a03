"""Rows that cannot be used, kept beside the store: SOURCE.rejects.jsonl."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anomscan.sources.base import Placed, Source
from anomscan.storage.durable import replace_file
from anomscan.storage.places import local
from anomscan.tables.salvage import Reject

if TYPE_CHECKING:
    from anomscan.store.findings import RejectedRow
    from anomscan.store.store import Store


def keep_rejects(store: Store, source: str, rejects: Sequence[Reject]) -> tuple[Path | None, int]:
    """Add rejects to the source's file of them, and say how many are new; a row that is there is not added again."""
    if not rejects:
        return None, 0
    path = rejects_path(store, source)
    # As bytes: text would also be split at characters that JSON allows unescaped.
    lines = path.read_bytes().splitlines() if path.is_file() else []
    for each in rejects:
        line = json.dumps({"row": dict(each.row), "reason": each.reason}, ensure_ascii=False)
        lines.append(line.encode(errors="backslashreplace"))
    kept: dict[bytes, bytes] = {}
    known = 0
    for number, encoded in enumerate(lines):
        if number == len(lines) - len(rejects):
            known = len(kept)
        # Without the reason, because it names the place, which differs in the next response.
        kept.setdefault(encoded.partition(b'}, "reason": "')[0], encoded)
    with replace_file(path, follow=False) as file:
        for encoded in kept.values():
            file.write(encoded + b"\n")
    return path, len(kept) - known


def rejects_path(store: Store, source: str) -> Path:
    """Where the rejects of a source are kept."""
    return local(store.path) / f"{source}.rejects.jsonl"


def with_places(source: Source, rejects: Sequence[RejectedRow]) -> list[Reject]:
    """Rows that the store does not take, each with where it stood, in that order."""
    told = []
    for each in sorted(rejects, key=lambda each: each.origin):
        place = f"{source.place(each.origin)}: " if isinstance(source, Placed) and each.origin >= 0 else ""
        told.append(Reject(f"{place}{each.reason}", each.row))
    return told
