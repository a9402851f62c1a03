from __future__ import annotations

from anomscan.wording import counted, listed


def test_counts_and_their_words_agree():
    assert [counted(n, "row") for n in (0, 1, 2, 12_345)] == ["0 rows", "1 row", "2 rows", "12,345 rows"]
    assert counted(2, "entry", "entries") == "2 entries"


def test_a_list_may_be_broken_between_its_parts():
    assert listed(["a b", "c"]) == ("a b,", "c")
    assert listed([]) == ("",)
