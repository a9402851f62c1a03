"""What set-ups catch of made-up faults: records, the cells of a table, and words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from anomscan.judging.faults import FAULTS
from anomscan.judging.injection import Sensitivity, Smallest
from anomscan.reports.comparisons import between, number, percent, rounded
from anomscan.wording import counted

SCHEMA = "anomscan.inject/1"
HEADERS = ("detector", "view", "cut-off", "fault", "size", "of the level", "caught", "90 %", "delay", "90 %")

Setup = tuple[str, str, str]


def lines(setups: Sequence[Setup], found: Sequence[Sensitivity]) -> Iterator[str]:
    """A JSON line for each set-up."""
    for (detector, view, cutoff), each in zip(setups, found, strict=True):
        cohorts = {name: {"caught": hits, "tried": tried} for name, (hits, tried) in each.cohorts.items()}
        record = {"schema": SCHEMA, "detector": detector, "view": view, "cutoff": cutoff}
        told_all = rounded({**record, "faults": faults_of(each), "cohorts": cohorts})
        yield json.dumps(told_all, allow_nan=False, ensure_ascii=False) + "\n"


def faults_of(found: Sensitivity) -> dict[str, object]:
    """By kind what a set-up catches, as in a record."""
    return {
        kind: {
            "unit": _unit(kind),
            "smallest": asdict(found.smallest[kind]),
            "sizes": [
                {name: value for name, value in {**asdict(cell), "recall": cell.recall}.items() if name != "kind"}
                for cell in cells
            ],
        }
        for kind, cells in found.cells.items()
    }


def smallest(found: Sensitivity) -> dict[str, str]:
    """By kind the smallest fault that is caught nine times of ten, for the cells of a page."""
    told = {}
    for kind, cells in found.cells.items():
        least, most = found.smallest[kind], cells[-1]
        told[kind] = (
            f"not even {most.size:g} {_unit(kind)}{_share(most.share)} ({most.caught} of {most.tried})"
            if least.size is None
            else f"{least.size:g} {_unit(kind)}{_share(least.share)}"
        )
    return told


def rows(setups: Sequence[Setup], found: Sequence[Sensitivity]) -> list[tuple[object, ...]]:
    """The cells of a table for a terminal, under ``HEADERS``."""
    return [
        (
            *setup,
            kind,
            f"{cell.size:g} {_unit(kind)}",
            "" if cell.share is None else percent(cell.share),
            f"{cell.caught} of {cell.tried}",
            between(cell.interval, percent),
            number(cell.delay),
            between(cell.delay_interval),
        )
        for setup, each in zip(setups, found, strict=True)
        for kind, cells in each.cells.items()
        for cell in cells
    ]


def words(setup: Setup, found: Sensitivity) -> Iterator[str]:
    """What a set-up catches, and what it will miss, in sentences."""
    caught = [f"{kind} {_from(kind, each)}" for kind, each in found.smallest.items() if each.size is not None]
    missed = [kind for kind, each in found.smallest.items() if each.size is None]
    name = ", ".join(setup)
    yield f"{name} catches nine of ten: {'; '.join(caught) or 'nothing of what was tried'}"
    small = [
        f"a {kind} of {cell.size:g} {_unit(kind)}{_share(cell.share)} (caught {cell.caught} of {cell.tried})"
        for kind, cells in found.cells.items()
        for cell in cells[-1:]
        if kind in missed
    ]
    if small:
        yield f"{name} will miss even {'; '.join(small)}"
    below = [
        f"{kind} {_upto(kind, each)}"
        for kind, each in found.smallest.items()
        if each.size is not None and each.size > found.cells[kind][0].size
    ]
    if below:
        yield f"{name} may miss what is smaller: {'; '.join(below)}"
    worst = min(found.cohorts.items(), key=lambda item: item[1][0] / item[1][1], default=None)
    if worst is not None and len(found.cohorts) > 1:
        yield f"{name} is weakest in cohort '{worst[0]}': {worst[1][0]} of {counted(worst[1][1], 'fault')} caught"


def _from(kind: str, smallest: Smallest) -> str:
    low, high = (_size(each) for each in smallest.interval)
    return f"from {smallest.size:g} {_unit(kind)} on{_share(smallest.share)} ({low} to {high})"


def _upto(kind: str, smallest: Smallest) -> str:
    return f"below {smallest.size:g} {_unit(kind)}{_share(smallest.share)}"


def _size(size: float | None) -> str:
    return "more than was tried" if size is None else f"{size:g}"


def _share(share: float | None) -> str:
    return "" if share is None else f", {share:.0%} of the level"


def _unit(kind: str) -> str:
    return "samples" if FAULTS[kind].by_length else "scales"
