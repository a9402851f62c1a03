"""``anomscan.score``: the scores of one series in a data frame, so that anyone can run a benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from anomscan.config import ControlChartSettings, NearestSettings, ProfileSettings, RcfSettings
from anomscan.detectors.base import Detector
from anomscan.detectors.control_chart.detector import ControlChart
from anomscan.detectors.nearest.detector import NearestPast
from anomscan.detectors.profile.detector import MatrixProfile
from anomscan.detectors.rcf.forest import Forest
from anomscan.errors import AnomscanError, ConfigError, InputError
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.series import Floats, Instants, Series
from anomscan.telemetry.shingles import complete, shingles_at

if TYPE_CHECKING:
    import pandas as pd

_MINUTE = Cadence.parse("1min")
_START = np.datetime64("2000-01-01", "us")
#: A forest takes so many samples as one point.
_SHINGLE = 7
#: The longest warm-up of control charts.
_MOST_HISTORY = 2_016
#: The share of the rows that is trusted unless somebody says how many.
_TRUSTED = 0.1
_Settings = NearestSettings | ControlChartSettings | ProfileSettings | RcfSettings
_KINDS: dict[str, type[_Settings]] = {
    "nearest": NearestSettings,
    "control-chart": ControlChartSettings,
    "profile": ProfileSettings,
    "rcf": RcfSettings,
}


def score(
    df: pd.DataFrame | pd.Series[float], *, detector: str, train_rows: int | None = None, **settings: Any
) -> pd.Series[float]:
    """Score each row of one series; all detectors but ``profile`` by what came before it.

    Parameters
    ----------
    df
        (n, d) numbers in time order, a column each variable; NaN where one is missing. Its index may be of times a
        fixed step apart, else rows are taken as a minute apart.
    detector
        ``nearest``, ``control-chart``, ``rcf``, or ``profile``, which looks at all rows, later ones too, unless
        ``causal=True``.
    train_rows
        The first so many rows are normal, as far as is known; by default a tenth of them. ``nearest``, the causal
        ``profile`` and ``control-chart`` (at most 2,016) have no scores there; a forest is grown on their shingles, and
        has. A ``profile`` that looks at all rows makes no use of it.
    **settings
        Of the detector, as in ``[detectors.NAME]``; with ``rcf`` also ``shingle``.

    Returns
    -------
    float64 with the index of ``df``, higher is stranger; NaN where there is no score. If ``train_rows`` is given, a
    row's score is the same, to the bit, whatever follows it; not so with a ``profile`` that looks at all rows.

    Raises
    ------
    ConfigError
        There is no such detector, or a setting that it cannot have.
    InputError
        If the rows cannot be scored: no numbers, too few.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> wave = np.sin(np.arange(600) / 5)
    >>> wave[500] += 3
    >>> int(score(pd.DataFrame({"x": wave}), detector="nearest", train_rows=100).idxmax())
    500
    """
    import pandas as pd

    frame = df.to_frame() if isinstance(df, pd.Series) else df
    series = _series(frame)
    rows = max(int(len(series) * _TRUSTED), 1) if train_rows is None else train_rows
    if not 1 <= rows < len(series):
        raise InputError(f"train_rows = {rows} of {len(series):,} rows leaves nothing to score or to learn from")
    shingle = settings.pop("shingle", _SHINGLE) if detector == "rcf" else 1
    if detector != "rcf":
        settings.setdefault("min_history", min(rows, _MOST_HISTORY) if detector == "control-chart" else rows)
    chosen = _settings(detector, settings)
    if isinstance(chosen, RcfSettings):
        return pd.Series(_forest_scores(series, chosen, rows, shingle), index=frame.index, name="score")
    (found,) = _detector(chosen).score([series], shingle)
    if isinstance(found, AnomscanError):
        raise found
    return pd.Series(found.score, index=frame.index, name="score")


def _settings(detector: str, settings: dict[str, Any]) -> _Settings:
    if detector not in _KINDS:
        raise ConfigError(f"there is no detector '{detector}' here", hint=f"choose one of {', '.join(_KINDS)}")
    try:
        return _KINDS[detector](kind=detector, **settings)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"detector '{detector}' cannot have these settings: {name}: {first['msg']}") from None


def _detector(settings: NearestSettings | ControlChartSettings | ProfileSettings) -> Detector:
    if isinstance(settings, NearestSettings):
        return NearestPast(settings.kind, settings)
    if isinstance(settings, ProfileSettings):
        return MatrixProfile(settings.kind, settings)
    return ControlChart(settings.kind, settings.model_copy(update={"view": "own"}))


def _series(frame: pd.DataFrame) -> Series:
    try:
        values: Floats = frame.to_numpy(np.float64)
    except (TypeError, ValueError):
        raise InputError("the columns are not all numbers", hint="leave out the others") from None
    if values.ndim != 2 or not values.size:
        raise InputError("there is nothing to score", hint="a data frame has rows, and a column for each variable")
    timestamps, cadence = _times(frame)
    return Series("series", cadence, tuple(map(str, frame.columns)), timestamps, values)


def _times(frame: pd.DataFrame) -> tuple[Instants, Cadence]:
    """The times of the index where they are a fixed step apart, else minutes."""
    import pandas as pd

    if isinstance(frame.index, pd.DatetimeIndex) and len(frame) > 1:
        index = frame.index if frame.index.tz is None else frame.index.tz_convert("UTC").tz_localize(None)
        at = index.to_numpy().astype("datetime64[us]")
        steps = np.diff(at.astype(np.int64))
        if steps[0] >= 1_000_000 and steps[0] % 1_000_000 == 0 and (steps == steps[0]).all():
            days, rest = divmod(int(steps[0]), 86_400_000_000)
            return at, Cadence.parse(f"{days}D" if not rest else f"{int(steps[0]) // 1_000_000}s")
    return _START + np.arange(len(frame)) * _MINUTE.step, _MINUTE


def _forest_scores(series: Series, settings: RcfSettings, train_rows: int, shingle: int) -> Floats:
    """(n,) float64 of a forest grown on the shingles of the first rows."""
    if not 1 <= shingle <= train_rows:
        raise ConfigError(
            f"no shingle of {shingle} rows lies in {train_rows} training rows", hint="choose a shorter one"
        )
    whole = np.flatnonzero(complete(series.values, shingle))
    first = whole[whole < train_rows]
    if not len(first):
        raise InputError("the training rows hold no shingle without a gap", hint="choose more of them")
    forest = Forest.fit(
        shingles_at(series.values, first, shingle),
        trees=settings.trees,
        sample_size=settings.sample_size,
        seed=settings.seed,
        sampling=settings.sampling,
    )
    scores = np.full(len(series), np.nan)
    scores[whole] = forest.score(shingles_at(series.values, whole, shingle))
    return scores
