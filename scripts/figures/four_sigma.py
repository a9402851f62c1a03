"""Draw the pictures of docs/explanation/four-sigma.md, from the made-up solar plants of examples/solar.

Usage: four_sigma.py FOLDER. Needs the extra ``charts``. The same pictures each time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

import anomscan as an

sys.path.append(str(Path(__file__).parents[2] / "examples" / "solar"))
from make_fleet import DAYS, FIRST, plant, weather

NAMES = ("hidden.png", "weather.png")
GREY, TEAL, RED = "#8a94a0", "#00796b", "#c2410c"
LEGEND = {"frameon": False, "loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 3, "borderaxespad": 0}
WHEN = pd.date_range(FIRST, periods=DAYS)
PLANTS, LEARNT = 20, "2023-06-30"
#: A week without power, and a month of low yields half a year later.
STOPPED, LOW = slice(840, 847), slice(1010, 1040)


def region() -> pd.DataFrame:
    """Plants of one region, a column each; nothing is wrong with them."""
    rng = np.random.default_rng(20)
    common = weather(rng)
    return pd.DataFrame({f"p{n:02d}": plant(rng, common) for n in range(PLANTS)}, WHEN)


def scanned(ratios: pd.DataFrame, detector: str) -> pd.DataFrame:
    """The scores of each plant: the forest's, learnt from the first half, or the control chart's against peers."""
    through = {"through": LEARNT} if detector == "rcf" else {}
    result = an.scan(ratios, layout="wide", detector=detector, cohort=dict.fromkeys(ratios, "region"), **through)
    return result.scores.set_index("timestamp")


def low(ratios: pd.DataFrame, share: float, *, stopped: bool = False) -> pd.DataFrame:
    """The same with one plant that yields less for a month, by a share, and that may have stopped before."""
    changed = ratios.copy()
    changed.iloc[LOW, 0] *= 1 - share
    if stopped:
        changed.iloc[STOPPED, 0] = 0.0
    return changed


def main(folder: Path) -> None:
    """Write the pictures."""
    mpl.rcParams |= {"font.family": "DejaVu Sans", "axes.spines.top": False}
    mpl.rcParams |= {"axes.spines.right": False, "font.size": 9, "savefig.bbox": "tight", "savefig.dpi": 120}
    healthy = region()
    hidden(folder / NAMES[0], low(healthy, 0.2), low(healthy, 0.2, stopped=True))
    clouds(folder / NAMES[1], low(healthy, 0.1))


def hidden(path: Path, alone: pd.DataFrame, both: pd.DataFrame) -> None:
    """A week without power lifts the cut-off over all that comes for a year."""
    _, (above, below) = plt.subplots(2, 1, figsize=(8, 4.2), sharex=True)
    above.plot(both["p00"], color=GREY, lw=0.8)
    above.set_ylabel("performance ratio")
    for days, text in ((STOPPED, "stopped"), (LOW, "20 % low")):
        above.annotate(text, (WHEN[days.stop], 0.55), color=RED)
        for axes in (above, below):
            axes.axvspan(WHEN[days.start], WHEN[days.stop], color=RED, alpha=0.15, lw=0)
    for ratios, color, name in ((alone, GREY, "without the stop"), (both, RED, "with it")):
        scores = scanned(ratios, "rcf").query("asset == 'p00'")
        if ratios is both:
            below.plot(scores["score"], color=TEAL, lw=0.8, label="score")
        below.plot(scores["cutoff"], color=color, lw=1.2, label=f"cut-off at four sigma, {name}")
    below.set(ylabel="score of the forest", xlim=(WHEN[700], WHEN[-1]))
    below.legend(**LEGEND)
    written(path)


def clouds(path: Path, ratios: pd.DataFrame) -> None:
    """The day's strangest plant by the forest, and by the control chart; the low plant beside the others."""
    _, rows = plt.subplots(2, 1, figsize=(8, 4.2), sharex=True)
    for axes, detector in zip(rows, ("rcf", "control-chart"), strict=True):
        scores = scanned(ratios, detector)
        strange = (scores["score"] / scores["cutoff"]).rename("share")
        drawn(axes, pd.concat([scores["asset"], strange], axis=1))
    rows[0].set_ylabel("forest: score\n/ cut-off at four sigma")
    rows[1].set(ylabel="control chart against\npeers: score / cut-off", xlim=(WHEN[700], WHEN[-1]))
    rows[0].legend(**LEGEND)
    written(path)


def drawn(axes: Axes, scores: pd.DataFrame) -> None:
    """Scores of all plants, the low one in colour."""
    others = scores[scores["asset"] != "p00"].groupby(level=0)["share"].max()
    axes.plot(others, color=GREY, lw=0.7, label="the highest of the healthy plants")
    axes.plot(scores[scores["asset"] == "p00"]["share"], color=RED, lw=1, label="the plant that is low")
    axes.axhline(1, color="black", lw=0.8, ls="--", label="cut-off")
    axes.axvspan(WHEN[LOW.start], WHEN[LOW.stop], color=RED, alpha=0.15, lw=0)


def written(path: Path) -> None:
    """Write the picture that is open."""
    plt.savefig(path)
    plt.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
