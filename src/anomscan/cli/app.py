"""The program: its options, its commands, and the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import atexit
import itertools
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from anomscan import __version__
from anomscan.cli.commands import LazyCommands
from anomscan.cli.console import TerminalConsole
from anomscan.cli.interrupts import Interrupted, arrived, listen
from anomscan.cli.streams import ReaderGoneError, prepare
from anomscan.errors import AnomscanError, ConfigError, ExitCode, OutputError
from anomscan.wording import seen

# Plain help: drawing it with rich would double the time it takes to show it.
app = typer.Typer(
    name="anomscan",
    cls=LazyCommands,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from anomscan.cli.about import about

        print(*about(), sep="\n")
        raise typer.Exit


@app.callback()
def anomscan(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Settings; else $ANOMSCAN_CONFIG, else ./anomscan.toml."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only warnings and errors.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show more details.")] = False,
    log_format: Annotated[Literal["text", "json"], typer.Option(help="Format of messages on stderr.")] = "text",
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version, what scores, and the extras; exit."
        ),
    ] = False,
) -> None:
    """Finds the bad days of a fleet.

    fetch brings telemetry in, scan and detect score it, report shows it.
    """
    from anomscan.cli.session import Session

    console = TerminalConsole(1 if verbose else -1 if quiet else 0, json_lines=log_format == "json")
    context.obj = Session(config, console)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    console = TerminalConsole(json_lines=_wants_json(arguments))
    try:
        try:
            _refuse_empty(arguments)
            code = app(arguments or ["--help"], prog_name="anomscan", standalone_mode=False)
            sys.stdout.flush()
        except ReaderGoneError:
            # Python would try to flush again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.DONE
    except typer.TyperException as error:
        console.error(" ".join(error.format_message().replace("Value error, ", "").split()))
        return _trouble(arguments, ExitCode.INPUT)
    except AnomscanError as error:
        for each in error.parts or (error,):
            console.error(str(each))
        return _trouble(arguments, error.exit_code)
    except Interrupted as error:
        arrived()
        console.error("interrupted")
        return error.code
    except Exception as error:  # the boundary: a bug becomes one line and a traceback in the log
        console.error(_log_bug(error))
        return _trouble(arguments, ExitCode.BUG)
    return int(code or ExitCode.DONE)


def _refuse_empty(arguments: list[str]) -> None:
    """An empty argument is a mistake of a script: as a path it would be the working folder, as a name the default.

    Only as an asset it means just what it says: one that does not exist, and fails alone.
    """
    for before, argument in itertools.pairwise(["anomscan", *arguments]):
        option, given, value = argument.partition("=")
        if "--asset" in (before, option):
            continue
        if not argument or (option.startswith("--") and given and not value):
            what = f"the argument after {before!r}" if not argument else option
            raise ConfigError(f"{what} is empty", hint="give it a value, or leave it out; is a shell variable not set?")


def _trouble(arguments: list[str], code: int) -> int:
    """The exit code of an error; for Nagios, to which our own would mean a state of the fleet, it is 3: unknown."""
    return 3 if "check" in arguments and "--nagios" in arguments else code


def main() -> NoReturn:
    """Entry point of the ``anomscan`` command."""
    code: int = ExitCode.BUG

    def leave() -> None:
        # Handlers run in reverse order, so this runs last, after all of Python's threads have ended. A thread of Arrow
        # that still reads ahead in one of our files would abort an interpreter that is shutting down.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, OutputError, ReaderGoneError):  # it has been said
                stream.flush()
        os._exit(code)

    atexit.register(leave)
    prepare()
    listen()
    code = run(sys.argv[1:])
    arrived()
    ray = sys.modules.get("anomscan.jobs.engines.taming")
    if ray is not None and ray.hangs():
        os._exit(code)  # or the process would have another exit code
    sys.exit(code)


def _wants_json(arguments: list[str]) -> bool:
    """Whether messages are JSON lines; needed before the options are parsed, because that can fail too."""
    given = [
        next_one if flag == "--log-format" else flag.partition("=")[2]
        for flag, next_one in itertools.pairwise([*arguments, ""])
        if flag.partition("=")[0] == "--log-format"
    ]
    return given[-1:] == ["json"]


def _log_bug(error: Exception) -> str:
    """Write the traceback to the log file; return the line for the user."""
    import platform
    import traceback

    folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "anomscan"
    line = f"this is a bug: {type(error).__name__}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "errors.log"
        with log.open("a", encoding="utf-8") as file:
            file.write(f"anomscan {__version__}, Python {platform.python_version()}, {platform.platform()}\n")
            trace = "".join(traceback.format_exception(error))
            file.writelines(f"{seen(line)}\n" for line in trace.rstrip("\n").split("\n"))
            file.write("\n")
    except OSError as problem:
        return f"{line} (its traceback could not be written: {problem.strerror})"
    return f"{line} (traceback in {log})"
