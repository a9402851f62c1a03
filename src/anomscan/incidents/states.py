"""Which state an incident comes into in a night."""

from __future__ import annotations

from dataclasses import dataclass, replace

from anomscan.incidents.ledger import SILENCE, Entry, State
from anomscan.incidents.matching import at
from anomscan.incidents.night import Night, Seen

#: An incident is worse once its deviation is so many times what was last told.
WORSE = 1.5


@dataclass(frozen=True, slots=True)
class States:
    """The states after a night.

    Parameters
    ----------
    night
        The run.
    same_end
        Whether the ledger knows a run with the same end: what was judged then was not judged before.
    anew
        Whether only identity and marks are taken over from the entries.
    """

    night: Night
    same_end: bool
    anew: bool

    def opened(self, seen: Seen, entry: Entry, *, was_closed: bool) -> Entry:
        """An entry that the run shows as open."""
        if seen.retired:
            return self.closed(entry)
        end, silent = self.night.end, entry.family == SILENCE
        newest = _newest(self.night, seen)
        judged = entry.judged if silent or newest is None else max(newest, entry.judged or newest)
        fresh = silent or self.anew or (newest is not None and (entry.judged is None or newest > entry.judged))
        quiet = None if silent else seen.judged.quiet_since(entry) or None
        entry = replace(entry, judged=judged, quiet=quiet, closed=None)
        if was_closed and not self.anew:
            entry = replace(entry, reopened=end, acknowledged=None, told=None)
        state: State = "ongoing"
        if entry.first_seen == end:
            state = "new"
        elif entry.reopened == end:
            state = "reopened"
        elif not fresh:
            state = entry.state if self.same_end and entry.is_open else "unknown"
        elif not silent and len(seen.judged.flagged) and not seen.judged.flagged[-1]:
            state = "quiet"
        return replace(entry, state=state)

    def unmet(self, seen: Seen, entry: Entry) -> Entry:
        """An entry whose newest spell a run does not show: over, unless it was not judged or that may not be yet."""
        if not entry.is_open:
            return entry
        if seen.retired:
            return self.closed(entry)
        if seen.failed:
            return replace(entry, state="unknown")
        if entry.family == SILENCE:
            return self.closed(entry)
        newest = _newest(self.night, seen)
        if newest is None or (entry.judged is not None and newest <= entry.judged):
            return entry if self.same_end else replace(entry, state="unknown")
        # The run shows all that are open. This one is over, or its days are no longer flagged.
        steps = (at(newest) - at(entry.last)) // self.night.cadence.step
        if steps >= self.night.close_after:
            return self.closed(entry)
        return replace(entry, state="quiet", judged=newest, quiet=seen.judged.quiet_since(entry) or None)

    def closed(self, entry: Entry) -> Entry:
        """An entry that is over."""
        if entry.state == "closed" and entry.closed is not None:
            return entry
        return replace(entry, state="closed", closed=self.night.end, judged=None, quiet=None)

    def told(self, entry: Entry) -> Entry:
        """Note how bad it is, where that is told."""
        now = _extent_of_deviation(entry)
        if now is None or (entry.told is not None and now < WORSE * entry.told):
            return entry
        if entry.told is None or entry.state in ("new", "reopened"):
            return replace(entry, told=now)
        return replace(entry, told=now, worse=self.night.end)


def _newest(night: Night, seen: Seen) -> str | None:
    times = seen.judged.times
    return night.cadence.text(times[-1]) if len(times) else None


def _extent_of_deviation(entry: Entry) -> float | None:
    """How far it is off, as a share of what was expected; None where that is not known."""
    return max(map(abs, entry.deviation.values()), default=None)
