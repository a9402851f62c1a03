"""A comparison of set-ups as records, as the cells of a table, in words, and as a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from anomscan.judging.comparison import Comparison, Row
from anomscan.judging.intervals import Interval
from anomscan.telemetry.cadence import Cadence
from anomscan.wording import counted

SCHEMA = "anomscan.compare/1"
_NONE = "\N{EN DASH}"


def lines(comparison: Comparison, faults: Mapping[str, object]) -> Iterator[str]:
    """A JSON line for each set-up.

    Parameters
    ----------
    faults
        By the name of a set-up what it catches of made-up faults; empty where none were tried.
    """
    names = [row.name for row in comparison.rows]
    for row in comparison.rows:
        fields: dict[str, Any] = asdict(row)
        if row.left_out is not None:
            del fields["agreement"]
        else:
            fields["agreement"] = {
                name: None if share is None else round(share, 4)
                for name, share in zip(names, row.agreement, strict=True)
                if name != row.name
            }
        if row.name in faults:
            fields["faults"] = faults[row.name]
        yield json.dumps({"schema": SCHEMA, **rounded(fields)}, allow_nan=False, ensure_ascii=False) + "\n"


def table(comparison: Comparison) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """The headers and the cells of a table for a terminal."""
    labels = ("recall", "by chance", "delay", "since off by", "false a week", "by chance", "VUS-PR", "by chance")
    headers = (
        ("detector", "view", "cut-off", "incidents a week", "90 %", "expected false", "kinds", "common", "agree", "CPU")
        if not comparison.labelled
        else ("detector", "view", "cut-off", "incidents a week", *labels, "CPU")
    )
    return headers, [_cells(row, comparison) for row in comparison.rows]


def _cells(row: Row, comparison: Comparison) -> tuple[object, ...]:
    name = (row.detector, row.view, row.cutoff)
    spent = f"{row.scoring_s + row.judging_s:,.1f} s"
    if row.left_out is not None:
        return (*name, _NONE, *([""] * (8 if comparison.labelled else 5)), spent)
    if not comparison.labelled:
        kinds = tuple(f"{kind} {count}" for kind, count in row.kinds.items())
        return (
            *name,
            number(row.per_week.value),
            between(row.per_week.interval),
            number(_weekly(row, comparison)),
            kinds,
            str(row.common),
            percent(agreed(row)),
            spent,
        )
    recall = (percent(row.recall.value), f"({between(row.recall.interval, percent)})")
    return (
        *name,
        number(row.per_week.value),
        recall,
        percent(row.recall.chance),
        number(row.delay.value),
        number(row.off.value),
        number(row.false.value),
        number(row.false.chance),
        number(row.vus_pr.value, 2),
        number(row.vus_pr.chance, 2),
        spent,
    )


def summary(comparison: Comparison, cadence: Cadence) -> Iterator[str]:
    """What it amounts to, in sentences."""
    import numpy as np

    first, last = (cadence.text(np.datetime64(each, "us")) for each in (comparison.first, comparison.last))
    left = f"; {comparison.left_out:,} others are not judged by all" if comparison.left_out else ""
    yield (
        f"{counted(len(comparison.rows), 'set-up')} on the same days of {counted(comparison.assets, 'asset')}, "
        f"{first} to {last}{left}"
    )
    for row in comparison.rows:
        if row.left_out is not None:
            yield f"{row.name} is left out: {row.left_out}"
    fit = [row for row in comparison.rows if row.left_out is None and _is_within(row, comparison.alerts)]
    if comparison.alerts is not None:
        yield f"{len(fit)} of them stay within {comparison.alerts:g} incidents a week"
    if not comparison.labelled:
        yield "which of them would have caught faults, only labels tell (--labels CSV, asset,from,to)"
    elif fit:
        yield _choice(fit)
    if any(row.in_sample for row in comparison.rows):
        seen = sorted({row.detector for row in comparison.rows if row.in_sample})
        yield f"{', '.join(seen)} learnt from days that are judged here, which flatters it"


def _choice(rows: list[Row]) -> str:
    # A set-up that flags everything catches everything: what counts is how much more than by chance.
    best = max(rows, key=lambda row: (_gain(row), -(row.false.value or 0.0)))
    if not best.events:
        return "no known bad span lies in the days that all set-ups judge"
    text = (
        f"{best.name} catches most beyond chance: {percent(best.recall.value)} of "
        f"{counted(best.events, 'known bad span')} (by chance "
        f"{percent(best.recall.chance)}), with {number(best.false.value)} false incidents a week"
    )
    low = (best.recall.interval[0] if best.recall.interval else 0.0) - (best.recall.chance or 0.0)
    close = [row.name for row in rows if row is not best and _gain(row) >= low]
    if close:
        text += f"; {counted(len(close), 'other')} within the uncertainty of so few"
    return text


def _gain(row: Row) -> float:
    return (row.recall.value or 0.0) - (row.recall.chance or 0.0)


def agreed(row: Row) -> float | None:
    """The mean agreement with all other set-ups."""
    known = [share for share in row.agreement if share is not None]
    return sum(known) / len(known) if known else None


def _is_within(row: Row, alerts: float | None) -> bool:
    return alerts is None or (row.per_week.value is not None and row.per_week.value <= alerts)


def _weekly(row: Row, comparison: Comparison) -> float | None:
    if row.expected_false is None or not comparison.asset_weeks:
        return None
    return row.expected_false / comparison.asset_weeks * comparison.assets


def number(value: float | None, digits: int = 1) -> str:
    """For people, what is below 1 with two digits at least; a dash where there is none."""
    return _NONE if value is None else f"{value:,.{max(digits, 2) if 0 < abs(value) < 1 else digits}f}"


def percent(value: float | None) -> str:
    """For people."""
    return _NONE if value is None else f"{value:.0%}"


def between(interval: Interval | None, text: Callable[[float], str] = number) -> str:
    """An interval for people."""
    return _NONE if interval is None else f"{text(interval[0])} to {text(interval[1])}"


def rounded(value: Any) -> Any:
    """The same with numbers of six digits, for CPU time and bootstrap carry no more."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return value


def page(comparison: Comparison, cadence: Cadence, title: str, smallest: Mapping[str, Mapping[str, str]]) -> str:
    """One self-contained page.

    Parameters
    ----------
    smallest
        By the name of a set-up and the kind of a fault, the smallest that is caught; empty where none were tried.
    """
    import jinja2

    from anomscan import __version__
    from anomscan.reports.scripts import policy, style

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("anomscan.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.globals.update(
        title=title, version=__version__, percent=percent, number=number, two=partial(number, digits=2)
    )
    environment.globals.update(style=style(), policy=policy(style()))
    environment.filters.update(number=number, percent=percent, between=between, agreed=agreed)
    told: str = environment.get_template("compare.html").render(
        comparison=comparison,
        rows=[row for row in comparison.rows if row.left_out is None],
        words=list(summary(comparison, cadence)),
        weekly={row.name: _weekly(row, comparison) for row in comparison.rows},
        smallest=smallest,
        within={row.name for row in comparison.rows if _is_within(row, comparison.alerts)},
    )
    return told
