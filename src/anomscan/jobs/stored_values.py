"""The values of a store as a run knew them, for what is shown of it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from anomscan.detectors.kind import Console
from anomscan.errors import AssetError, ConfigError, StoreError
from anomscan.store.asset_list import read_asset_list
from anomscan.store.snapshot import Snapshot
from anomscan.store.store import Store
from anomscan.telemetry.cadence import instant_text, last_instant

if TYPE_CHECKING:
    from anomscan.config import Settings
    from anomscan.reports.fleet.known import FleetFacts
    from anomscan.reports.fleet.payload import AssetVerdicts
    from anomscan.reports.fleet.told import Memory
    from anomscan.telemetry.series import Series


@dataclass(frozen=True, slots=True)
class StoredValues:
    """A source of a store, up to what was known; nothing where it cannot be read.

    Parameters
    ----------
    store, source, snapshot
        Where the values are; None without a store.
    as_of
        Up to which arrival; None for all.
    who
        By asset what the list of assets says of it.
    """

    store: Store | None = None
    source: str = ""
    snapshot: Snapshot | None = None
    as_of: np.datetime64 | None = None
    who: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, console: Console, settings: Settings, facts: Mapping[str, Any]) -> StoredValues:
        """Those of a run."""
        try:
            source, _ = settings.source(facts.get("source"))
            store = Store.open(settings.store.path)
            is_revised = "data_hash" in facts and store.revision(source) != facts["data_hash"]
            as_of = _known_then(facts, is_revised)
            snapshot = store.snapshot(source)
            who = read_asset_list(snapshot.folder, as_of) if settings.assets.given else None
        except (ConfigError, StoreError) as error:
            console.warn(f"charts lack the values: {error}")
            return cls()
        if is_revised:
            console.warn(
                f"the store has changed since the run: charts show the values that were known then, {facts['started']}"
                if as_of is not None
                else "the store has changed since the run: charts show the values of today"
            )
        return cls(store, source, snapshot, as_of, who or {})

    def series_of(self, asset: str) -> Series | None:
        """The values of an asset; None where there are none."""
        if self.store is None:
            return None
        try:
            return self.store.read(self.source, asset, as_of=self.as_of)
        except AssetError:
            return None

    def every_series(self) -> Iterator[Series]:
        """The values of all assets, in the store's order."""
        if self.snapshot is not None:
            for batch in self.snapshot.stream(as_of=self.as_of):
                yield from batch

    def known(self, memory: Memory | None, judged: Callable[[], Iterable[AssetVerdicts]] | None) -> FleetFacts:
        """What is known of the fleet, with what a ledger and the scores say."""
        from anomscan.reports.fleet.known import FleetFacts

        span = None if self.snapshot is None else self.snapshot.span()
        begin = None
        if span is not None and self.snapshot is not None:
            first = np.datetime64(span[0], "us")
            begin = str(first)[:10] if self.snapshot.layout.cadence.whole_days else instant_text(first)
        return FleetFacts(memory, self.who, begin, self.every_series, judged)


def _known_then(facts: Mapping[str, Any], is_revised: bool) -> np.datetime64 | None:
    """Up to which arrival the run knew the store; None for all that is there."""
    try:
        # The start is told in whole seconds.
        started = last_instant(facts["started"]) + np.timedelta64(999_999, "us")
        if facts.get("as_of") is not None:
            return last_instant(facts["as_of"], facts.get("timezone", "UTC"))
        if not is_revised:
            return None
        # Facts of an earlier version do not tell it.
        return last_instant(facts["data_arrived"]) if facts.get("data_arrived") is not None else started
    except (ConfigError, KeyError, TypeError, AttributeError, OSError):  # facts that somebody changed
        return None
