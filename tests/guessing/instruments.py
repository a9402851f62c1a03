"""Tables as instruments, services, databases and scripts write them, and what is to be guessed of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from guessing.exports import DAYS, HOUR, HOURS, SITES, TENS, Export, across, comma, moments
from guessing.portals import fleet, lines

_ONE = {"layout": "long", "asset": None, "assets": 1, "cadence": "1h"}


def instruments() -> Iterator[Export]:
    yield from clocks()
    yield from parts_of_days()
    yield from columns_called_alike()
    yield from heads()
    yield from entities()
    yield from sentinels()
    yield from databases()


def clocks() -> Iterator[Export]:
    """Times, and what is asked of them."""
    right = _ONE | {"values": ("power",)}
    for pattern in ("%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M", "%Y%m%d%H", "%Y/%m/%d %H:%M", "%d.%m.%Y, %H:%M", "%Y-%m-%d_%H:%M"):
        text = lines("time,power", HOURS, lambda d, v, form=pattern: f'"{d.strftime(form)}",{v[0]}')  # type: ignore[misc]
        yield Export(f"times as {pattern}", text, right | {"pattern": pattern})
    for name, pattern in (
        ("the hour alone", "%Y-%m-%d %H"),
        ("a weekday before the date", "%a %d %b %Y %H:%M"),
        ("times of mail", "%a, %d %b %Y %H:%M:%S +0000"),
        ("times of a web server", "%d/%b/%Y:%H:%M:%S +0000"),
        ("times of C", "%a %b %d %H:%M:%S %Y"),
        ("a zone in brackets", "%Y-%m-%dT%H:%M:%S+00:00[UTC]"),
        ("dots in the time of day", "%d.%m.%Y %H.%M.%S"),
        ("years of two digits without signs", "%y%m%d%H%M"),
    ):
        text = lines("time,power", HOURS, lambda d, v, form=pattern: f'"{d.strftime(form)}",{v[0]}')  # type: ignore[misc]
        yield Export(name, text, "--timestamp-format")
    start = datetime(1, 1, 1)
    yield Export(
        "days since the year 0",
        lines("time,power", HOURS, lambda d, v: f"{(d - start) / timedelta(days=1) + 367:.6f},{v[0]}"),
        "--timestamp-format",
    )
    yield Export(
        "seconds since the start",
        lines("time,power", HOURS, lambda d, v: f"{(d - HOURS[0]).total_seconds():.0f},{v[0]}"),
        "--timestamp-format",
    )
    yield Export(
        "24:00",
        lines(
            "time,power",
            HOURS,
            lambda d, v: f"{d:%Y-%m-%d} 24:00,{v[0]}" if d.hour == 23 else f"{d + HOUR:%Y-%m-%d %H:%M},{v[0]}",
        ),
        "--timestamp-format",
    )
    yield Export(
        "intervals",
        lines("MTU (CET/CEST),load [MW]", HOURS, lambda d, v: f"{d:%d.%m.%Y %H:%M} - {d + HOUR:%d.%m.%Y %H:%M},{v[0]}"),
        "--timestamp-column",
    )
    yield Export(
        "Japanese dates",
        lines("日付,値", DAYS, lambda d, v: f"{d.year}年{d.month}月{d.day}日,{v[0]}"),
        "--timestamp-column",
    )
    yield Export(
        "weeks by their first day", lines("week,y", moments(100, 7 * timedelta(days=1)), _daily), {"cadence": "7D"}
    )


def _daily(day: datetime, values: list[float]) -> str:
    return f"{day:%Y-%m-%d},{values[0]}"


def parts_of_days() -> Iterator[Export]:
    """A row each day, with a column for each part of it."""
    for name, columns in (
        ("hours by letter", [f"H{k:02d}" for k in range(1, 25)]),
        ("hours by number", [str(k) for k in range(24)]),
        ("hours by their end", [f"HE{k}" for k in range(1, 25)]),
        ("half hours", [f"HH{k:02d}" for k in range(1, 49)]),
        ("quarters of hours", [f"{k // 4:02d}:{k % 4 * 15:02d}" for k in range(96)]),
        ("hours from and to", [f"{k:02d}:00-{k + 1:02d}:00" for k in range(24)]),
        ("German hours", [f"Stunde {k}" for k in range(1, 25)]),
    ):
        text = across(columns, DAYS, "date," + ",".join(columns), "%Y-%m-%d")
        yield Export(f"across: {name}", text, "--layout")
    hours = [f"H{k:02d}" for k in range(1, 25)]
    cells = ",".join("0.8" if k % 2 else "0.9" for k in range(24))
    yield Export(
        "hours across for each meter",
        fleet("meter,date," + ",".join(hours), lambda s, d, v: f"{s},{d:%Y-%m-%d},{cells}"),
        "--layout",
    )


def columns_called_alike() -> Iterator[Export]:
    """Columns with numbers in their names: variables of one asset, or assets."""
    for name, columns in (
        ("sizes of dust", ["PM1", "PM2.5", "PM4", "PM10"]),
        ("heights of a mast", ["WS_80m", "WS_60m", "WS_40m", "WS_20m"]),
        ("heights by three digits", ["ws100", "ws080", "ws060", "ws040"]),
        ("phases", ["I_L1", "I_L2", "I_L3"]),
        ("phases in words", ["Phase 1", "Phase 2", "Phase 3"]),
        ("quantiles", ["P10", "P50", "P90"]),
        ("axes", ["acc1", "acc2", "acc3"]),
        ("a fleet and its weather", [*(f"INV{k:02d}" for k in range(1, 7)), "Irradiance"]),
        ("a fleet and its mast", [*(f"WTG{k:02d}" for k in range(1, 7)), "MM01"]),
        ("two quantities of lettered parks", [f"Park {p} {q}" for p in "ABC" for q in ("MWh", "PR")]),
    ):
        yield Export(name, across(columns, HOURS, "time," + ",".join(columns), "%Y-%m-%d %H:%M"), "--layout")
    for name, columns in (
        ("lettered plants", [f"Plant {letter}" for letter in "ABCDE"]),
        ("strings of a field", [f"String {k}" for k in range(1, 9)]),
        ("cells of a battery", [f"Cell{k}" for k in range(1, 17)]),
        ("German inverters", [f"Energie | Wechselrichter {k}" for k in range(1, 6)]),
        ("many short numbers", [f"S{k}" for k in range(1, 41)]),
    ):
        text = across(columns, HOURS, "time," + ",".join(columns), "%Y-%m-%d %H:%M")
        yield Export(name, text, {"layout": "wide", "values": tuple(columns), "assets": len(columns)})
    meters = [f"Meter {k}" for k in range(1, 7)]
    cells = [f"{d:%Y-%m-%d %H:%M}," + ",".join(str(1000 * m + 3 * k) for m in range(6)) for k, d in enumerate(HOURS)]
    yield Export("readings of meters", "\n".join(["time," + ",".join(meters), *cells]) + "\n", "--layout")


def heads() -> Iterator[Export]:
    """What stands before the data."""
    site = {"values": ("kWh",), "cadence": "1D", "assets": 6}
    yield Export(
        "the line of Excel that names the delimiter",
        "sep=;\n" + fleet("Anlage;Datum;kWh", lambda s, d, v: f"{s};{d:%d.%m.%Y};{comma(str(v))}"),
        site | {"asset": "Anlage", "decimal": ",", "delimiter": ";"},
    )
    yield Export(
        "a delimiter at the end of each line",
        fleet("site;date;kWh;", lambda s, d, v: f"{s};{d:%Y-%m-%d};{v};"),
        site | {"asset": "site"},
    )
    yield Export(
        "a delimiter at the end of each row",
        fleet("site,date,kWh", lambda s, d, v: f"{s},{d:%Y-%m-%d},{v},"),
        site | {"asset": "site"},
    )
    yield Export(
        "an index of times without a name",
        across(SITES, DAYS, "," + ",".join(SITES), "%Y-%m-%d"),
        {"layout": "wide", "timestamp": "", "values": tuple(SITES), "assets": 6},
    )
    yield Export(
        "a Campbell logger",
        '"TOA5","CR1000","CR1000","1234","CR1000.Std.05","CPU:p.CR1","999","Table10"\n'
        '"TIMESTAMP","RECORD","AirTemp_Avg","Wind_speed","Humidity"\n"TS","RN","Deg C","meters/second","%"\n'
        '"","","Avg","Smp","Avg"\n'
        + lines(
            "",
            TENS,
            lambda d, v: f'"{d:%Y-%m-%d %H:%M:%S}",{(d - TENS[0]) // timedelta(minutes=10)},{v[0]},"NAN",{v[2]}',
        )[1:],
        {"timestamp": "TIMESTAMP", "values": ("AirTemp_Avg", "Humidity"), "cadence": "10min"},
    )
    yield Export(
        "InfluxDB's own CSV",
        "#group,false,false,true,true,false,false,true\n#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,"
        "dateTime:RFC3339,double,string\n#default,_result,,,,,,\n"
        + fleet(
            ",result,table,_start,_stop,_time,_value,host",
            lambda s, d, v: f",,0,2024-01-01T00:00:00Z,2025-01-01T00:00:00Z,{d:%Y-%m-%dT%H:%M:%SZ},{v},{s}",
        ),
        {"asset": "host", "timestamp": "_time", "values": ("_value",), "assets": 6},
    )
    yield Export(
        "old line ends",
        fleet("site,date,kWh", lambda s, d, v: f"{s},{d:%Y-%m-%d},{v}").replace("\n", "\r"),
        site | {"asset": "site"},
    )
    yield Export(
        "sites as headings",
        "".join(
            f"Site: {site}\n" + lines("Date,Energy (kWh)", DAYS, lambda d, v: f"{d:%Y-%m-%d},{v[0]}") + "\n"
            for site in SITES
        ),
        "--asset-column",
    )
    yield Export(
        "the site in its first row alone",
        fleet("site,date,kWh", lambda s, d, v: f"{s if d == DAYS[0] else ''},{d:%Y-%m-%d},{v}"),
        "--asset-column",
    )


def entities() -> Iterator[Export]:
    """Rows of one value each, of things and quantities."""
    ids = ["sensor.pv_power", "sensor.grid_power", "sensor.room_temperature", "sensor.room_humidity"]
    stamps = [(each, d) for each in ids for d in HOURS]
    yield Export(
        "entities of a house",
        "\n".join(
            [
                "entity_id,state,last_changed",
                *(f"{each},{5 + k % 7 / 9:.3f},{d:%Y-%m-%dT%H:%M:%S.000Z}" for k, (each, d) in enumerate(stamps)),
            ]
        )
        + "\n",
        "--layout",
    )
    tags = ["WT1.Power", "WT1.Wind speed", "WT2.Power", "WT2.Wind speed"]
    yield Export(
        "tags of several turbines",
        "\n".join(
            [
                "tag,timestamp,value",
                *(f"{t},{d:%Y-%m-%dT%H:%M:%SZ},{5 + k % 7}" for t in tags for k, d in enumerate(HOURS)),
            ]
        )
        + "\n",
        "--layout",
    )
    measured = [("Temperatur", "°C"), ("Druck", "bar")]
    yield Export(
        "German measurements with their units",
        "\n".join(
            [
                "device;zeit;messgroesse;einheit;messwert",
                *(
                    f"G{n};{d:%d.%m.%Y %H:%M};{name};{unit};{20 + k % 9},5"
                    for n in range(4)
                    for name, unit in measured
                    for k, d in enumerate(HOURS)
                ),
            ]
        )
        + "\n",
        {"layout": "tags", "asset": "device", "values": ("Temperatur", "Druck"), "value": "messwert", "assets": 4},
    )
    mixed = [(s, d) for s in SITES[:3] for d in TENS] + [(s, d) for s in SITES[3:] for d in moments(60, HOUR)]
    yield Export(
        "assets with steps of their own",
        "\n".join(["site,time,p", *(f"{s},{d:%Y-%m-%d %H:%M},{k % 9}" for k, (s, d) in enumerate(mixed))]) + "\n",
        "--cadence",
    )
    yield Export(
        "forecasts",
        lines(
            "issue_time,valid_time,power",
            HOURS,
            lambda d, v: f"{d - 6 * HOUR:%Y-%m-%d %H:%M},{d:%Y-%m-%d %H:%M},{v[0]}",
        ),
        "--timestamp-column",
    )
    metrics = [
        {"fields": {"usage": 1.5}, "tags": {"host": s}, "timestamp": int(d.replace(tzinfo=UTC).timestamp())}
        for s in SITES
        for d in HOURS
    ]
    yield Export("metrics of Telegraf", "\n".join(map(json.dumps, metrics)), "--values", suffix=".jsonl")


def sentinels() -> Iterator[Export]:
    """Numbers that stand for no value."""
    for text in ("9999", "65535", "-9.9E+30", "-99", "-999.9"):
        rows = [f"{d:%Y-%m-%d %H:%M},{text if k % 50 == 9 else 8 + k % 7}" for k, d in enumerate(HOURS)]
        yield Export(f"no value is {text}", "\n".join(["time,flow", *rows]) + "\n", {"missing": (text.lower(),)})
    rows = [f"{d:%Y-%m-%d},{9999 if k == 50 else 5000 + 400 * (k % 13)}" for k, d in enumerate(DAYS)]
    yield Export("9999 among thousands", "\n".join(["date,flow", *rows]) + "\n", {"missing": ()})


def databases() -> Iterator[Export]:
    """What shells of databases print."""
    right = {"asset": "asset_id", "timestamp": "ts", "values": ("value",), "assets": 6, "cadence": "1D"}
    yield Export(
        "MySQL's batch mode",
        fleet("asset_id\tts\tvalue", lambda s, d, v: f"{s}\t{d:%Y-%m-%d}\t{'NULL' if d.day == 7 else v}"),
        right | {"delimiter": "\t"},
        suffix=".tsv",
    )
    yield Export(
        "psql",
        fleet(" asset_id | ts | value \n----------+----+-------", lambda s, d, v: f" {s} | {d:%Y-%m-%d} | {v}")
        + "(720 rows)\n",
        right | {"delimiter": "|"},
        suffix=".txt",
    )
    border = "+----------+------------+-------+\n"
    yield Export(
        "MySQL's boxes",
        border
        + fleet("| asset_id | ts | value |\n" + border[:-1], lambda s, d, v: f"| {s} | {d:%Y-%m-%d} | {v} |")
        + border,
        right | {"delimiter": "|"},
    )
