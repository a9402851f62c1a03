"""What was chosen, and what it is worth on days that had no say, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from anomscan.judging.comparison import Comparison
from anomscan.judging.tuning import Candidate, Tuned, Worth, is_noise
from anomscan.reports.comparisons import between, percent
from anomscan.telemetry.cadence import Cadence
from anomscan.wording import counted


def summary(tuned: Tuned, cadence: Cadence) -> Iterator[str]:
    """What was chosen, and what that is worth, in sentences."""
    faults = "known bad spans" if tuned.labelled else "made-up faults"
    chosen, current = tuned.chosen, tuned.current
    within = sum(each.first.per_week <= tuned.alerts for each in tuned.candidates)
    yield (
        f"{within} of {counted(len(tuned.candidates), 'set-up')} tell of at most {tuned.alerts:g} incidents a week on "
        f"{_days(tuned.first, cadence)}"
    )
    yield f"chosen: {chosen.name}. It catches {_told(chosen.first)} there"
    yield f"on {_days(tuned.rest, cadence)}, which had no say, it catches {_told(chosen.rest)} ({faults})"
    if not chosen.first.of or not chosen.rest.of:
        yield "a part of the history has no known bad span, so nothing tells set-ups apart there: try another --split"
    close = [each for each in tuned.candidates if each is not chosen and _is_close(each, tuned)]
    if close:
        yield f"{counted(len(close), 'other')} may do as well: the difference is within the noise of so few faults"
    after = max(tuned.candidates, key=lambda each: each.rest.gain)
    if not is_noise(after.rest, chosen.rest):
        yield f"on the later days {after.name} would have caught more: {_told(after.rest)}"
    if current is None:
        return
    if current is chosen:
        yield "it is what the settings have"
        return
    yield f"the settings have {current.name}: it catches {_told(current.rest)} on the same days"
    if is_noise(chosen.rest, current.rest):
        yield "the difference is within the noise: there is no reason to change"
    elif chosen.rest.gain < current.rest.gain:
        yield "what the settings have does better there: keep it"


def _is_close(one: Candidate, tuned: Tuned) -> bool:
    return one.first.of > 0 and one.first.per_week <= tuned.alerts and is_noise(one.first, tuned.chosen.first)


def _told(worth: Worth) -> str:
    share = worth.share
    chance = f"; by chance {percent(share.chance)}" if share.chance else ""
    caught = f"{worth.caught} of {worth.of} ({between(share.interval, percent)}{chance})"
    return f"{caught} with {worth.per_week:.2g} incidents a week"


def _days(part: Comparison, cadence: Cadence) -> str:
    first, last = (cadence.text(np.datetime64(each, "us")) for each in (part.first, part.last))
    return f"{first} to {last}"
