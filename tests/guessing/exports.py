"""Tables as spreadsheets, loggers, historians and portals export them, and what is to be guessed of each."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True)
class Export:
    """A table, and what is right of it: facts of the guess, or the option that must be asked for."""

    name: str
    text: str
    right: dict[str, Any] | str
    suffix: str = ".csv"
    encoding: str = "utf-8"


def moments(n: int = 120, step: timedelta = timedelta(days=1), start: str = "2024-01-01") -> list[datetime]:
    return [datetime.fromisoformat(start) + k * step for k in range(n)]


TEN, HOUR = timedelta(minutes=10), timedelta(hours=1)


def value(random_: random.Random, t: int, level: float = 0.8, swing: float = 0.05) -> float:
    return round(level + swing * math.sin(t / 9) + random_.gauss(0, swing / 5), 4)


def long(
    ids: list[str],
    when: list[datetime],
    write: Callable[[str, datetime, list[float]], str],
    header: str,
    variables: int = 1,
) -> str:
    """A long table: a line for each asset and time."""
    r = random.Random(7)
    rows = [
        write(asset, moment, [value(r, t, 0.8 * 10**k) for k in range(variables)])
        for asset in ids
        for t, moment in enumerate(when)
    ]
    return "\n".join([header, *rows]) + "\n"


def across(
    names: list[str], when: list[datetime], header: str, stamp: str, sep: str = ",", levels: list[float] | None = None
) -> str:
    """A table with a column for each name."""
    r = random.Random(8)
    levels = levels or [0.8] * len(names)
    rows = [
        sep.join([moment.strftime(stamp), *(str(value(r, t, level, level / 20)) for level in levels)])
        for t, moment in enumerate(when)
    ]
    return "\n".join([header, *rows]) + "\n"


def comma(text: str) -> str:
    return text.replace(".", ",")


SITES = [f"S{n:03d}" for n in range(1, 7)]
DAYS, TENS, HOURS = moments(), moments(400, TEN), moments(300, HOUR)


def exports() -> Iterator[Export]:
    yield from daily_exports()
    yield from logger_exports()
    yield from wide_exports()
    yield from historian_exports()
    yield from doubtful_exports()


def daily_exports() -> Iterator[Export]:
    one = {"layout": "long", "cadence": "1D", "zone": None}
    fleet = one | {"asset": "asset_id", "timestamp": "date", "values": ("prt7",), "assets": 6}
    yield Export(
        "the notebook's table",
        long(SITES, DAYS, lambda a, d, v: f"{a},{d:%Y-%m-%d},{v[0]},Ok", "asset_id,date,prt7,health_status"),
        fleet | {"health": "health_status", "detector": "control-chart"},
    )
    yield Export(
        "German Excel",
        long(SITES, DAYS, lambda a, d, v: f"{a};{d:%d.%m.%Y};{comma(str(v[0]))}", "Anlage;Datum;Ertrag [kWh/kWp]"),
        one
        | {
            "asset": "Anlage",
            "timestamp": "Datum",
            "pattern": "%d.%m.%Y",
            "values": ("Ertrag [kWh/kWp]",),
            "decimal": ",",
        },
        encoding="cp1252",
    )
    yield Export(
        "American portal",
        long(SITES, DAYS, lambda a, d, v: f'"{a}","{d:%m/%d/%Y}","{v[0]}"', '"Site","Date","Energy (kWh)"'),
        one | {"asset": "Site", "pattern": "%m/%d/%Y", "values": ("Energy (kWh)",)},
    )
    yield Export(
        "British portal with a preamble",
        "Report,Daily yield\nCreated,28/11/2024 09:00\n\n"
        + long(SITES, DAYS, lambda a, d, v: f"{a},{d:%d/%m/%Y},{v[0]}", "plant,day,yield"),
        one | {"asset": "plant", "timestamp": "day", "pattern": "%d/%m/%Y"},
    )
    yield Export(
        "month names",
        long(SITES, DAYS, lambda a, d, v: f"{a}\t{d:%d-%b-%Y}\t{v[0]}", "unit\tdate\tratio"),
        one | {"asset": "unit", "pattern": "%d-%b-%Y", "delimiter": "\t"},
    )
    yield Export(
        "compact dates",
        long(SITES, DAYS, lambda a, d, v: f"{a},{d:%Y%m%d},{v[0]}", "device_id,date,value"),
        one | {"asset": "device_id", "timestamp": "date", "pattern": "%Y%m%d", "values": ("value",)},
    )
    yield Export(
        "integer ids",
        long(["101", "102", "205", "7", "9"], DAYS, lambda a, d, v: f"{a},{d:%Y-%m-%d},{v[0]}", "site_id,date,pr"),
        one | {"asset": "site_id", "values": ("pr",), "assets": 5},
    )
    yield Export(
        "pandas with its index",
        "\n".join(
            f"{'' if n == 0 else n - 1},{line}"
            for n, line in enumerate(
                long(SITES, DAYS, lambda a, d, v: f"{a},{d:%Y-%m-%d},{v[0]}", "asset,ds,y").splitlines()
            )
        ).replace(",ds,", ",date,", 1)
        + "\n",
        one | {"asset": "asset", "values": ("y",)},
    )
    yield Export(
        "region, site and capacity beside it",
        long(
            [f"P{n:02d}" for n in range(12)],
            DAYS,
            lambda a, d, v: (
                f"{a},Site {a},{'North' if int(a[1:]) < 6 else 'South'},{5 + int(a[1:])},{d:%Y-%m-%d},{v[0]}"
            ),
            "asset_id,site_name,region,capacity,date,pr",
        ),
        one | {"asset": "asset_id", "cohort": "region", "values": ("pr",), "assets": 12},
    )
    yield Export(
        "labels and a status",
        long(
            SITES, DAYS, lambda a, d, v: f"{a},{d:%Y-%m-%d},{v[0]},0,running", "machine,date,load,is_anomaly,status"
        ).replace(",0,", ",1,", 3),
        one | {"asset": "machine", "values": ("load",), "health": "status"},
    )
    yield Export(
        "drive statistics",
        long(
            [f"ZA{n:04d}" for n in range(8)],
            DAYS,
            lambda a, d, v: f"{d:%Y-%m-%d},{a},ST4000,4000787030016,{v[0]},{v[1]},{d.toordinal() * 24}",
            "date,serial_number,model,capacity_bytes,smart_194_temperature,smart_7_rate,smart_9_power_on_hours",
            2,
        ),
        one | {"asset": "serial_number", "values": ("smart_194_temperature", "smart_7_rate"), "assets": 8},
    )
    yield Export(
        "one site, day as text of noon",
        across(["energy"], DAYS, "timestamp,energy", "%Y-%m-%dT12:00:00"),
        one | {"asset": None, "values": ("energy",), "detector": "nearest"},
    )
    yield Export(
        "one site with a constant id",
        "\n".join(
            line + (",X1" if n else ",device")
            for n, line in enumerate(across(["temp"], DAYS, "day,temp", "%Y-%m-%d").splitlines())
        )
        + "\n",
        one | {"asset": "device", "values": ("temp",), "assets": 1},
    )
    yield Export(
        "JSON lines of daily values",
        "\n".join(
            f'{{"id": "{a}", "time": "{d:%Y-%m-%d}", "ratio": {0.8 + d.day / 1000 + len(a) / 100}}}'
            for a in SITES
            for d in DAYS
        ),
        one | {"asset": "id", "values": ("ratio",)},
        suffix=".jsonl",
    )
    yield Export(
        "a JSON document of a service",
        '{"data": ['
        + ", ".join(
            f'{{"device": "{a}", "time": "{d:%Y-%m-%dT%H:%M:%SZ}", "value": {d.hour / 9:.3f}}}'
            for a in SITES
            for d in HOURS
        )
        + "]}",
        {"asset": "device", "cadence": "1h", "assets": 6},
        suffix=".json",
    )


def logger_exports() -> Iterator[Export]:
    ten = {"layout": "long", "cadence": "10min"}
    scada = (
        "Timestamp,Wind speed (m/s),Power (kW),Rotor speed (RPM),Nacelle temperature (°C),Yaw (°),Pitch angle (°),"
        "Grid voltage (V)"
    )
    names = scada.split(",")[1:]
    levels = [8.0, 900.0, 12.0, 25.0, 180.0, 4.0, 400.0]
    yield Export(
        "SCADA of one turbine",
        across(names, TENS, scada, "%Y-%m-%d %H:%M:%S", levels=levels),
        ten | {"asset": None, "values": tuple(names), "zone": "UTC", "detector": "nearest"},
    )
    yield Export(
        "SCADA of a farm",
        long(
            ["R80711", "R80721", "R80736", "R80790"],
            TENS,
            lambda a, d, v: f"{a};{d:%Y-%m-%dT%H:%M:%S}+01:00;{v[0]};{v[1]}",
            "Wind_turbine_name;Date_time;P_avg;Ot_avg",
            2,
        ),
        ten
        | {
            "asset": "Wind_turbine_name",
            "timestamp": "Date_time",
            "values": ("P_avg", "Ot_avg"),
            "zone": None,
            "assets": 4,
        },
    )
    yield Export(
        "logger with units and comments",
        "# logger 7\n# site Alpha\n"
        + across(["temp", "hum"], TENS, "time,temp,humidity\n[],[degC],[%]", "%d.%m.%Y %H:%M", levels=[20.0, 55.0]),
        ten | {"timestamp": "time", "values": ("temp", "humidity"), "pattern": "%d.%m.%Y %H:%M"},
    )
    yield Export(
        "twelve-hour clock",
        across(["Power (W)"], HOURS, "Date/Time,Power (W)", "%m/%d/%Y %I:%M %p"),
        {"cadence": "1h", "pattern": "%m/%d/%Y %I:%M %p", "values": ("Power (W)",)},
    )
    yield Export(
        "epoch seconds",
        "\n".join(
            [
                "ts,temperature",
                *(f"{1_700_000_000 + 600 * t},{20 + math.sin(t / 9) + t % 7 / 50:.3f}" for t in range(400)),
            ]
        )
        + "\n",
        ten | {"timestamp": "ts", "pattern": "unix", "zone": None},
    )
    yield Export(
        "epoch milliseconds of devices",
        "\n".join(
            [
                "device,timestamp,value",
                *(f"d{a},{1_700_000_400_000 + 60_000 * t},{a + t % 11 / 9:.3f}" for a in range(5) for t in range(200)),
            ]
        )
        + "\n",
        {"cadence": "1min", "asset": "device", "pattern": "unix-ms", "assets": 5},
    )
    yield Export(
        "with Z",
        long(SITES, HOURS, lambda a, d, v: f"{a},{d:%Y-%m-%dT%H:%M:%SZ},{v[0]}", "sensor,time,value"),
        {"asset": "sensor", "cadence": "1h", "zone": None, "pattern": None},
    )
    yield Export(
        "UTC by its name",
        across(["GHI"], HOURS, "time (UTC),GHI [W/m²]", "%Y-%m-%d %H:%M"),
        {"cadence": "1h", "zone": "UTC", "values": ("GHI [W/m²]",)},
    )
    yield Export(
        "clocks that are off",
        "\n".join(
            [
                "time,level",
                *(
                    f"{d + timedelta(seconds=k * 37 % 5):%Y-%m-%d %H:%M:%S},{2 + k % 13 / 50}"
                    for k, d in enumerate(TENS)
                ),
            ]
        )
        + "\n",
        ten | {"tolerance_s": 4},
    )
    yield Export(
        "no value is -9999",
        "\n".join(
            [
                "time,wind speed",
                *(f"{d:%Y-%m-%d %H:%M},{-9999 if k % 50 == 9 else 8 + k % 7 / 9:.3f}" for k, d in enumerate(HOURS)),
            ]
        )
        + "\n",
        {"cadence": "1h", "missing": ("-9999",)},
    )
    yield Export(
        "zone's own fixed offset",
        across(["flow"], HOURS, "time (UTC+1);flow [l/min]", "%d.%m.%Y %H:%M", sep=";"),
        {"zone": "Etc/GMT-1", "cadence": "1h"},
    )
    yield Export(
        "Latin letters and thousands",
        "\n".join(
            [
                "Zeit;Zähler;Leistung [W]",
                *(
                    f"{d:%d.%m.%Y %H:%M};Zähler {a};{a}.{100 + k * 37 % 700},{k % 10}"
                    for a in (1, 2, 3, 4)
                    for k, d in enumerate(HOURS)
                ),
            ]
        )
        + "\n",
        {"asset": "Zähler", "cadence": "1h", "decimal": ",", "assets": 4},
        encoding="cp1252",
    )


def wide_exports() -> Iterator[Export]:
    wide = {"layout": "wide", "cadence": "1D"}
    yield Export(
        "sites across",
        across(SITES, DAYS, "date," + ",".join(SITES), "%Y-%m-%d"),
        wide | {"values": tuple(SITES), "assets": 6, "detector": "control-chart"},
    )
    inverters = [f"Inverter {n}" for n in range(1, 11)]
    yield Export(
        "inverters across, with a total",
        across([*inverters, "Total"], DAYS, "Date;" + ";".join([*inverters, "Total"]), "%d.%m.%Y", sep=";")
        .replace(".", ",")
        .replace(",2024", ".2024"),
        "--timestamp-format",
    )
    yield Export(
        "inverters across, semicolons",
        across([*inverters, "Total"], DAYS, "Date;" + ";".join([*inverters, "Total"]), "%d.%m.%Y", sep=";"),
        wide | {"values": tuple(inverters), "assets": 10, "pattern": "%d.%m.%Y"},
    )
    meters = ["100234", "100235", "100240", "100251"]
    yield Export(
        "meter numbers across",
        across(meters, HOURS, "time," + ",".join(meters), "%Y-%m-%d %H:%M"),
        {"layout": "wide", "cadence": "1h", "assets": 4},
    )
    turbines = [f"WTG{n:02d}_power" for n in range(1, 7)]
    yield Export(
        "one quantity of turbines across",
        across(turbines, TENS, "time," + ",".join(turbines), "%Y-%m-%d %H:%M"),
        {"layout": "wide", "assets": 6},
    )


def historian_exports() -> Iterator[Export]:
    r = random.Random(3)
    tagged = ["asset,time,tag,value"]
    for asset in ("T1", "T2", "T3", "T4"):
        for t, d in enumerate(TENS[:150]):
            tagged += [
                f"{asset},{d:%Y-%m-%d %H:%M:%S},power,{value(r, t, 900)}",
                f"{asset},{d:%Y-%m-%d %H:%M:%S},wind speed,{value(r, t, 8)}",
            ]
    yield Export(
        "tags of assets",
        "\n".join(tagged) + "\n",
        {"layout": "tags", "asset": "asset", "tag": "tag", "value": "value", "cadence": "10min", "assets": 4},
    )
    alone = ["time;parameter;value"]
    for t, d in enumerate(HOURS):
        alone += [
            f"{d:%Y-%m-%d %H:%M};temperature;{value(r, t, 20)}",
            f"{d:%Y-%m-%d %H:%M};pressure;{value(r, t, 1000)}",
        ]
    yield Export(
        "tags of one machine",
        "\n".join(alone) + "\n",
        {"layout": "tags", "asset": None, "values": ("temperature", "pressure"), "cadence": "1h"},
    )


def doubtful_exports() -> Iterator[Export]:
    names = [f"series_{k}" for k in range(5)]
    yield Export(
        "series by number", across(names, HOURS, "timestamp," + ",".join(names), "%Y-%m-%dT%H:%M:%SZ"), "--layout"
    )
    towns = ["Berlin", "Hamburg", "Munich", "Bonn", "Cologne"]
    yield Export("towns across", across(towns, DAYS, "date," + ",".join(towns), "%Y-%m-%d"), "--layout")
    yield Export("which is the month", across(["y"], DAYS[:10], "date,y", "%m/%d/%Y"), "--timestamp-format")
    yield Export("two-digit years", across(["y"], DAYS[:25], "date,y", "%y-%m-%d"), "--timestamp-format")
    berlin = [d for d in moments(24 * 60, HOUR, "2024-03-01") if not (d.month == 3 and d.day == 31 and d.hour == 2)]
    yield Export(
        "local time over the change of clocks", across(["power"], berlin, "time,power", "%Y-%m-%d %H:%M"), "--timezone"
    )
    yield Export("local midnights in UTC", across(["y"], DAYS, "date,y", "%Y-%m-%dT23:00:00Z"), "--timezone")
    yield Export(
        "no column tells assets apart",
        long(SITES, DAYS, lambda a, d, v: f"{d:%Y-%m-%d},{v[0]}", "date,value"),
        "--asset-column",
    )
    yield Export(
        "two kinds of ids",
        long(
            SITES,
            DAYS,
            lambda a, d, v: f"P{a[1:]},{a}-{'ab'[d.day % 2]},{d:%Y-%m-%d},{v[0]}",
            "plant_id,device_id,date,value",
        ),
        "--asset-column",
    )
    yield Export(
        "events",
        "\n".join(
            [
                "time,value",
                *(
                    f"2024-01-{1 + k // 24:02d} {k % 24:02d}:{k * k % 60:02d}:{k * 7 % 60:02d},{k % 9}"
                    for k in range(300)
                ),
            ]
        )
        + "\n",
        "--cadence",
    )
    yield Export(
        "thousands or not",
        "\n".join(["date;value", *(f"{d:%Y-%m-%d};{1 + k % 3}.{100 + k % 800}" for k, d in enumerate(DAYS))]) + "\n",
        "--decimal",
    )
    yield Export(
        "a counter",
        "\n".join(["date,meter reading", *(f"{d:%Y-%m-%d},{k * 3 + k % 2}" for k, d in enumerate(DAYS))]) + "\n",
        "--values",
    )
    yield Export(
        "months",
        "\n".join(["date,value", *(f"{2015 + k // 12}-{1 + k % 12:02d}-01,{k % 7}" for k in range(80))]) + "\n",
        "--cadence",
    )
    yield Export(
        "created and measured and sent",
        "\n".join(
            ["start,end,value", *(f"{d:%Y-%m-%d %H:%M},{d + HOUR:%Y-%m-%d %H:%M},{k % 7}" for k, d in enumerate(HOURS))]
        )
        + "\n",
        "--timestamp-column",
    )
    yield Export(
        "quantities of several inverters across",
        across(
            [f"INV{n} {q}" for n in (1, 2, 3) for q in ("Power", "Temperature")],
            HOURS,
            "time," + ",".join(f"INV{n} {q}" for n in (1, 2, 3) for q in ("Power", "Temperature")),
            "%Y-%m-%d %H:%M",
        ),
        "--layout",
    )
    yield Export(
        "date and time apart",
        "\n".join(["date,time,value", *(f"{d:%Y-%m-%d},{d:%H:%M},{k % 7}" for k, d in enumerate(HOURS))]) + "\n",
        "two columns",
    )
    yield Export(
        "assets down, dates across",
        "site,"
        + ",".join(f"{d:%Y-%m-%d}" for d in DAYS)
        + "\n"
        + "".join(f"{s}," + ",".join("0.8" for _ in DAYS) + "\n" for s in SITES),
        "names of the columns",
    )
    yield Export(
        "no header", "\n".join(f"{d:%Y-%m-%d},{k % 7}" for k, d in enumerate(DAYS)) + "\n", "names of the columns"
    )
