"""One asset's chart as a file, SVG or PNG: drawn by matplotlib, without a browser."""

from __future__ import annotations

import io
import logging
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from anomscan.errors import MissingExtraError
from anomscan.incidents.words import in_words
from anomscan.reports import palette
from anomscan.reports.asset.thinning import thinned
from anomscan.reports.chartdata import MARKED_VERDICTS, ChartData, Curve, VerdictRun, instant
from anomscan.reports.curves import broken, day, days_of, drawable, within
from anomscan.reports.records import DETECT_SCHEMA
from anomscan.telemetry.series import Floats
from anomscan.wording import seen

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ImageFormat = Literal["svg", "png"]

# In pixels, of which an inch has 100.
_WIDTH, _LEFT, _RIGHT, _HEAD, _FOOT, _GAP, _SCORE, _STRIP = 1200, 64, 16, 86, 44, 26, 190, 10
_DPI = 100
# A PNG is denser, and little compressed: that would take longer than drawing it.
_PNG = {"dpi": 160, "pil_kwargs": {"compress_level": 2}}
_TITLE_CHARS, _WORDS_CHARS = 90, 150
# The stretch that is shown, at least, where a run reports a few days alone.
_YEAR = np.timedelta64(365, "D")
# More incidents than this have no lines through all panels, and more marks are drawn smaller.
_MANY = 60
# Fonts for what the default font lacks, where they are installed.
_FONTS = ("DejaVu Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "Hiragino Sans", "Yu Gothic")
_STYLE = {
    "axes.edgecolor": palette.EDGE,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 8.5,
    "grid.color": palette.GRID,
    "legend.frameon": False,
    "path.simplify_threshold": 0.3,
    "svg.fonttype": "none",
    "svg.hashsalt": "anomscan",  # the same chart gives the same bytes
    "text.color": palette.INK,
    "text.parse_math": False,
    "xtick.color": palette.GREY,
    "ytick.color": palette.GREY,
}


def check_images() -> None:
    """Find out before a long run whether charts can be drawn as files.

    Raises
    ------
    MissingExtraError
        Without matplotlib.
    """
    # It would tell of its font cache and of folders that it cannot write.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingExtraError("drawing charts as files", "charts") from None


def chart_image(data: ChartData, format_: ImageFormat) -> bytes:
    """Draw one asset.

    Parameters
    ----------
    data
        What the chart shows: a panel for each variable, or one for all of what ``detect`` found with a severity; the
        score; the severity. At least the last year before the last reported sample is drawn.
    format_
        SVG keeps texts as text. A PNG is 1920 pixels wide.

    Raises
    ------
    MissingExtraError
        Without matplotlib.
    """
    check_images()
    import matplotlib.style

    with matplotlib.style.context([{**_STYLE, "font.family": _fonts()}], after_reset=True):
        drawing = _Drawing(data)
        drawing.draw()
        file = io.BytesIO()
        metadata = {"Date": None, "Creator": "anomscan"} if format_ == "svg" else {"Software": "anomscan"}
        with warnings.catch_warnings():
            # no installed font has every character, and a box stands for those that are missing
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            options = _PNG if format_ == "png" else {"dpi": _DPI}
            drawing.figure.savefig(file, format=format_, metadata=metadata, **options)
        return file.getvalue()


class _Drawing:
    """A figure with panels one below another on a shared time axis."""

    def __init__(self, data: ChartData) -> None:
        from matplotlib.figure import Figure

        self.data = data
        self.start, self.end = _stretch(data)
        # a history judged as a whole is shown as a whole
        self.together = data.severity is not None and data.record.schema == DETECT_SCHEMA
        names = ["values"] if self.together else [_short(name, _TITLE_CHARS) for name in data.variables]
        panel = 260 if len(names) == 1 else 170 if len(names) <= 3 else 120
        panels = [(name, panel) for name in names]
        panels.append(("score" if data.score is not None and data.cutoff is None else "score and cut-off", _SCORE))
        panels += [("severity", _SCORE)] if data.severity is not None else []
        self.height = _HEAD + sum(height + _GAP for _, height in panels) + _FOOT + (_STRIP if data.runs else 0)
        self.figure: Figure = Figure(figsize=(_WIDTH / _DPI, self.height / _DPI), facecolor="white")
        self.axes = [*self._panels(panels)]
        self.values = self.axes[: len(names)]
        self.score = self.axes[len(names)]

    def draw(self) -> None:
        """Draw everything."""
        data = self.data
        for axes in self.values:
            self._shade(axes, data.record.spans)
        self._shade(self.score, data.record.spans)
        if self.together:
            self._all_values(self.values[0])
        else:
            for axes, variable in zip(self.values, data.variables, strict=True):
                self._variable(axes, variable)
        self._scores()
        self._incidents()
        if data.runs:
            self._strip()
        self._words()

    def _panels(self, panels: Iterable[tuple[str, int]]) -> Iterator[Axes]:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        below = _HEAD
        first = None
        for name, height in panels:
            below += _GAP + height
            width = (_WIDTH - _LEFT - _RIGHT) / _WIDTH
            place = (_LEFT / _WIDTH, 1 - below / self.height, width, height / self.height)
            axes = self.figure.add_axes(place, sharex=first)
            axes.text(0, 1 + 5 / height, name, transform=axes.transAxes, fontsize=9, fontweight="bold")
            axes.xaxis.set_visible(False)
            first = first or axes
            yield axes
        axes.xaxis.set_visible(True)
        axes.tick_params(axis="x", pad=_STRIP + 4 if self.data.runs else 4)
        locator = AutoDateLocator(minticks=4, maxticks=12, tz="UTC")  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(
            ConciseDateFormatter(locator, tz="UTC")  # type: ignore[no-untyped-call]
        )
        axes.set_xlim(self.start, self.end)

    def _line(self, axes: Axes, curve: Curve, label: str = "", **options: Any) -> None:
        x, y = within(curve, self.start, self.end)
        axes.plot(x, y, label=label or "_", **options)

    def _variable(self, axes: Axes, variable: str) -> None:
        """Values, what was expected of them, and those that are anomalous."""
        data = self.data
        if variable in data.normal:
            normal = data.normal[variable]
            low, high = (within(curve, self.start, self.end) for curve in (normal.low, normal.high))
            if low[0].shape == high[0].shape and (low[0] == high[0]).all():
                axes.fill_between(low[0], low[1], high[1], color=palette.GREEN, alpha=0.2, lw=0, label="band")
            if normal.median is not None:
                self._line(axes, normal.median, "cohort median", color=palette.PURPLE, lw=0.8, ls=":")
            self._line(axes, normal.expected, "expected", color=palette.GREEN, lw=1.0)
        if variable in data.values:
            self._line(axes, data.values[variable], "measured", color=palette.BLUE, lw=1.1)
        self._marks(axes, [anomaly.values.get(variable, math.nan) for anomaly in data.record.anomalies])

    def _all_values(self, axes: Axes) -> None:
        """All variables; where a sample is anomalous, the values of those that contributed most."""
        for place, (name, curve) in enumerate(self.data.values.items()):
            color = palette.VARIABLES[place % len(palette.VARIABLES)]
            # More than there are colours could not be told apart, and would not fit above the panels.
            label = _short(name, 40) if len(self.data.values) <= len(palette.VARIABLES) else ""
            self._line(axes, curve, label, color=color, lw=1.1)
        for rank, grey in enumerate(palette.CONTRIBUTORS):
            named = [each for each in self.data.record.anomalies if len(each.contributions) > rank]
            x = np.array([day(instant(each.timestamp)) for each in named])
            y = np.array([each.values.get(each.contributions[rank][0], math.nan) for each in named], float)
            kept = _some(y)
            if named:
                axes.plot(x[kept], y[kept], ".", color=grey, ms=6, label=f"top {rank + 1} contributor")

    def _scores(self) -> None:
        data, axes = self.data, self.score
        self._spans(axes, data.hardly_watched, color=palette.YELLOW, alpha=0.35, label="hardly watched")
        if data.score is not None:
            self._line(axes, data.score, "score", color=palette.INK, lw=0.9)
        if data.cutoff is not None:
            self._line(axes, data.cutoff, "cut-off", color=palette.GREY, lw=1.1, ls="--", drawstyle="steps-post")
        if data.score is None:
            cutoffs = [anomaly.cutoff for anomaly in data.record.anomalies]
            self._marks(axes, cutoffs, "cut-off", color=palette.GREY, marker="_")
        self._marks(axes, [anomaly.score for anomaly in data.record.anomalies], "anomalous")
        if data.severity is not None:
            self._line(self.axes[-1], data.severity, color=palette.INK, lw=0.9)

    def _marks(
        self, axes: Axes, y: Sequence[float], label: str = "_", color: str = palette.VERMILLION, marker: str = "o"
    ) -> None:
        anomalies = self.data.record.anomalies
        x = np.array([day(instant(anomaly.timestamp)) for anomaly in anomalies])
        inside = np.flatnonzero((x >= self.start) & (x <= self.end))
        level = drawable(np.array(y, float)[inside])
        kept = _some(level)
        inside, level = inside[kept], level[kept]
        size = 5 if len(anomalies) <= _MANY else 3
        style: dict[str, Any] = {"ls": "none", "color": color, "marker": marker, "ms": size, "zorder": 3}
        if marker == "o":
            style |= {"mec": "white", "mew": 0.5}
        if len(inside):
            axes.plot(x[inside], level, label=label, **style)

    def _shade(self, axes: Axes, spans: Sequence[tuple[str, str]]) -> None:
        runs = [VerdictRun(instant(start), instant(end)) for start, end in spans]
        self._spans(axes, runs, color=palette.VERMILLION, alpha=0.16, label="span")

    def _spans(
        self, axes: Axes, runs: Sequence[VerdictRun], *, height: tuple[float, float] = (0, 1), **style: Any
    ) -> None:
        """Stretches, half a step beyond their samples; ``height`` is bottom and height as shares of the panel."""
        step = self.data.step / np.timedelta64(1, "D")
        ranges = [(day(run.start) - step / 2, day(run.end) - day(run.start) + step) for run in runs]
        ends = [(max(start, self.start), min(start + width, self.end)) for start, width in ranges]
        shown = [(start, end - start) for start, end in self._joined([each for each in ends if each[1] > each[0]])]
        if shown:
            axes.broken_barh(shown, height, transform=axes.get_xaxis_transform(), lw=0.6, **style)

    def _joined(self, ends: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
        """Stretches, those as one that less than a quarter of a pixel parts."""
        nearer = (self.end - self.start) / _WIDTH / 4
        joined: list[tuple[float, float]] = []
        for start, end in sorted(ends):
            if joined and start - joined[-1][1] < nearer:
                joined[-1] = joined[-1][0], max(end, joined[-1][1])
            else:
                joined.append((start, end))
        return joined

    def _incidents(self) -> None:
        """A bar for each on top, and lines through all panels at its onset and its last sample."""
        incidents = self.data.record.incidents
        if not incidents:
            return
        ends = np.array([[day(instant(each.since)), day(instant(each.last))] for each in incidents])
        ends = ends[(ends[:, 0] <= self.end) & (ends[:, 1] >= self.start)].clip(self.start, self.end)
        top = self.axes[0]
        across = top.get_xaxis_transform()
        height = 1 + 21 / (top.get_position().height * self.height)
        bar: dict[str, Any] = {"lw": 3, "marker": "|", "ms": 7, "solid_capstyle": "butt", "clip_on": False}
        top.plot(*broken(ends, height, height), color=palette.INK, transform=across, **bar)
        for axes in self.axes if len(ends) <= _MANY else ():
            across = axes.get_xaxis_transform()
            for place, dash in ((0, "-"), (1, ":")):
                line = broken(ends[:, [place, place]], 0, 1)
                axes.plot(*line, color=palette.INK, lw=0.7, ls=dash, transform=across)

    def _strip(self) -> None:
        """The verdicts of days without a score of their own, under the lowest panel."""
        lowest = self.axes[-1]
        deep = _STRIP / (lowest.get_position().height * self.height)
        for verdict in MARKED_VERDICTS:
            style = {"color": palette.VERDICTS[verdict], "label": verdict, "clip_on": False}
            self._spans(lowest, self.data.runs.get(verdict, []), height=(-deep, deep), **style)

    def _words(self) -> None:
        """The asset, its newest incident, and what the colours mean."""
        record = self.data.record
        put: dict[str, Any] = {"ha": "left", "va": "baseline", "x": 12 / _WIDTH}
        title = f"{_short(record.asset, _TITLE_CHARS)} · {_short(record.detector, 40)}"
        self.figure.text(**put, y=1 - 24 / self.height, s=title, fontsize=12, fontweight="bold")
        if record.incidents:
            newest = max(record.incidents, key=lambda each: (each.open, each.last))
            self.figure.text(**put, y=1 - 44 / self.height, s=_short(in_words(newest), _WORDS_CHARS))
        known: dict[str, Any] = {}
        for axes in self.figure.axes:
            handles, labels = axes.get_legend_handles_labels()
            known = {**dict(zip(labels, handles, strict=True)), **known}
        options: dict[str, Any] = {"loc": "upper left", "ncols": max(len(known), 1)}
        self.figure.legend([*known.values()], [*known], bbox_to_anchor=(8 / _WIDTH, 1 - 52 / self.height), **options)


def _stretch(data: ChartData) -> tuple[float, float]:
    """The days that are drawn, since 1970: what was reported, and at least a year where there is so much."""
    ends = [at for curve in (*data.values.values(), *filter(None, [data.score])) for at in days_of(curve)[[0, -1]]]
    if data.window is None:
        return (float(min(ends)), float(max(ends)) + 1e-3) if ends else (0.0, 1.0)
    start, end = data.window
    year = day(end - _YEAR)
    return min(day(start), max(year, min(ends, default=year))), day(end)


def _some(y: Floats) -> NDArray[np.int64]:
    """Which of very many marks are drawn: all that stand out."""
    return thinned(y, slice(0), np.zeros(len(y), bool))


def _short(text: str, most: int) -> str:
    """Text on one line that is valid in XML."""
    plain = seen(text).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def _fonts() -> list[str]:
    from matplotlib.font_manager import get_font_names

    installed = set(get_font_names())
    return [name for name in _FONTS if name in installed]
