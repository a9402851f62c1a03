"""The memory of incidents: one id for life, states that follow the rules, the same as one run over everything."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from anomscan.errors import InputError
from anomscan.incidents.incident import Common, Incident
from anomscan.incidents.ledger import Acknowledged, Label, Ledger, Note, Snoozed, id_of
from anomscan.incidents.night import JudgedDays, Night, Seen
from anomscan.incidents.nights import fold, rebuild
from anomscan.telemetry.cadence import Cadence

START = dt.date(2026, 1, 1)
CLOSE_AFTER, REOPEN_WITHIN = 3, 10
NIGHTS = 60


def day(number: int) -> str:
    return str(START + dt.timedelta(days=number))


def incident(
    first: int, last: int, *, is_open: bool = False, kind: str = "dropped", deviation: float = -0.1
) -> Incident:
    return Incident(
        id=None,
        kind=kind,
        since=day(first),
        first_flagged=day(first),
        last=day(last),
        open=is_open,
        days=last - first + 1,
        peak=None,
        observed={},
        expected={},
        deviation={"prt7": deviation},
        loss={},
        variables=(("prt7", 1.0),),
        common=None,
    )


def night(end: int, source: str = "fleet", detector: str = "chart") -> Night:
    return Night(source, detector, day(end), Cadence.parse("1D"), CLOSE_AFTER, np.timedelta64(REOPEN_WITHIN, "D"))


def judged(verdicts: str, first: int = 0) -> JudgedDays:
    """``.`` is ok, ``x`` anomalous, a blank not judged."""
    places = [place for place, each in enumerate(verdicts) if each != " " and place >= first]
    return JudgedDays(
        np.array([day(place) for place in places], "datetime64[us]"),
        np.array([verdicts[each] == "x" for each in places], bool),
    )


def scanned(verdicts: str, first: int = 0, asset: str = "S1") -> Seen:
    """What a scan says of an asset, the days from ``first`` on reported."""
    groups: list[list[int]] = []
    for place in (place for place, each in enumerate(verdicts) if each == "x"):
        if groups and verdicts[groups[-1][-1] : place].count(".") <= CLOSE_AFTER:
            groups[-1].append(place)
        else:
            groups.append([place])
    found = [incident(group[0], group[-1], is_open=verdicts[group[-1] :].count(".") < CLOSE_AFTER) for group in groups]
    shown = [each for each in found if each.open or each.last >= day(first)]
    return Seen(asset, [replace(each, days=0) for each in shown], judged(verdicts, first))


def after(*verdicts: str) -> Ledger:
    """The ledger after nights that report everything."""
    ledger = Ledger()
    for each in verdicts:
        ledger = fold(ledger, night(len(each) - 1), [scanned(each)]).ledger
    return ledger


def only(ledger: Ledger):
    (entry,) = ledger.entries.values()
    return entry


def test_states_follow_the_rules():
    states = [
        only(after(*[("....xx...x..." + "." * 6 + "xx")[:end] for end in ends])).state
        for ends in ([5], [5, 6], [5, 6, 7], [5, 6, 7, 10], [5, 6, 13], [5, 13, 20], [5, 13, 20, 21])
    ]
    assert states == ["new", "ongoing", "quiet", "ongoing", "closed", "reopened", "ongoing"]


def test_after_reopen_within_a_new_one_begins():
    ledger = after("..x", "..x" + "." * 10, "..x" + "." * 10 + "x")
    assert [(each.first_flagged, each.state) for each in ledger.entries.values()] == [
        (day(2), "closed"),
        (day(13), "new"),
    ]


def test_the_id_is_of_what_was_first_seen():
    entry = only(after("....x"))
    assert entry.id == id_of("fleet", "S1", "chart", day(4))
    assert len(entry.id) == 12


def test_days_that_were_not_judged_close_nothing():
    ledger = after("....xx")
    for seen in ([scanned("....xx" + " " * 9)], [Seen("S1", failed=True)], []):
        assert only(fold(ledger, night(14), seen).ledger).state == "unknown"
    later = fold(ledger, night(14), []).ledger
    assert only(fold(later, night(15), [scanned("....xx" + " " * 9 + "x")]).ledger).state == "ongoing"


def test_another_detector_leaves_it_alone_but_for_silence():
    silent = incident(2, 5, is_open=True, kind="silent")
    ledger = fold(Ledger(), night(5), [Seen("S1", [incident(4, 5, is_open=True), silent])]).ledger
    other = fold(ledger, night(6, detector="rcf"), [Seen("S1", [replace(silent, last=day(6))])]).ledger
    states = {each.family: (each.state, each.last) for each in other.entries.values()}
    assert states == {"chart": ("new", day(5)), "silence": ("ongoing", day(6))}
    assert fold(ledger, night(6, source="plant"), []).ledger.entries == ledger.entries


def test_silence_that_ends_keeps_its_id_as_missing():
    ledger = fold(Ledger(), night(5), [Seen("S1", [incident(2, 5, is_open=True, kind="silent")])]).ledger
    folded = fold(ledger, night(6), [Seen("S1", [incident(2, 5, kind="missing")], judged("......."))])
    entry = only(folded.ledger)
    assert (entry.kind, entry.state) == ("missing", "closed")
    assert folded.ids == {"S1": [entry.id]}
    # Nor does it stay open if the gap was filled.
    assert only(fold(ledger, night(6), [Seen("S1", [], judged("......."))]).ledger).state == "closed"


def test_on_the_first_night_only_what_is_open_is_told():
    folded = fold(Ledger(), night(40), [scanned("....xx" + "." * 34 + "x")])
    assert [each.state for each in folded.ledger.entries.values()] == ["closed", "new"]
    assert [each.what for each in folded.changes] == ["new"]
    # Later, what began and ended between two nights is told as closed.
    late = fold(folded.ledger, night(41), [scanned("..xx", asset="S2"), scanned("xx" + "." * 39, asset="S3")])
    assert ("closed", "S3") in [(each.what, late.ledger.entries[each.id].asset) for each in late.changes]


def test_the_same_night_again_changes_nothing():
    verdicts = "....xx" + "." * 20 + "xx"
    for end in range(5, len(verdicts) + 1):
        ledger = after(verdicts[:4], verdicts[:end])
        again = fold(ledger, night(end - 1), [scanned(verdicts[:end])])
        assert again.ledger == ledger
        assert not again.changes


def test_on_a_merge_the_older_id_wins_and_what_people_wrote_stays():
    ledger = fold(Ledger(), night(30), [scanned("xx" + "." * 26 + "xxx")]).ledger
    old, young = ledger.entries.values()
    label, note = Label("fault", "ada", day(30)), Note("seen", "ada", day(30))
    marked = {
        old.id: replace(old, notes=(note,)),
        young.id: replace(young, labels=(label,), snoozed=Snoozed(day(50), "ada", day(30), "wait")),
    }
    folded = fold(replace(ledger, entries=marked), night(31), [scanned("xx....xx....xx....xx....xx..xxxx")])
    merged, lost = folded.ledger.entries[old.id], folded.ledger.entries[young.id]
    assert (merged.state, merged.labels, merged.notes) == ("ongoing", (label,), (note,))
    assert merged.snoozed == marked[young.id].snoozed
    assert (lost.merged_into, lost.state) == (old.id, "closed")
    assert set(folded.ids["S1"]) == {old.id}
    assert (lost.id, "merged") in [(each.id, each.what) for each in folded.changes]


def test_on_a_split_the_part_with_the_first_flagged_day_keeps_it():
    ledger = after("." * 4 + "x" * 26)
    folded = fold(ledger, night(30), [scanned("." * 4 + "xx" + "." * 22 + "xxx")])
    assert folded.ids["S1"] == [only(ledger).id, id_of("fleet", "S1", "chart", day(28))]


def test_days_that_are_no_longer_flagged_leave_it_open_as_long_as_it_may_be():
    ledger = after("....xx")
    vanished = fold(ledger, night(6), [scanned(".......")]).ledger
    assert only(vanished).state == "quiet"
    back = fold(vanished, night(7), [scanned(".......x")]).ledger
    assert (only(back).id, only(back).state) == (only(ledger).id, "ongoing")
    assert only(fold(vanished, night(8), [scanned(".........")]).ledger).state == "closed"


def test_worse_is_grown_by_half_since_it_was_told():
    seen = [
        (5, -0.10, None),
        (6, -0.14, None),
        (7, -0.151, day(7)),
        (8, -0.2, day(7)),
        (9, -0.23, day(9)),
        (10, float("nan"), day(9)),
    ]
    ledger = Ledger()
    for end, deviation, worse in seen:
        one = Seen("S1", [incident(4, end, is_open=True, deviation=deviation)], judged("x" * (end + 1)))
        folded = fold(ledger, night(end), [one])
        ledger = folded.ledger
        assert only(ledger).worse == worse
        assert ("worse" in [each.what for each in folded.changes]) == (worse == day(end))


def test_an_acknowledgement_ends_with_the_incident():
    ledger = after("....xx")
    known = replace(only(ledger), acknowledged=Acknowledged("ada", day(5), "in work"))
    ledger = replace(ledger, entries={known.id: known})
    going = fold(ledger, night(6), [scanned("....xxx")]).ledger
    assert only(going).is_muted(day(6))
    closed = fold(going, night(9), [scanned("....xxx...")]).ledger
    assert not only(closed).is_muted(day(9))
    reopened = fold(closed, night(11), [scanned("....xxx....x")]).ledger
    assert (only(reopened).state, only(reopened).acknowledged) == ("reopened", None)


def test_what_a_run_says_beside_the_days_is_kept():
    common = replace(incident(4, 5, is_open=True), common=Common("cohort:R1", day(4)))
    seen = Seen("S1", [common], judged("xxxxxx"), cohort="R1", severities=[0.7])
    entry = only(fold(fold(Ledger(), night(5), [seen]).ledger, night(6), [replace(seen, severities=[0.4])]).ledger)
    assert (entry.common, entry.cohort, entry.severity) == ("cohort:R1", "R1", 0.7)


def test_a_run_that_ends_earlier_is_refused():
    with pytest.raises(InputError, match=r"is of 2026-01-06, and this run ends on 2026-01-05"):
        fold(after("....xx"), night(4), [])


def test_a_ledger_made_anew_keeps_ids_and_what_people_wrote():
    verdicts = "....xx" + "." * 20 + "xx"
    ledger = after(*[verdicts[:end] for end in range(4, len(verdicts) + 1)])
    old, young = ledger.entries.values()
    note = Note("seen", "ada", day(9))
    gone = replace(old, id="0123456789ab", asset="S9", notes=(note,))
    dropped = replace(old, id="ba9876543210", asset="S8")
    entries = {**ledger.entries, old.id: replace(old, notes=(note,)), gone.id: gone, dropped.id: dropped}
    end = len(verdicts) - 1
    anew = rebuild(replace(ledger, entries=entries), night(end), [scanned(verdicts)]).ledger
    assert set(anew.entries) == {old.id, young.id, gone.id}
    assert anew.entries[old.id].notes == anew.entries[gone.id].notes == (note,)
    assert anew.entries[young.id].first_seen == young.first_seen
    blank = rebuild(Ledger(), night(end), [scanned(verdicts)]).ledger
    assert compared(blank) == compared(ledger)


def compared(ledger: Ledger) -> list:
    """What does not tell when a ledger was written."""
    going = {"new": "open", "reopened": "open", "ongoing": "open", "quiet": "open"}
    return [
        (each.id, each.asset, each.family, each.kind, each.spells, going.get(each.state, each.state))
        for each in ledger.entries.values()
    ]


# A history of each asset in stretches of days alike, and the nights on which somebody looked.
stretches = st.lists(st.tuples(st.sampled_from(". x"), st.integers(1, 12)), min_size=1, max_size=40)
histories = stretches.map(lambda parts: "".join(each * days for each, days in parts)[:NIGHTS].ljust(NIGHTS, "."))
fleets = st.lists(histories, min_size=1, max_size=3)
looked = st.sets(st.integers(3, NIGHTS - 1), min_size=1).map(lambda nights: sorted({*nights, NIGHTS - 1}))


@settings(max_examples=100)
@given(fleets, looked)
@example(["." + "x" + "." * 4 + " " * 6 + "x" + "." * 47], [3, 59])
@example(["." * 7 + "x" * 12 + "." * 5 + " " * 12 + "x" * 12 + " " * 12], [3, 8, 20, 47, 59])
def test_many_nights_give_the_ledger_of_one_run_over_everything(fleet, nights):
    ledger, first = Ledger(), 0
    for end in nights:
        seen = [scanned(each[: end + 1], first, f"S{place}") for place, each in enumerate(fleet)]
        ledger = fold(ledger, night(end), seen).ledger
        first = end + 1
    once = fold(Ledger(), night(NIGHTS - 1), [scanned(each, 0, f"S{place}") for place, each in enumerate(fleet)])
    # An asset without a judged day is as it was.
    unknown = {each.asset for each in ledger.entries.values() if each.state == "unknown"}
    assert [each for each in compared(ledger) if each[1] not in unknown] == [
        each for each in compared(once.ledger) if each[1] not in unknown
    ]
    assert [each[:2] for each in compared(ledger)] == [each[:2] for each in compared(once.ledger)]


@pytest.mark.slow
@settings(max_examples=100)
@given(histories, looked, st.data())
def test_an_incident_has_one_id_for_its_life_whatever_comes_late_or_is_revised(history, nights, data):
    """Each night knows only some of the last days, and a re-train may have flagged others."""
    ledger = Ledger()
    for end in nights:
        known = list(history[: end + 1])
        for place in data.draw(st.sets(st.integers(max(end - 9, 0), end), max_size=6)):
            known[place] = data.draw(st.sampled_from(". x"))
        seen = [scanned("".join(known), data.draw(st.integers(0, end)))]
        if data.draw(st.integers(0, 9)) == 0:
            seen = data.draw(st.sampled_from([[], [Seen("S1", failed=True)]]))
        folded = fold(ledger, night(end), seen)
        after = folded.ledger
        assert fold(after, night(end), seen).ledger == after
        # Nothing is forgotten, and what makes an incident stays.
        for entry in ledger.entries.values():
            now = after.entries[entry.id]
            assert (now.first_flagged, now.first_seen) == (entry.first_flagged, entry.first_seen)
            if now.state == "closed" and entry.state != "closed" and now.merged_into is None:
                assert seen
                assert not seen[0].failed
        # What a run shows as open has an open entry whose days hold it, and no other living one meets that.
        for each in seen:
            for one, id_ in zip(each.incidents, folded.ids.get(each.asset, ()), strict=True):
                entry = after.entries[id_]
                assert entry.merged_into is None
                assert any(spell.first <= one.first_flagged and one.last <= spell.last for spell in entry.spells)
                assert entry.is_open or not one.open
        # Each change is of a state that the entry is in now.
        for change in folded.changes:
            entry = after.entries[change.id]
            assert change.what in (entry.state, "worse", "merged")
        ledger = after
