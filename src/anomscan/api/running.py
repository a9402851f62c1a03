"""Scan, detect and train for Python."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, Literal, ParamSpec

from anomscan.api.frames import Shape
from anomscan.api.result import Result
from anomscan.api.workspace import filled, temporary_folder
from anomscan.detectors.rcf.forest import Forest
from anomscan.errors import ConfigError

P = ParamSpec("P")


def scan(
    data: Any,
    *,
    detector: str = "control-chart",
    layout: Literal["long", "wide"] = "long",
    asset: str | None = "asset",
    timestamp: str | None = "timestamp",
    values: str | Sequence[str] | None = None,
    health: str | None = None,
    cohort: str | Mapping[str, str] | None = None,
    cadence: str | None = None,
    timezone: str = "UTC",
    through: str | None = None,
    model: Forest | Path | str | None = None,
    **settings: object,
) -> Result:
    """Backtest a detector over the history of a fleet: on each day only what was known by then counts.

    Parameters
    ----------
    data
        A DataFrame of pandas or polars, or a table of Arrow.
    detector
        ``control-chart``, ``nearest``, ``profile`` or ``rcf``, which is trained first. ``profile`` looks at what came
        later: it is for ``detect``, and for ``scan`` with ``causal=True``.
    layout
        ``long``: a row each sample. ``wide``: a row each time and a column each asset; the variable is ``value``.
    asset, timestamp, values, health
        Columns, or what an index of pandas is called. ``asset`` None: all rows are of one asset. ``timestamp`` None:
        the index; so, too, where that has times and no column is called ``timestamp``. ``values`` None: all other
        columns of numbers.
    cohort
        A column that says whose peers an asset has, or asset -> cohort; None for one cohort of all.
    cadence, timezone
        The step between samples, which is found out where it is None, and the zone of naive times and of days.
    through
        The last day that the forest is trained on; None for all.
    model
        A forest, or its file, instead of training one.
    settings
        Those of ``[scan]``, of ``[train]`` and of the detector, by their names in the settings file.

    Raises
    ------
    AnomscanError
        As the command line says it: a setting that is not known, a table that cannot be used.
    """
    shape = Shape(layout, asset, timestamp, values, health, cohort)
    return _judged(False, data, shape, detector, cadence, timezone, through, model, settings)


def _like(shown: Callable[P, Result]) -> Callable[[Callable[..., Result]], Callable[P, Result]]:
    """Give a function the parameters of another; it gets all of them by name, those left out by their default."""

    def dressed(function: Callable[..., Result]) -> Callable[P, Result]:
        @wraps(function)
        def called(*args: P.args, **given: P.kwargs) -> Result:
            bound = parameters.bind(*args, **given)
            bound.apply_defaults()
            return function(**bound.arguments)

        parameters = signature(shown)
        called.__signature__ = parameters  # type: ignore[attr-defined]
        return called

    return dressed


@_like(scan)
def detect(**given: Any) -> Result:
    """Score a history once, with one cut-off over all its scores; see :func:`scan` for the parameters."""
    shape = Shape(**{each.name: given.pop(each.name) for each in fields(Shape)})
    return _judged(True, shape=shape, **given)


def train(
    data: Any,
    *,
    layout: Literal["long", "wide"] = "long",
    asset: str | None = "asset",
    timestamp: str | None = "timestamp",
    values: str | Sequence[str] | None = None,
    cohort: str | Mapping[str, str] | None = None,
    cadence: str | None = None,
    timezone: str = "UTC",
    through: str | None = None,
    **settings: object,
) -> Forest:
    """Grow the forest of the detector ``rcf`` on the exemplars of a history; see :func:`scan` for the parameters.

    Returns
    -------
    For ``scan(..., detector="rcf", model=forest)``; ``forest.save`` writes the file that the command line takes as
    ``model``. It knows through which day it was trained: verdicts on days up to it are marked ``in_sample``.

    Raises
    ------
    AnomscanError
        As the command line says it: no asset is fit to learn from, a setting that is not known.
    """
    shape = Shape(layout, asset, timestamp, values, None, cohort)
    with temporary_folder() as folder:
        run = filled(folder, data, shape, "rcf", cadence, timezone, settings)
        run.train(through)
        forest = Forest.load(folder / "model.forest")
    shutil.rmtree(folder, ignore_errors=True)
    return forest


def _judged(
    whole: bool,
    data: Any,
    shape: Shape,
    detector: str,
    cadence: str | None,
    timezone: str,
    through: str | None,
    model: Forest | Path | str | None,
    settings: Mapping[str, object],
) -> Result:
    if model is not None:
        if detector != "rcf" or through is not None:
            raise ConfigError(
                "model= and through= exclude each other" if detector == "rcf" else f"'{detector}' has no model",
                hint='model= is a trained forest, for detector="rcf"',
            )
        settings = {**settings, "model": model if isinstance(model, Forest) else str(Path(model).resolve())}
    with temporary_folder() as folder:
        run = filled(folder, data, shape, detector, cadence, timezone, settings)
        if model is None:
            run.train(through)
        run.judge(whole=whole)
        return Result(folder, run.settings, run.console.warnings)
