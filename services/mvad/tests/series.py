"""Small made-up telemetry: three waves that move together, one minute apart."""

import csv
import io
import math
import random
import zipfile
from datetime import UTC, datetime, timedelta

START = datetime(2024, 1, 1, tzinfo=UTC)
NAMES = ("flow", "heat", "load")


def rows(count: int = 600, spikes: tuple[int, ...] = ()) -> list[tuple[str, list[float]]]:
    noise = random.Random(7)
    made = []
    for i in range(count):
        phase = math.sin(i / 9)
        values = [10 + 3 * phase, 50 - 8 * phase, 5 + math.cos(i / 9)]
        values = [round(v + noise.gauss(0, 0.15), 4) for v in values]
        if i in spikes:
            values = [v * 3 + 40 for v in values]
        made.append((stamp(i), values))
    return made


def stamp(minute: int) -> str:
    return (START + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")


def one_table(data: list[tuple[str, list[float]]], names: tuple[str, ...] = NAMES) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["timestamp", *names])
    writer.writerows([moment, *values] for moment, values in data)
    return out.getvalue()


def files(data: list[tuple[str, list[float]]], names: tuple[str, ...] = NAMES) -> dict[str, str]:
    return {
        f"{name}.csv": "timestamp,value\n" + "".join(f"{moment},{values[i]}\n" for moment, values in data)
        for i, name in enumerate(names)
    }


def packed(members: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()
