"""What a person sees: data goes to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Protocol

from anomscan.wording import UNSEEN, counted, seen

#: Seconds between two lines of progress without a terminal.
_LINE_S = 30.0
#: Characters in a line where there is no terminal.
_WIDTH = 200
#: Characters of a chart at most.
_CHART = 100
#: Of the words before messages, as terminals number them.
_COLOURS = {"error": 31, "warning": 33}


class Advance(Protocol):
    """Moves a progress bar."""

    def __call__(self, steps: int) -> None:
        """Advance by a number of steps."""


class Counts(Protocol):
    """How some assets turned out."""

    @property
    def assets(self) -> int:
        """How many there were."""

    @property
    def findings(self) -> int:
        """How many are anomalous."""

    @property
    def failed(self) -> int:
        """How many have an error."""


class TerminalConsole:
    """Messages and tables.

    Parameters
    ----------
    verbosity
        -1 shows only warnings and errors, 0 what matters, 1 details.
    json_lines
        Whether messages are JSON lines, for machines.
    """

    def __init__(self, verbosity: int = 0, *, json_lines: bool = False) -> None:
        self.verbosity = verbosity
        self.json_lines = json_lines

    def detail(self, message: str) -> None:
        """Show a detail, if details are wanted."""
        if self.verbosity > 0:
            self._say("debug", message)

    def info(self, message: str, **facts: object) -> None:
        """Show a message, unless the user wants silence; in JSON it carries the facts too."""
        if self.verbosity >= 0:
            self._say("info", message, facts)

    def warn(self, message: str) -> None:
        """Show a problem that does not stop the run."""
        self._say("warning", message)

    def error(self, message: str, **facts: object) -> None:
        """Show what went wrong; in JSON the message carries the facts too."""
        self._say("error", message, facts)

    @property
    def can_ask(self) -> bool:
        """Whether there is a terminal for questions."""
        return sys.stdin.isatty()

    def can_draw(self, characters: str) -> bool:
        """Whether messages go to a terminal that has such characters."""
        if not sys.stderr.isatty() or os.environ.get("TERM") in ("dumb", "linux"):
            return False
        try:
            characters.encode(sys.stderr.encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    def agrees(self, question: str) -> bool:
        """Ask a question on stderr; anything but a clear yes is a no."""
        print(f"{seen(question)} [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def answer(self, question: str, choices: Sequence[str]) -> str:
        """Ask a question on stderr; with choices, one of them by its number or as it is written."""
        print(seen(question), file=sys.stderr)
        for number, choice in enumerate(choices, 1):
            print(f"  {number}  {seen(choice)}", file=sys.stderr)
        print("> ", end="", file=sys.stderr, flush=True)
        given = sys.stdin.readline().strip()
        chosen = given.isdecimal() and 0 < int(given) <= len(choices)
        return choices[int(given) - 1] if chosen else given

    def data(self, line: str) -> None:
        """Print a line of the result on stdout."""
        print(seen(line), flush=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, data: bool) -> None:
        """Draw a table.

        Parameters
        ----------
        rows
            A cell that is a tuple of words may be broken between them, any other is on one line.
        data
            Whether it is what was asked for (stdout), or a summary (stderr, and left out where silence is wanted).
        """
        if not data and (self.verbosity < 0 or self.json_lines):
            return
        from anomscan.cli.tables import draw

        stream = sys.stdout if data else sys.stderr
        shown = [
            [tuple(map(seen, cell)) if isinstance(cell, tuple) else seen(str(cell)) for cell in row] for row in rows
        ]
        lines = [*([seen(title)] if title else []), *draw([seen(column) for column in columns], shown, _width(stream))]
        stream.writelines(f"{line}\n" for line in [*lines, ""])
        stream.flush()

    def draw(self, title: str, lines_of: Callable[[int, bool], Sequence[str]]) -> None:
        """Draw on a terminal, and nowhere else; ``lines_of`` is given its width, and whether it has ASCII alone."""
        if self.verbosity < 0 or self.json_lines or not sys.stderr.isatty():
            return
        from anomscan.incidents.sparkline import BLOCKS
        from anomscan.incidents.terminal_chart import MARK

        if lines := lines_of(min(_width(sys.stderr), _CHART), not self.can_draw(BLOCKS + MARK)):
            sys.stderr.writelines(f"{line}\n" for line in [seen(title), *lines])
            sys.stderr.flush()

    @contextmanager
    def progress(self, what: str, total: int | None, *, unit: str = "assets") -> Iterator[Advance]:
        """Show progress, speed and time left: a bar on a terminal, else a line now and then."""
        if not _is_screen() or self.verbosity < 0 or self.json_lines:
            yield self._lines(what, total, unit)
            return
        from rich.console import Console as Screen
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn(f"{{task.completed:,}} {unit}"),
            TaskProgressColumn(show_speed=True),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Screen(stderr=True), transient=True) as bar:
            task = bar.add_task(seen(what), total=total)
            yield lambda steps: bar.advance(task, steps)

    @contextmanager
    def scanning(self, total: int, before: Counts) -> Iterator[Callable[[Counts], None]]:
        """Show the progress of a run: a live line on a terminal, else a line now and then.

        Parameters
        ----------
        total
            How many assets there are.
        before
            What was done before this run.

        Yields
        ------
        To be called with what was done since the last call.
        """
        line = _LiveLine(total, before)
        if not _is_screen() or self.verbosity < 0 or self.json_lines:
            told = time.monotonic()

            def watch(done: Counts) -> None:
                nonlocal told
                line.add(done)
                if time.monotonic() - told >= _LINE_S:
                    told = time.monotonic()
                    self.info(f"scanning: {line}", **line.facts)

            yield watch
            return
        from rich.console import Console as Screen
        from rich.progress import Progress, TextColumn

        with Progress(TextColumn("{task.description}"), console=Screen(stderr=True), transient=True) as bar:
            task = bar.add_task(str(line), total=total, completed=before.assets)

            def show(done: Counts) -> None:
                line.add(done)
                bar.update(task, completed=line.assets, description=str(line))

            yield show

    def _lines(self, what: str, total: int | None, unit: str) -> Advance:
        """Report progress every few seconds."""
        began = told = time.monotonic()
        done = 0

        def advance(steps: int) -> None:
            nonlocal done, told
            done += steps
            now = time.monotonic()
            if now - told >= _LINE_S:
                told = now
                of = "" if total is None else f" of {total:,}"
                speed = done / (now - began)
                left = f", {timedelta(seconds=round((total - done) / speed))} left" if total and speed else ""
                self.info(f"{what}: {done:,}{of} {unit}, {speed:,.0f} per second{left}")

        return advance

    def _say(self, level: str, message: str, facts: Mapping[str, object] = MappingProxyType({})) -> None:
        if self.json_lines:
            import json
            from datetime import UTC, datetime

            now = datetime.now(UTC).isoformat(timespec="seconds")
            line = json.dumps({"time": now, "level": level, "message": message, **facts}, ensure_ascii=False)
            # JSON's own escapes, so that readers get what was meant
            line = UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
        else:
            line = seen(message) if level in ("info", "debug") else f"{_coloured(level)}: {seen(message)}"
        print(line, file=sys.stderr, flush=True)


def _is_screen() -> bool:
    """Whether messages go to a terminal whose lines can be written over."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _coloured(level: str) -> str:
    """The word before a message: red for an error, yellow for a warning, on a terminal where colours are wanted."""
    if not _is_screen() or os.environ.get("NO_COLOR"):
        return level
    return f"\x1b[{_COLOURS[level]}m{level}\x1b[0m"


