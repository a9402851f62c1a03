"""Incidents of a ledger."""

from __future__ import annotations

from typing import Any

from anomscan.incidents.ledger import Entry, Spell, id_of


def entry(asset: str = "S1", first: str = "2026-03-01", **more: Any) -> Entry:
    known: dict[str, Any] = {
        "id": id_of("fleet", asset, "chart", first),
        "source": "fleet",
        "asset": asset,
        "family": "chart",
        "first_flagged": first,
        "state": "ongoing",
        "kind": "dropped",
        "spells": (Spell(first, first, "2026-03-09", 8),),
        "first_seen": first,
    }
    return Entry(**{**known, **more})
