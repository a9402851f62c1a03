"""``anomscan incidents``: what is wrong with the fleet, from night to night, and what people say of it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from anomscan.cli.options import AssetOption, DetectorOption, SourceOption, WorkersOption
from anomscan.cli.session import Session, session_of
from anomscan.errors import ConfigError, ExitCode
from anomscan.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from anomscan.incidents.ledger import Entry

incidents = typer.Typer(
    help="List incidents; acknowledge, snooze or label them, add notes.", add_completion=False, rich_markup_mode=None
)

#: With more incidents than these, Python's collector is told to leave them alone.
_MANY = 10_000

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Its id, or the beginning of it.")]
IdsArgument = Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, or the beginnings of them.")]
ByOption = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who says so; by default $USER.")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]


@incidents.command("list")
def list_incidents(
    context: typer.Context,
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state",
            metavar="STATE",
            help="new, reopened, ongoing, quiet, unknown, closed, or open: all but closed; may be repeated.",
        ),
    ] = None,
    asset: AssetOption = None,
    cohort: Annotated[
        list[str] | None, typer.Option("--cohort", metavar="NAME", help="Of assets of a cohort; may be repeated.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option("--kind", metavar="KIND", help="silent, dropped, ...; may be repeated.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="LABEL", help="With a label; may be repeated.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="T", help="Begun at least so long ago: 7d, 12h.")
    ] = None,
    newer_than: Annotated[
        str | None, typer.Option("--newer-than", metavar="T", help="Begun at most so long ago.")
    ] = None,
    severity: Annotated[
        float | None, typer.Option("--severity", metavar="X", help="At least, where the detector has one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON array, closed ones included.")] = False,
) -> int:
    """List incidents; without --state or --json those that are open."""
    import gc

    from anomscan.incidents.ledger_file import without_collector
    from anomscan.jobs.incidents import Filter, listed

    session = session_of(context)
    wanted = Filter(
        states=state or (),
        assets=asset or (),
        cohorts=cohort or (),
        kinds=kind or (),
        labels=label or (),
        older_than=older_than,
        newer_than=newer_than,
        severity=severity,
    )
    with without_collector():
        found = listed(session.load().settings, wanted)
        if len(found) > _MANY:
            gc.freeze()  # nor does it look at them at the end
        if as_json:
            _write_json(found)
            return ExitCode.DONE
        rows = [each for each in found if state or each.is_open]
        _table(session, rows)
    if len(found) > len(rows):
        session.console.info(f"{counted(len(found) - len(rows), 'closed one')} not shown (--state closed)")
    return ExitCode.DONE


@incidents.command("show")
def show(context: typer.Context, incident: IdArgument, as_json: JsonOption = False) -> int:
    """Show all that the ledger has of an incident."""
    import json

    from anomscan.jobs.incidents import as_json as fields
    from anomscan.jobs.incidents import now, shown

    session = session_of(context)
    entry = shown(session.load().settings, incident)
    (line,) = fields([entry], now()[:10])
    known = json.loads(line)
    if as_json:
        session.console.data(json.dumps(known))
        return ExitCode.DONE
    rows = [
        (name, tuple((each if isinstance(each, str) else json.dumps(each, ensure_ascii=False)).split()))
        for name, value in known.items()
        if value not in (None, [], {})
        for each in (value if isinstance(value, list) else [value])
    ]
    session.console.table("", ("", "value"), rows, data=True)
    _draw(session, entry)
    return ExitCode.DONE


@incidents.command("ack")
def ack(context: typer.Context, ids: IdsArgument, reason: ReasonOption, by: ByOption = None) -> int:
    """Acknowledge incidents: they make no alarm until they end."""
    from anomscan.incidents.people import acknowledge

    who, at = _who(by), _now()
    why = _said("--reason", reason)
    return _write(context, ids, lambda entry: acknowledge(entry, by=who, at=at, reason=why), "acknowledged")


@incidents.command("snooze")
def snooze(
    context: typer.Context,
    ids: IdsArgument,
    until: Annotated[str, typer.Option("--until", metavar="D", help="The day from which on they count again.")],
    reason: ReasonOption,
    by: ByOption = None,
) -> int:
    """Snooze incidents: they make no alarm until a day."""
    from anomscan.incidents import people
    from anomscan.jobs.incidents import day

    who, at, end = _who(by), _now(), day(until)
    why = _said("--reason", reason)

    def change(entry: Entry) -> Entry:
        return people.snooze(entry, until=end, by=who, at=at, reason=why)

    return _write(context, ids, change, f"snoozed until {end}")


@incidents.command("label")
def label(
    context: typer.Context,
    incident: IdArgument,
    name: Annotated[
        str, typer.Argument(metavar="LABEL", help="fault, false-alarm, maintenance, weather, or a word of your own.")
    ],
    by: ByOption = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the label away.")] = False,
) -> int:
    """Say what an incident was."""
    from anomscan.incidents import people

    who, at, what = _who(by), _now(), _said("LABEL", name)
    if remove:
        done = f"no longer labelled {what}"
        return _write(context, [incident], lambda entry: people.unlabel(entry, what, at=at), done)
    return _write(context, [incident], lambda entry: people.label(entry, what, by=who, at=at), f"labelled {what}")


@incidents.command("note")
def note(
    context: typer.Context,
    incident: IdArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The note.")],
    by: ByOption = None,
) -> int:
    """Add a note to an incident."""
    from anomscan.incidents import people

    who, at, what = _who(by), _now(), _said("TEXT", text)
    return _write(context, [incident], lambda entry: people.note(entry, what, by=who, at=at), "noted")


@incidents.command("reopen")
def reopen(context: typer.Context, ids: IdsArgument) -> int:
    """Take back an acknowledgement or a snooze; a closed incident is open again until the next night."""
    from anomscan.incidents import people

    return _write(context, ids, people.reopen, "open again")


@incidents.command("rebuild")
def rebuild(
    context: typer.Context,
    source: SourceOption = None,
    detector: DetectorOption = None,
    workers: WorkersOption = None,
) -> int:
    """Rebuild the ledger of a source and detector from a scan of all that is stored.

    Incidents keep their ids and what people wrote into them.
    """
    from anomscan.jobs.engines import Threads
    from anomscan.jobs.incidents import rebuild as made_anew
    from anomscan.jobs.job import Job
    from anomscan.reports.records import SCAN_SCHEMA

    session = session_of(context)
    settings = session.load().settings
    job = Job(schema=SCAN_SCHEMA, whole=False, assets=None, source=source, detector=detector)
    session.console.info(made_anew(settings, job, Threads(workers), session.console))
    return ExitCode.DONE


def _draw(session: Session, entry: Entry) -> None:
    """The values about an incident, on a terminal."""
    if not sys.stderr.isatty():
        return
    from anomscan.incidents.terminal_chart import chart
    from anomscan.jobs.incidents import course

    found = course(session.load().settings, entry)
    if found is not None:
        variable, values, inside = found
        session.console.draw(
            f"{variable}, a year about the incident, which is marked",
            lambda width, plain: chart(values, inside, width, plain=plain),
        )


def _write(context: typer.Context, ids: list[str], change: Callable[[Entry], Entry], done: str) -> int:
    from anomscan.jobs.incidents import write

    session = session_of(context)
    for entry in write(session.load().settings, ids, change):
        session.console.info(f"{entry.id} ({entry.asset}, {entry.kind} since {entry.since}): {done}")
    return ExitCode.DONE


def _write_json(found: list[Entry]) -> None:
    """One array, an incident a line; what is not ASCII is escaped, as it may command a terminal."""
    import json

    from anomscan.jobs.incidents import as_json, now

    lines = as_json(found, now()[:10])
    plain = [line.decode() if line.isascii() else json.dumps(json.loads(line)) for line in lines]
    sys.stdout.write("[\n" + ",\n".join(plain) + ("\n]\n" if plain else "]\n"))


def _table(session: Session, entries: list[Entry]) -> None:
    rows = [
        (
            each.id,
            each.asset,
            each.state,
            each.kind,
            each.since,
            each.last,
            str(each.days),
            "" if not each.deviation else f"{max(each.deviation.values(), key=abs) * 100:+.2g} %",
            each.common or "",
            _marks(each),
        )
        for each in entries
    ]
    columns = ("id", "asset", "state", "kind", "since", "last", "days", "deviation", "with", "marks")
    session.console.table("", columns, rows, data=True)


def _marks(entry: Entry) -> str:
    marks = ["acknowledged"] if entry.acknowledged is not None and entry.is_open else []
    marks += [f"maintenance: {entry.maintenance}"] if entry.maintenance is not None else []
    marks += [f"snoozed until {entry.snoozed.until}"] if entry.snoozed is not None else []
    marks += [each.label for each in entry.labels]
    return ", ".join([*marks, *([f"part of {entry.merged_into}"] if entry.merged_into is not None else [])])


def _who(by: str | None) -> str:
    who = (by if by is not None else os.environ.get("USER", "")).strip()
    if not who:
        raise ConfigError("who says so?", hint="--by NAME; $USER is not set")
    return _said("--by", who)


def _said(what: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{what} is not UTF-8 text", hint="write it in UTF-8") from None
    if not text.strip():
        raise ConfigError(f"{what} is empty", hint="say it in a few words")
    return text.strip()


def _now() -> str:
    from anomscan.jobs.incidents import now

    return now()
