"""The use case behind ``tune``: choose a set-up on the first part of history, and tell what it is worth on the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from anomscan.config import Settings
from anomscan.config.toml import toml_key, toml_value
from anomscan.errors import ConfigError
from anomscan.jobs import compare
from anomscan.jobs.compare import Asked, Tried, choice_of
from anomscan.jobs.engines import Engine
from anomscan.jobs.inject import Injected, inject
from anomscan.jobs.scan import ScanConsole
from anomscan.jobs.setups import CutoffChoice
from anomscan.judging.comparison import Row, Setup
from anomscan.judging.events import Labels
from anomscan.judging.found import JudgedAsset, Span, common_stretches
from anomscan.judging.tuning import Candidate, Tuned, Worth, best_of
from anomscan.telemetry.cadence import first_instant

#: The share of the watched history on which a set-up is chosen.
SHARE = 0.6
_EVER = 1 << 62


def tune(
    settings: Settings,
    asked: Asked,
    labels: Labels | None,
    engine: Engine,
    console: ScanConsole,
    *,
    split: str | None,
    trials: int,
    seed: int,
) -> Tuned:
    """Choose a set-up on the days before ``split``; what comes later has no say, and shows what the choice is worth.

    Parameters
    ----------
    labels
        Known faults; None to judge by made-up ones.
    split
        A day or an instant; by default such that :data:`SHARE` of what was watched lies before it.
    trials, seed
        Of the made-up faults, see :func:`anomscan.jobs.inject.inject`.

    Raises
    ------
    ConfigError
        If what was asked for makes no sense, or no set-up tells of so few incidents.
    StoreError
        If the store is damaged.
    AnomscanError
        If a detector cannot be used.
    """
    if asked.alerts is None:
        raise ConfigError("nothing limits the incidents", hint="give --alerts")
    tried = compare.tried(settings, asked, labels, engine, console)
    at = _split(settings, asked, tried.setups, split)
    first, rest = (
        tried.compared([_during(setup, part) for setup in tried.setups], labels, asked.alerts)
        for part in (Span(-_EVER, at - 1), Span(at, _EVER))
    )
    pairs = [pair for pair in zip(first.rows, rest.rows, strict=True) if all(row.left_out is None for row in pair)]
    flattered = sorted({row.detector for pair in pairs for row in pair if row.in_sample})
    for name in flattered:
        console.warn(f"detector '{name}' is left out: it has learnt from days that are judged here")
    pairs = [pair for pair in pairs if pair[0].detector not in flattered]
    if not pairs:
        raise ConfigError("no set-up judges days of both parts of the history", hint="fetch more, or give --split")
    made_up: Mapping[tuple[str, str, str], tuple[Worth, Worth]] = {}
    if labels is None:
        fit = {_key(row) for row, _ in pairs if (row.per_week.value or 0.0) <= asked.alerts}
        made_up = _made_up(settings, asked, tried, fit, at, engine, console, trials, seed) if fit else {}
    candidates = [_candidate(before, after, made_up) for before, after in pairs]
    chosen = best_of(candidates, asked.alerts)
    if chosen is None:
        fewest = min(each.first.per_week for each in candidates)
        raise ConfigError(
            f"no set-up tells of at most {asked.alerts:g} incidents a week: the fewest are {fewest:.2g}",
            hint="allow more with --alerts, or name others with --detector, --view and --cutoff",
        )
    current = next((each for each in candidates if each.key == tried.current), None)
    return Tuned(candidates, chosen, current, at, first, rest, labels is not None, asked.alerts)


def _split(settings: Settings, asked: Asked, setups: Sequence[Setup], split: str | None) -> int:
    """Microseconds since 1970."""
    if split is not None:
        return int(first_instant(split, settings.source(asked.job.source)[1].sample_zone).astype("int64"))
    watched = common_stretches([setup.judged for setup in setups if any(each.watched for each in setup.judged)])
    if not watched:
        raise ConfigError("no set-up judges a day", hint="fetch more history, or see why with anomscan scan")
    first, last = min(each.start for each in watched.values()), max(each.end for each in watched.values())
    return first + round((last - first) * SHARE)


def _during(setup: Setup, part: Span) -> Setup:
    return replace(setup, judged=[_judged(each, part) for each in setup.judged])


def _judged(one: JudgedAsset, part: Span) -> JudgedAsset:
    if one.watched is None or not one.watched.meets(part):
        return replace(one, watched=None, found=())
    return one.within(Span(max(one.watched.start, part.start), min(one.watched.end, part.end)))


def _key(row: Row) -> tuple[str, str, str]:
    return row.detector, row.view, row.cutoff


def _made_up(
    settings: Settings,
    asked: Asked,
    tried: Tried,
    fit: Collection[tuple[str, str, str]],
    at: int,
    engine: Engine,
    console: ScanConsole,
    trials: int,
    seed: int,
) -> dict[tuple[str, str, str], tuple[Worth, Worth]]:
    """By set-up what it catches of made-up faults before and after the split."""
    among = {*fit, *([] if tried.current is None else [tried.current])}
    choice = replace(choice_of(asked, tried.assets), among=among)
    found = inject(settings, asked.job, choice, None, engine, console, trials=trials, seed=seed)
    return {
        key: (_caught(found, place, at, later=False), _caught(found, place, at, later=True))
        for place, key in enumerate(found.setups)
    }


def _caught(found: Injected, place: int, at: int, *, later: bool) -> Worth:
    those = [each for each in found.trials if each.setup == place and (each.start >= at) == later]
    return Worth(sum(each.caught for each in those), len(those), 0.0, 0.0)


def _candidate(first: Row, rest: Row, made_up: Mapping[tuple[str, str, str], tuple[Worth, Worth]]) -> Candidate:
    known = made_up.get(_key(first), (_known(first), _known(rest)))
    both = (replace(worth, per_week=row.per_week.value or 0.0) for worth, row in zip(known, (first, rest), strict=True))
    return Candidate(*_key(first), *both)


def _known(row: Row) -> Worth:
    return Worth(round((row.recall.value or 0.0) * row.events), row.events, row.recall.chance or 0.0, 0.0)


def settings_for(chosen: Candidate, settings: Settings) -> str:
    """The settings for a set-up, as TOML."""
    known, cutoff = settings.detectors.get(chosen.detector), CutoffChoice.parse(chosen.cutoff)
    lines = ["[defaults]", f"detector = {toml_value(chosen.detector)}", "", f"[detectors.{toml_key(chosen.detector)}]"]
    lines.append(f"kind = {toml_value(chosen.detector if known is None else known.kind)}")
    if known is None or hasattr(known, "view"):
        lines.append(f"view = {toml_value(chosen.view)}")
    lines.append(f"cutoff = {toml_value(cutoff.rule)}")
    if cutoff.level:
        level = f"budget = {toml_value(cutoff.level)}" if cutoff.rule == "rank" else f"sigma = {float(cutoff.level)}"
        lines += ["", "[scan]", level]
    return "\n".join(lines) + "\n"
