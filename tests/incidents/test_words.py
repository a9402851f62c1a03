"""An incident as a person would tell it."""

from __future__ import annotations

import pytest

from anomscan.incidents.incident import Incident
from anomscan.incidents.words import in_words


def incident(kind: str, deviation: float, loss: float) -> Incident:
    return Incident(
        *(None, kind, "2026-03-01", "2026-03-01", "2026-03-09", True, 9, None, {}, {}),
        *({"t": deviation}, {"t": loss}, (("t", 1.0),), None),
    )


@pytest.mark.parametrize(
    ("kind", "deviation", "loss", "words"),
    [
        ("dropped", -0.08, 1.94, "dropped: 8 % below expected since 2026-03-01 (9 days, 1.9 t x days lost), still so"),
        ("dropped", -0.5, 12_345.6, "50 % below expected since 2026-03-01 (9 days, 12,346 t x days lost), still so"),
        ("zero", -1.0, 9.0, "was at zero: 100 % below expected since 2026-03-01 (9 days, 9 t x days lost), still so"),
        ("zero", 1.0, -9.0, "was at zero: since 2026-03-01 (9 days), still so"),
        ("noisy", -0.01, 3.0, "was noisy: since 2026-03-01 (9 days), still so"),
        ("stuck", -0.01, 3.0, "was stuck: since 2026-03-01 (9 days), still so"),
        ("pattern", -0.006, 3.8, "was unusual: 0.6 % below expected since 2026-03-01 (9 days), still so"),
    ],
)
def test_words_tell_what_can_be_told(kind, deviation, loss, words):
    assert in_words(incident(kind, deviation, loss)).endswith(words)
