"""Reading a fleet from MySQL: our paths beside a bare PyMySQL read, into nothing and into the store; memory.

The notebook's join, 1,000 assets x 1,096 days, from a private MariaDB server. Each way runs in a process of its own;
its CPU time is that of the process and of those it started, without imports and start-up (what the same fetch of no
rows costs). The ways take turns, and a ratio is the median of those of the rounds, as a machine is not always as fast.
``--quick`` takes a tenth of the assets and one round.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from servers.mariadb import MariaDb  # the server of the tests

DAYS = 1096
QUERY = """
SELECT pr.asset_id, pr.date, pr.prt7, ahd.health_status
FROM performance_ratio pr
JOIN asset_health_daily ahd ON pr.asset_id = ahd.asset_id AND pr.date = ahd.date
WHERE pr.date >= :start AND pr.date <= :end AND pr.asset_id < '{below}'
ORDER BY pr.asset_id, pr.date
"""
WAYS = {
    "bare PyMySQL": ("bare", "never"),
    "slow path": ("read", "never"),
    "fast path": ("read", "auto"),
    "slow path into the store": ("store", "never"),
    "fast path into the store": ("store", "auto"),
}
MARKS = "marks, into the store: 1.30 by the slow path, 0.20 by the fast path, 250 MB"


def cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def peak_mb(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / 1024


def below(assets: int) -> str:
    return f"asset-{assets:05d}"


def bare(port: int, assets: int) -> int:
    import pymysql

    connection = pymysql.connect(host="127.0.0.1", port=port, user="reader", database="fleet")
    query = QUERY.format(below=below(assets)).replace(":start", "'1000-01-01'").replace(":end", "'9999-12-31'")
    rows = 0
    with connection, connection.cursor(pymysql.cursors.SSCursor) as cursor:
        cursor.execute(query)
        while part := cursor.fetchmany(16384):
            rows += len(part)
    return rows


def fetched(port: int, assets: int, fast: str, into_store: bool) -> int:
    from anomscan.config import Columns, SqlSource
    from anomscan.jobs.fetch.fetching import fetch_into
    from anomscan.sources.base import Request
    from anomscan.sources.registry import build
    from anomscan.store.store import Store

    settings = SqlSource(
        kind="sql",
        url=f"mysql://reader@127.0.0.1:{port}/fleet",
        query=QUERY.format(below=below(assets)),
        cadence="1D",
        columns=Columns(asset="asset_id", timestamp="date", values=("prt7",), health="health_status"),
        fast=fast,
    )
    source = build("fleet", settings)
    if into_store:
        with tempfile.TemporaryDirectory() as folder:
            return fetch_into(Store.create(Path(folder) / "store"), source, Request()).rows
    return sum(len(rows) for rows in source.fetch(Request()))


def one_way(kind: str, fast: str, port: int, assets: int) -> dict[str, float]:
    """Run one way, after the same without rows for what starting costs."""

    def once(assets: int) -> tuple[int, float]:
        before = cpu_s()
        rows = bare(port, assets) if kind == "bare" else fetched(port, assets, fast, kind == "store")
        return rows, cpu_s() - before

    once(1)  # imports
    _, start = once(0)
    grown = peak_mb(resource.RUSAGE_SELF)
    begun = time.perf_counter()
    rows, used = once(assets)
    return {
        "rows": rows,
        "cpu": used - start,
        "start": start,
        "wall": time.perf_counter() - begun,
        "peak": peak_mb(resource.RUSAGE_SELF),
        "growth": peak_mb(resource.RUSAGE_SELF) - grown,
        "reader": peak_mb(resource.RUSAGE_CHILDREN),
    }


def measured(way: str, port: int, assets: int) -> dict[str, float]:
    kind, fast = WAYS[way]
    done = subprocess.run(
        [sys.executable, __file__, "--way", kind, fast, str(port), str(assets)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    assert found["rows"] == assets * DAYS
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the assets")
    parser.add_argument("--way", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        kind, fast, port, assets = options.way
        print(json.dumps(one_way(kind, fast, int(port), int(assets))))
        return

    assets, rounds = (100, 1) if options.quick else (1000, 3)
    with MariaDb() as server:
        loaded(server, 2 * assets)
        measured("bare PyMySQL", server.port, assets)  # fills the server's cache
        print(f"{assets * DAYS:,} rows; CPU as a ratio to the bare read, memory also with twice the rows; {MARKS}")
        runs = [{way: measured(way, server.port, assets) for way in WAYS} for _ in range(rounds)]
        for way in WAYS:
            ratios = [run[way]["cpu"] / run["bare PyMySQL"]["cpu"] for run in runs]
            single = {name: statistics.median(run[way][name] for run in runs) for name in runs[0][way]}
            double = measured(way, server.port, 2 * assets)
            print(
                f"{way:25} CPU {single['cpu']:5.2f} s {statistics.median(ratios):5.3f} "
                f"({min(ratios):.3f} to {max(ratios):.3f}; start {single['start']:.2f} s), "
                f"wall {single['wall']:5.1f} s; peak MB {single['peak']:4.0f}, +{single['growth']:.0f} by the rows, "
                f"doubled {double['peak']:4.0f}; its reader {single['reader']:.0f}, doubled {double['reader']:.0f}",
                flush=True,
            )


def loaded(server: MariaDb, assets: int) -> None:
    """Make the two tables; every hundredth value is empty."""
    key = "PRIMARY KEY (asset_id, date)"
    rows = f"FROM seq_0_to_{assets * DAYS - 1}"
    place = f"CONCAT('asset-', LPAD(seq DIV {DAYS}, 5, '0')), DATE_ADD('2017-01-01', INTERVAL seq MOD {DAYS} DAY)"
    server.run(
        "CREATE DATABASE fleet CHARACTER SET utf8mb4",
        "CREATE USER reader@'%'",
        "GRANT SELECT ON fleet.* TO reader@'%'",
        "USE fleet",
        f"CREATE TABLE performance_ratio (asset_id VARCHAR(64), date DATE, prt7 DECIMAL(12, 6), {key})",
        f"CREATE TABLE asset_health_daily (asset_id VARCHAR(64), date DATE, health_status VARCHAR(20), {key})",
        f"INSERT INTO performance_ratio SELECT {place}, IF(seq % 100, 0.7 + RAND(seq) / 5, NULL) {rows}",
        f"INSERT INTO asset_health_daily SELECT {place}, ELT(1 + seq % 4, 'Good', 'Warning', 'Bad', 'Unknown') {rows}",
    )


if __name__ == "__main__":
    main()
