"""The use case behind the last step of ``night`` and ``notify``: take what the outbox holds to whom it concerns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Protocol

from anomscan.config import Route, Settings
from anomscan.errors import AnomscanError, ConfigError, ExitCode, ServiceError, worst
from anomscan.incidents.ledger import WEEKLY, Entry, Ledger, Message
from anomscan.incidents.ledger_file import LedgerFile
from anomscan.incidents.notify import outbox
from anomscan.incidents.notify.digest import Digest, Told, items
from anomscan.incidents.notify.registry import opened
from anomscan.incidents.notify.routes import choose
from anomscan.retrying import Clock
from anomscan.storage import lock
from anomscan.wording import counted, seen

#: How long to wait for another that sends, or writes the ledger, in seconds.
WAIT_S = 60.0


class NotifyConsole(Protocol):
    """Where it says what it sends."""

    def info(self, message: str) -> None:
        """Say what was done."""

    def error(self, message: str) -> None:
        """Say what failed."""

    def data(self, line: str) -> None:
        """Show what would be sent."""


def send(settings: Settings, console: NotifyConsole, *, dry_run: bool = False, clock: Clock | None = None) -> ExitCode:
    """Tell each target what it is due. One that cannot be told is named, keeps what it is due, and stops no other.

    What a target has taken is crossed out in the ledger right after: only what was sent when the run was killed is sent
    again.

    Parameters
    ----------
    dry_run
        Whether it is only shown what would be sent; the ledger stays as it is.

    Raises
    ------
    InputError
        If the ledger cannot be used.
    LockedError
        If another run sends, or writes the ledger.
    OutputError
        If the ledger cannot be written.
    """
    file, clock = LedgerFile(settings.incidents.path), clock or Clock()
    if not settings.notify or not file.exists():
        return ExitCode.DONE
    now = _instant(clock)
    with lock.hold(file.folder / "notify.lock", f"what is told of {file.folder}", timeout_s=WAIT_S):
        with file.held(WAIT_S):
            ledger = outbox.only_for(file.read(), settings.notify)
            ledger = outbox.post_weekly(ledger, now[:10], settings.notify)
            if not dry_run:
                file.write(ledger)
        codes, tags = [], _tags(settings)
        for route in (part for each in settings.notify for part in outbox.divided(ledger, each)):
            try:
                keys, refused = _tell(route, ledger, now, tags, console, clock, dry_run=dry_run)
                if keys and not dry_run:
                    _cross_out(file, route, keys, refused)
                if refused:
                    raise _refusal(route, refused)
            except AnomscanError as error:
                console.error(str(error))
                codes.append(error.exit_code)
    return worst(codes)


def try_out(settings: Settings, name: str, console: NotifyConsole, clock: Clock | None = None) -> None:
    """Tell a target that this is a test.

    Raises
    ------
    ConfigError
        If there is no such target, or its settings cannot be used.
    MissingExtraError
        If it needs a package that is not installed.
    ServiceError
        If it is not delivered.
    """
    from anomscan.config.settings import nearest

    routes = {route.name: route for route in settings.notify}
    if name not in routes:
        raise ConfigError(f"there is no target '{name}' in [[notify]]", hint=nearest(name, routes, "targets"))
    clock = clock or Clock()
    refused = opened(routes[name], clock).send(Digest(name, _instant(clock), {}, [], is_test=True))
    if refused:
        raise _refusal(routes[name], refused)
    console.info(f"notify '{name}': delivered")


def _tell(
    route: Route,
    ledger: Ledger,
    now: str,
    tags: Callable[[Entry], Collection[str]],
    console: NotifyConsole,
    clock: Clock,
    *,
    dry_run: bool,
) -> tuple[Collection[str], Sequence[str]]:
    """Send a target its digest, if there is one; the keys of what is settled by that, and who of it has refused it."""
    refused: Sequence[str] = ()
    found = choose(ledger, route, now[:10], tags)
    weekly = any(each.tell == WEEKLY for each in found.now)
    sink = opened(route, clock)
    changes = [_told(each, ledger) for each in found.now if each.tell != WEEKLY]
    still_open = [Told(each, "open") for each in found.still_open] if weekly or sink.tells_open else None
    if changes or still_open or route.heartbeat:
        digest = Digest(
            route.name, now, ledger.nights, items(changes), None if still_open is None else items(still_open)
        )
        if dry_run:
            console.data(f"notify '{route.name}' would send:")
            for line in sink.shown(digest).splitlines():
                console.data(line)
        else:
            refused = sink.send(digest)
            console.info(f"notify '{route.name}': {counted(len(changes), 'change')} told ({digest.title})")
    return {*found.never, *(each.key for each in found.now)}, refused


def _cross_out(file: LedgerFile, route: Route, keys: Collection[str], refused: Sequence[str]) -> None:
    with file.held(WAIT_S):
        ledger = outbox.owed(file.read(), route.name, keys, refused)
        file.write(outbox.taken(ledger, route.name, keys))


def _refusal(route: Route, refused: Sequence[str]) -> ServiceError:
    names = ", ".join(map(seen, refused))
    return ServiceError(f"notify '{route.name}': refused by {names}", hint="they are told again the next night")


def _told(message: Message, ledger: Ledger) -> Told:
    return Told(ledger.entries[message.tell], message.what, message.key)


def _tags(settings: Settings) -> Callable[[Entry], Collection[str]]:
    """The tags of an incident's asset; each source's list is read once, and only if a target asks for it."""
    from anomscan.jobs.job import Known
    from anomscan.jobs.views import asset_list
    from anomscan.store.asset_list import AssetList, tags_of
    from anomscan.store.store import Store

    known: dict[str, AssetList] = {}

    def tags(entry: Entry) -> Collection[str]:
        if entry.source not in known:
            snapshot = Store.open(settings.store.path).snapshot(entry.source)
            known[entry.source] = asset_list(settings, snapshot, Known())
        return tags_of(known[entry.source].get(entry.asset, {}))

    return tags


def _instant(clock: Clock) -> str:
    return datetime.fromtimestamp(clock.wall(), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
