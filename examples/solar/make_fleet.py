"""Make up a fleet of solar plants with known faults: three years of daily performance ratios.

Usage: make_fleet.py [FOLDER]. The folder gets telemetry.csv, assets.csv (who is in which region) and faults.csv
(what is wrong with whom, and when).
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import numpy as np

FIRST, DAYS = date(2022, 1, 1), 1096
REGIONS = {"alps": 20, "coast": 25, "plain": 15}
SEED = 20


def weather(rng: np.random.Generator) -> np.ndarray:
    """A region's common ups and downs, each day much like the one before."""
    shocks = rng.normal(0, 0.018, DAYS)
    for day in range(1, DAYS):
        shocks[day] += 0.6 * shocks[day - 1]
    return shocks


def plant(rng: np.random.Generator, common: np.ndarray) -> np.ndarray:
    """A healthy plant: its level, its season, slow wear, its region's weather and noise of its own."""
    day = np.arange(DAYS)
    season = rng.uniform(0.02, 0.05) * np.cos(2 * np.pi * (day - rng.normal(15, 6)) / 365.25)
    level = rng.uniform(0.76, 0.86) - rng.uniform(0.003, 0.007) * day / 365
    return level + season + rng.uniform(0.8, 1.2) * common + rng.normal(0, rng.uniform(0.008, 0.014), DAYS)


def curtailed(ratio: np.ndarray, rng: np.random.Generator) -> None:
    """The grid takes no more than a part at noon."""
    ratio[:] = np.minimum(ratio, rng.uniform(0.68, 0.72))


def hedge_grows(ratio: np.ndarray, rng: np.random.Generator) -> None:
    """Shade, a little more of it every day."""
    ratio *= 1 - np.linspace(0, 0.14, len(ratio))


def trips(ratio: np.ndarray, rng: np.random.Generator) -> None:
    """An inverter that stops on hot days, and comes back."""
    ratio[rng.random(len(ratio)) < 0.3] *= rng.uniform(0.5, 0.7)


def meter_scaled(ratio: np.ndarray, rng: np.random.Generator) -> None:
    """A new meter with a wrong factor."""
    ratio *= 1.09


def roof_works(ratio: np.ndarray, rng: np.random.Generator) -> None:
    """Covered panels, fewer of them every day."""
    ratio *= np.linspace(0.1, 0.9, len(ratio))


def logger_repeats(ratio: np.ndarray, rng: np.random.Generator) -> None:
    """The last good value, again and again."""
    ratio[:] = ratio[0]


def strings_lost(ratio: np.ndarray, rng: np.random.Generator) -> None:
    """Two strings of twenty."""
    ratio *= 0.9


def modem_dead(ratio: np.ndarray, rng: np.random.Generator) -> None:
    """Nothing comes."""
    ratio[:] = np.nan


#: What happens, for how many days; 0 for good.
FAULTS = (
    (curtailed, 40),
    (hedge_grows, 150),
    (trips, 25),
    (meter_scaled, 0),
    (roof_works, 9),
    (logger_repeats, 12),
    (strings_lost, 45),
    (modem_dead, 0),
)


def main() -> None:
    """Write the fleet."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    names, regions, ratios = [], [], []
    for region, plants in REGIONS.items():
        common = weather(rng)
        snowfall = int(rng.integers(740, 780))
        common[snowfall : snowfall + 4] -= 0.35
        for number in range(1, plants + 1):
            names.append(f"{region}-{number:02d}")
            regions.append(region)
            ratios.append(plant(rng, common))
    faults = []
    struck = rng.choice(len(names), 2 * len(FAULTS), replace=False)
    for place, (fault, days) in zip(struck, 2 * FAULTS, strict=True):
        start = int(rng.integers(800, 1040))
        stop = min(start + days, DAYS) if days else DAYS
        fault(ratios[place][start:stop], rng)
        faults.append((names[place], fault.__name__, start, stop - 1))

    def day(number: int) -> str:
        return str(FIRST + timedelta(days=number))

    def write(name: str, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(header)
            out.writerows(rows)

    write("assets.csv", ("asset", "region"), zip(names, regions, strict=True))
    write(
        "telemetry.csv",
        ("asset", "date", "ratio"),
        (
            (name, day(number), f"{max(value, 0):.4f}")
            for name, ratio in zip(names, ratios, strict=True)
            for number, value in enumerate(ratio.tolist())
            if np.isfinite(value)
        ),
    )
    write(
        "faults.csv",
        ("asset", "fault", "first_day", "last_day"),
        ((name, fault, day(start), day(stop)) for name, fault, start, stop in sorted(faults)),
    )


if __name__ == "__main__":
    main()
