"""The how-to pages on fleets: their settings and commands, run on a fleet of that kind."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from servers.mariadb import MariaDb

PAGES = Path(__file__).parents[1] / "docs" / "how-to"


def blocks(page: str, language: str) -> list[str]:
    text = (PAGES / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def followed(page: str, anomscan: Path, folder: Path, *, url: str = "", silent: bool = False) -> str:
    """What the commands of a page say, in a folder that has its settings and its data.

    Parameters
    ----------
    url
        Of the server that takes the place of the page's.
    silent
        Whether what ``--fail-on silent`` waits for is there.
    """
    (settings,) = blocks(page, "toml")
    (folder / "anomscan.toml").write_text(re.sub(r"mysql://\S+(?=\")", url, settings), "utf-8")
    environment = {**os.environ, "PATH": f"{anomscan.parent}:{os.environ['PATH']}"}
    said, exported = "", ""
    for command in "".join(blocks(page, "sh")).splitlines():
        if command.startswith("export "):
            exported += f"{command}\n"
            continue
        done = subprocess.run(
            ["/bin/sh", "-c", exported + command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == (3 if silent and "--fail-on" in command else 0), (command, done.stderr)
        said += done.stdout + done.stderr
    return said


def incidents(folder: Path) -> dict[str, list[str]]:
    """The kinds of incidents of each asset that has any."""
    records = map(json.loads, (folder / "results.jsonl").read_text("utf-8").splitlines())
    return {each["asset"]: [one["kind"] for one in each["incidents"]] for each in records if each["incidents"]}


@pytest.mark.servers
def test_solar_plants_in_mysql(anomscan: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    days = pd.date_range(end=pd.Timestamp.now("UTC").date(), periods=400).date  # night wants them new
    weather = 0.8 + random.normal(0, 0.03, 400)
    with MariaDb() as server:
        server.run(
            "CREATE DATABASE fleet",
            "CREATE TABLE fleet.performance (asset_id VARCHAR(9), date DATE, prt7 DOUBLE, health_status VARCHAR(9))",
            "CREATE TABLE fleet.plants (asset_id VARCHAR(9), region VARCHAR(9), name VARCHAR(9), kwp DOUBLE)",
            "CREATE USER 'reader'@'%' IDENTIFIED BY 's3cret'",
            "GRANT SELECT ON fleet.* TO 'reader'@'%'",
        )
        with server.connect("fleet") as connection, connection.cursor() as cursor:
            for plant in range(6):
                ratios = weather + random.normal(0, 0.008, 400)
                ratios[370:] *= 0.85 if plant == 2 else 1
                rows = [(f"P{plant}", day, ratio, "Ok") for day, ratio in zip(days, ratios.tolist(), strict=True)]
                cursor.executemany("INSERT INTO performance VALUES (%s, %s, %s, %s)", rows)
                cursor.execute("INSERT INTO plants VALUES (%s, 'north', %s, 9.5)", (f"P{plant}", f"Site {plant}"))
            connection.commit()
        said = followed("solar.md", anomscan, tmp_path, url=server.url("fleet", user="reader"))
    assert re.search(r"P2 .*dropped .*-15 %", said)


@pytest.mark.slow
def test_wind_turbines(anomscan: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    when = pd.date_range("2024-03-01", periods=35 * 144, freq="10min")
    wind = 8 + 4 * np.sin(np.arange(len(when)) / 90) + random.normal(0, 0.5, len(when))
    farm = []
    for turbine in range(5):
        speed = (wind + random.normal(0, 0.2, len(when))).clip(0)
        rotor, oil = (4 + speed).clip(0, 16), 45 + speed + random.normal(0, 0.5, len(when))
        if turbine == 3:
            oil[-200:] += 15
        values = {
            "wind_speed": speed,
            "power": (10 * speed**2).clip(0, 2000),
            "rotor_speed": rotor,
            "gear_oil_temp": oil,
        }
        farm.append(pd.DataFrame({"turbine": f"WT{turbine}", "time": when, **values}))
    pd.concat(farm).to_csv(tmp_path / "scada.csv", index=False, float_format="%.3f")
    said = followed("wind.md", anomscan, tmp_path)
    assert "10min" in said
    records = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text("utf-8").splitlines()]
    worst = max((one for each in records for one in each["incidents"]), key=lambda one: one["peak"]["score"])
    assert worst in next(each["incidents"] for each in records if each["asset"] == "WT3")
    assert worst["variables"][0]["variable"] == "gear_oil_temp"


@pytest.mark.slow
def test_disks(anomscan: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    models = {f"Z{drive:03d}": "ST4000" if drive < 8 else "HGST" for drive in range(16)}
    (tmp_path / "drives.csv").write_text(
        "serial_number,model\n" + "".join(f"{drive},{model}\n" for drive, model in models.items()), "utf-8"
    )
    (tmp_path / "drive-stats").mkdir()
    for number, day in enumerate(pd.date_range("2024-01-01", periods=150).date):
        lines = ["date,serial_number,model,capacity_bytes,failure,smart_1_normalized,smart_194_raw"]
        for drive, model in models.items():
            hot = 12 if drive == "Z005" and number >= 120 else 0
            heat, rate = random.normal(30 + hot, 0.8), random.normal(110, 2)
            if drive != "Z011" or number < 140:
                lines.append(f"{day},{drive},{model},4000787030016,0,{rate:.1f},{heat:.1f}")
        (tmp_path / "drive-stats" / f"{day}.csv").write_text("\n".join(lines) + "\n", "utf-8")
    followed("disks.md", anomscan, tmp_path, silent=True)
    assert incidents(tmp_path) == {"Z005": ["raised"], "Z011": ["silent"]}
