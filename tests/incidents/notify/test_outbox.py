"""What is to be told: posted with the states, by a key that stays, and crossed out when it was taken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anomscan.config.notify_sections import WebhookRoute
from anomscan.incidents.ledger import WEEKLY, Acknowledged, Ledger, Message, Snoozed, Spell
from anomscan.incidents.ledger_file import LedgerFile
from anomscan.incidents.nights import Change
from anomscan.incidents.notify.outbox import due, only_for, post, post_weekly, taken
from anomscan.incidents.notify.routes import choose
from incidents.entries import entry

NIGHT = "2026-03-09"


def route(name: str = "ops", **settings: object) -> WebhookRoute:
    return WebhookRoute.model_validate({"name": name, "sink": "webhook", "url": "https://example.com", **settings})


def ledger(*entries, outbox=()) -> Ledger:
    return Ledger.of(entries or [entry("S1")], {("fleet", "chart"): NIGHT}, outbox)


def posted(*changes: tuple[str, str], routes=None, before=None) -> Ledger:
    after = before or ledger(entry("S1"), entry("S2"))
    return post(after, after, [Change(id_, what) for id_, what in changes], NIGHT, routes or [route()])


def keys(found: Ledger, target: str = "ops") -> list[str]:
    return [each.key for each in due(found, target)]


def test_a_change_is_posted_to_whoever_wants_it_once():
    one = entry("S1").id
    routes = [route(), route("other", states=["closed"]), route("third", states=["quiet", "new"])]
    found = posted((one, "new"), (one, "ongoing"), (one, "new"), routes=routes)
    assert [(each.key, each.to) for each in found.outbox] == [(f"{one}:new:{NIGHT}", ("ops", "third"))]
    again = post(found, found, [Change(one, "new")], NIGHT, routes)
    assert again == found
    assert posted((one, "new"), routes=[route(states=["closed"])]).outbox == ()


def test_what_was_taken_is_not_posted_again_by_the_same_night_and_forgotten_by_the_next():
    one = entry("S1").id
    found = taken(posted((one, "new")), "ops", {f"{one}:new:{NIGHT}"})
    assert keys(found) == []
    assert keys(post(found, found, [Change(one, "new")], NIGHT, [route()])) == []
    assert post(found, found, [], "2026-03-10", [route()]).outbox == ()
    waiting = posted((one, "new"))
    assert keys(post(waiting, waiting, [], "2026-03-10", [route()])) == [f"{one}:new:{NIGHT}"]


def test_one_that_became_part_of_another_is_told_as_closed_if_it_was_open():
    one, two = entry("S1"), entry("S2")
    before = ledger(one, replace(two, state="closed"))
    after = ledger(*[replace(each, state="closed", merged_into=one.id) for each in (one, two)])
    found = post(before, after, [Change(one.id, "merged"), Change(two.id, "merged")], NIGHT, [route()])
    assert keys(found) == [f"{one.id}:closed:{NIGHT}"]


def test_the_weekly_one_comes_a_week_after_the_first_night():
    routes = [route(), route("never", weekly=False)]
    found = post_weekly(ledger(), "2026-03-01", routes)
    assert keys(found) == []
    assert post_weekly(found, "2026-03-07", routes) == found
    found = post_weekly(found, "2026-03-09", routes)
    assert keys(found) == ["weekly:open:2026-03-09"]
    assert keys(found, "never") == []
    assert keys(post_weekly(taken(found, "ops", {"weekly:open:2026-03-09"}), "2026-03-15", routes)) == []
    # One that was not delivered for a week gives way to the next.
    assert keys(post_weekly(found, "2026-03-16", routes)) == ["weekly:open:2026-03-16"]
    assert post_weekly(ledger(), "2026-03-01", routes[1:]).outbox == ()


def test_targets_that_are_gone_are_due_nothing():
    found = posted((entry("S1").id, "new"), routes=[route(), route("old")])
    assert [each.to for each in only_for(found, [route("ops")]).outbox] == [("ops",)]


def test_the_outbox_is_in_the_ledgers_file_and_what_tells_of_nothing_is_left_out(tmp_path):
    one = entry("S1").id
    file = LedgerFile(tmp_path)
    found = posted((one, "new"), (entry("S2").id, "closed"))
    found = Ledger.of(found.entries.values(), found.nights, [*found.outbox, Message(WEEKLY, "open", NIGHT, ("ops",))])
    with file.held():
        file.write(found)
    assert file.read() == found
    lines = file.path.read_text().splitlines()
    assert lines[-1] == f'{{"tell": "weekly", "what": "open", "night": "{NIGHT}", "to": ["ops"]}}'
    file.path.write_text("\n".join(line for line in lines if f'"id": "{one}"' not in line))
    assert {each.tell for each in file.read().outbox} == {entry("S2").id, WEEKLY}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"what": "new"', '"what": "gone"', "'what' is not one of"),
        (f'"night": "{NIGHT}"', '"night": "soon"', "'night' is neither"),
        ('"to": ["ops"]', '"to": "ops"', "'to':"),
        ('"to": ["ops"]', '"for": ["ops"]', "'for':"),
    ],
)
def test_a_line_of_it_that_is_edited_wrongly_is_named(tmp_path, old, new, said):
    from anomscan.errors import InputError

    file = LedgerFile(tmp_path)
    with file.held():
        file.write(posted((entry("S1").id, "new")))
    text = file.path.read_text()
    file.path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=r"ledger\.jsonl, line 4: ") as caught:
        file.read()
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "now"),
    [
        ({}, True),
        ({"kinds": ["dropped", "silent"]}, True),
        ({"kinds": ["silent"]}, False),
        ({"cohorts": ["R1"]}, True),
        ({"cohorts": ["R2"]}, False),
        ({"tags": ["snow", "x"]}, True),
        ({"tags": ["x"]}, False),
        ({"severity": 0.5}, True),
        ({"severity": 0.6}, False),
        ({"min_age": "9d"}, True),
    ],
)
def test_filters(settings, now):
    one = entry("S1", cohort="R1", severity=0.5, spells=(Spell("2026-02-28", "2026-03-01", NIGHT, 9),))
    target = route(**settings)
    found = posted((one.id, "new"), routes=[target], before=ledger(one))
    chosen = choose(found, target, "2026-03-10", lambda _: {"snow"})
    assert [bool(chosen.now), bool(chosen.never), bool(chosen.still_open)] == [now, not now, now]


def test_a_young_one_waits_and_if_it_ends_nobody_hears_of_it():
    target = route(min_age="10d")
    one = entry("S1", spells=(Spell("2026-02-28", "2026-03-01", NIGHT, 9),))
    found = posted((one.id, "new"), routes=[target], before=ledger(one))
    chosen = choose(found, target, "2026-03-10", set)
    assert (chosen.now, chosen.never, chosen.still_open) == ([], [], [])
    later = Ledger.of([one], {("fleet", "chart"): "2026-03-10"}, found.outbox)
    assert [each.key for each in choose(later, target, "2026-03-11", set).now] == [f"{one.id}:new:{NIGHT}"]
    ended = Ledger.of([replace(one, state="closed", closed="2026-03-10")], later.nights, found.outbox)
    assert choose(ended, target, "2026-03-11", set).never == [f"{one.id}:new:{NIGHT}"]


def test_of_what_somebody_knows_only_the_end_is_told():
    known = entry("S1", acknowledged=Acknowledged("ada", "2026-03-01T00:00:00Z", "x"))
    asleep = entry("S2", snoozed=Snoozed("2026-04-01", "ada", "2026-03-01T00:00:00Z", "x"))
    found = posted((known.id, "worse"), (asleep.id, "worse"), (asleep.id, "closed"), before=ledger(known, asleep))
    chosen = choose(found, route(), "2026-03-10", set)
    assert [each.what for each in chosen.now] == ["closed"]
    assert chosen.still_open == []
    assert len(choose(found, route(), "2026-04-01", set).now) == 2
