"""The numbers of the smoke run, all made up: writes telemetry.csv and scores.csv beside this file, always the same.

Each asset stands for a rule of the scan, so that a change of any rule changes the golden files. Scores are whole 64ths
and a window of 38 days holds 32 of them: mean and variance come out exact in whatever order they are summed, and the
golden files hold on every processor.
"""

import csv
import datetime as dt
import sys
from pathlib import Path

START = dt.date(2024, 1, 1)
DAYS = 90
SHINGLE = 7  # a score belongs to the last of so many days, so the first six have none

#: Recorded scores that are strange, by day counted from 0; those of quiet days are 1 to 1.25.
STRANGE = {
    "007": {},  # quiet; its id stays text
    "found": {60: 9.0, 62: 30.0},  # two bad days whose shingles overlap: one span
    "gap": {66: 9.0},  # two days are missing: what is recorded for a shingle that touches them does not count
    "late": {},  # in operation since two weeks: its window is not full
    "twice": {45: 9.0, 80: 9.0},  # two spans
    "unknown": {60: 9.0},  # on a day whose health nobody knows: not judged
}


def wave(day: int, asset: int) -> int:
    """From 0 to 100, up and down without a pattern that a week or a month would show."""
    return (day * 37 + asset * 11) % 101


def rows(asset: str, number: int) -> tuple[list[list[object]], list[list[object]]]:
    """One asset's telemetry (asset_id, date, prt7, health_status) and scores (asset, timestamp, score)."""
    telemetry: list[list[object]] = []
    scores: list[list[object]] = []
    first = DAYS - 14 if asset == "late" else 0
    for day in range(first, DAYS):
        date = START + dt.timedelta(days=day)
        strange = STRANGE[asset].get(day)
        health = "Unknown" if asset == "unknown" and strange else "OK"
        if not (asset == "gap" and day in (64, 65)):
            ratio = (4000 if strange else 9000) + 5 * wave(day, number)
            telemetry.append([asset, date, f"{ratio / 10_000:.4f}", health])
        if day >= first + SHINGLE - 1:
            scores.append([asset, date, f"{strange or 1 + wave(day, number) % 17 / 64:.6f}"])
    return telemetry, scores


def write(path: Path, header: list[str], table: list[list[object]]) -> None:
    """A CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *table])


def main(folder: Path) -> None:
    """Write both files into ``folder``."""
    made = [rows(asset, number) for number, asset in enumerate(STRANGE)]
    telemetry = [row for each, _ in made for row in each]
    scores = [row for _, each in made for row in each]
    write(folder / "telemetry.csv", ["asset_id", "date", "prt7", "health_status"], telemetry)
    write(folder / "scores.csv", ["asset", "timestamp", "score"], scores)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