def _width(stream: Any) -> int:
    """How many characters a line of a stream takes: what COLUMNS says, else the terminal."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and 0 < int(told) < 10_000:
        return int(told)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _WIDTH
    except (OSError, ValueError):
        return _WIDTH


class _LiveLine:
    """How far a run has got."""

    def __init__(self, total: int, before: Counts) -> None:
        self._total, self._before, self._began = total, before.assets, time.monotonic()
        self.assets, self._findings, self._failed = before.assets, before.findings, before.failed

    def add(self, done: Counts) -> None:
        self.assets += done.assets
        self._findings += done.findings
        self._failed += done.failed

    @property
    def facts(self) -> dict[str, Any]:
        done, spent = self.assets - self._before, time.monotonic() - self._began
        return {
            "assets": self.assets,
            "of": self._total,
            "anomalous": self._findings,
            "failed": self._failed,
            "assets_per_s": round(done / spent, 1) if done and spent else None,
            "eta_s": round((self._total - self.assets) * spent / done) if done else None,
        }

    def __str__(self) -> str:
        facts = self.facts
        text = (
            f"{self.assets:,} of {counted(self._total, 'asset')}, {self._findings:,} anomalous, {self._failed:,} failed"
        )
        if facts["eta_s"] is None:
            return text
        return f"{text}, {facts['assets_per_s']:,.0f} per second, {timedelta(seconds=facts['eta_s'])} left"
