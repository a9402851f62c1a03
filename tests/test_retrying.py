from __future__ import annotations

import pytest

from anomscan.retrying import Backoff, Clock, Deadline, GaveUpError, LateError, TransientError, persist, poll

DOUBLING = Backoff(1.0, 8.0)


class Passing:
    """Time that passes only where somebody waits."""

    def __init__(self):
        self.waits = []
        self.clock = Clock(monotonic=lambda: sum(self.waits), uniform=lambda low, high: high, sleep=self.waits.append)

    def persist(self, failures, deadline_s=100.0, backoff=DOUBLING, **keys):
        left = list(failures)

        def attempt():
            if left:
                raise left.pop(0)
            return "done"

        return persist(attempt, backoff, Deadline(self.clock, deadline_s), self.clock, self.waits.append, **keys)


def test_waits_double_up_to_the_longest():
    passing = Passing()
    assert passing.persist([TransientError("busy")] * 6) == "done"
    assert passing.waits == [1, 2, 4, 8, 8, 8]


def test_a_wait_is_at_least_what_the_service_asks_for():
    passing = Passing()
    assert passing.persist([TransientError("busy", wait_s=5.0), TransientError("busy", wait_s=0.5)]) == "done"
    assert passing.waits == [5, 2]


def test_no_wait_reaches_the_deadline():
    passing = Passing()
    with pytest.raises(GaveUpError, match=r"^busy, and asks to wait 60 s; gave up at the deadline after 2 calls$"):
        passing.persist([TransientError("busy"), TransientError("busy", wait_s=60.0)], deadline_s=61.0)
    assert passing.waits == [1]


def test_only_failures_that_waiting_does_not_cure_are_limited():
    broken, busy = TransientError("broken", most_tries=2), TransientError("busy")
    assert Passing().persist([busy, busy, busy, broken, busy]) == "done"
    with pytest.raises(GaveUpError, match=r"^broken, 4 times$"):
        Passing().persist([broken, busy, busy, broken])


def test_one_attempt_can_be_all():
    passing = Passing()
    with pytest.raises(GaveUpError, match=r"^busy$"):
        passing.persist([TransientError("busy")], once=True)
    assert passing.waits == []


def test_jitter_is_a_share_of_the_wait():
    passing = Passing()
    passing.persist([TransientError("busy")] * 2, backoff=Backoff(1.0, 8.0, jitter=(0.25, 0.5)))
    assert passing.waits == [0.5, 1.0]


def test_polls_end_with_what_was_awaited_or_by_the_deadline():
    passing = Passing()
    states = iter(["queued", "running", "ready"])
    pauses = Backoff(2.0, 3.0, factor=1.5)
    found = poll(
        lambda: next(states), "ready".__eq__, pauses, Deadline(passing.clock, 6.0), passing.clock, passing.waits.append
    )
    assert (found, passing.waits) == ("ready", [2, 3])
    with pytest.raises(LateError) as caught:
        poll(
            lambda: "queued", "ready".__eq__, pauses, Deadline(passing.clock, 6.0), passing.clock, passing.waits.append
        )
    assert caught.value.last == "queued"
    assert passing.waits == [2, 3, 2, 3]
