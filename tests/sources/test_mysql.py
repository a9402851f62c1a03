"""The SQL source on a real MariaDB server: its rows on both paths, its errors, and connections that are lost."""

from __future__ import annotations

import logging
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

from anomscan.config import AssetColumns, Columns, SqlSource
from anomscan.errors import AnomscanError, ConfigError, InputError, ServiceError
from anomscan.jobs.fetch.fetching import fetch_into
from anomscan.sources.base import Request, Source
from anomscan.sources.registry import build
from anomscan.sources.sql.asset_query import read_asset_query
from anomscan.sources.sql.fast import address
from anomscan.sources.sql.mysql import MySql, _is_local
from anomscan.store.store import Store
from processes import wait_until
from servers.mariadb import MariaDb

pytestmark = pytest.mark.servers

Make = Callable[..., Source]
PATHS = ["never", "auto"]
COLUMNS = Columns(asset="asset_id", timestamp="date", values=("prt7",), health="health")
SIMPLE = "SELECT asset_id, date, prt7, health FROM daily WHERE date BETWEEN :start AND :end"
BY_ASSET = SIMPLE + " AND (:asset IS NULL OR asset_id = :asset)"


def _numbers(digits: int) -> str:
    """The numbers of so many digits as a table with one column ``seq``, in the words of MySQL and MariaDB alike."""
    places = [f"d{place}" for place in range(digits)]
    sum_of = " + ".join(f"{10**place} * d{place}.n" for place in range(digits))
    return f"(SELECT {sum_of} AS seq FROM {', '.join(f'digits AS {place}' for place in places)}) AS numbers"


#: Rows without a table of their own: 200 assets, and as many days as there are rows of each.
MANY = f"""
    SELECT CONCAT('a', seq % 200) AS asset_id, DATE_ADD('2000-01-01', INTERVAL seq DIV 200 DAY) AS date,
           seq / 7 AS prt7, 'Good' AS health
    FROM {_numbers(6)} WHERE seq < 600000 AND :start <= :end
"""
#: So many that a server is still sending whatever was read ahead.
ENDLESS = MANY.replace(_numbers(6), _numbers(8)).replace("600000", "50000000")
AWKWARD = ["007", "7", "-7", "Ωmega/☀😀", "it's; DROP TABLE daily; --", "a\\b\\", "%s %(start)s", "two\nlines"]


@pytest.fixture(scope="module")
def server(mariadb: MariaDb) -> MariaDb:
    mariadb.run(
        "CREATE DATABASE IF NOT EXISTS fleet CHARACTER SET utf8mb4",
        "CREATE USER IF NOT EXISTS reader@'%' IDENTIFIED BY 's3cret@/:'",
        "CREATE USER IF NOT EXISTS poor@'%' IDENTIFIED BY 's3cret@/:'",
        "GRANT SELECT ON fleet.* TO reader@'%'",
    )
    mariadb.run(
        "CREATE TABLE daily (asset_id VARCHAR(64), date DATE, prt7 DECIMAL(12, 6), health VARCHAR(20)) "
        "COLLATE utf8mb4_bin",
        "CREATE TABLE digits (n INT)",
        "INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)",
        "CREATE TABLE secret (x INT)",
        "GRANT SELECT ON fleet.secret TO poor@'%'",
        database="fleet",
    )
    with mariadb.connect("fleet") as connection, connection.cursor() as cursor:
        rows = [(asset, f"2017-01-{day:02d}", day / 8, "Good") for asset in AWKWARD for day in (1, 2)]
        cursor.executemany("INSERT INTO daily VALUES (%s, %s, %s, %s)", [*rows, ("NA", "2017-01-03", None, None)])
    return mariadb


@pytest.fixture
def make(server: MariaDb) -> Make:
    def source(query: str = SIMPLE, **keys: Any) -> Source:
        settings: dict[str, Any] = {
            "kind": "sql",
            "url": server.url(user="reader:s3cret%40%2F%3A"),
            "query": query,
            "cadence": "1D",
            "columns": COLUMNS,
        } | keys
        return build("fleet", SqlSource(**settings))

    return source


def fails(kind: type[AnomscanError], source: Callable[[], Source], request: Request | None = None) -> str:
    with pytest.raises(kind) as caught:
        list(source().fetch(request or Request()))
    assert type(caught.value) is kind
    text = str(caught.value)
    assert "\n" not in text
    assert "s3cret" not in text
    return text


@pytest.mark.parametrize("fast", PATHS)
def test_rows_are_the_same_on_both_paths(make: Make, read: Any, caplog: pytest.LogCaptureFixture, fast: str) -> None:
    caplog.set_level(logging.DEBUG, "anomscan")
    rows = read(make(fast=fast))
    assert len(rows) == 2 * len(AWKWARD) + 1
    assert {row[0] for row in rows} == {*AWKWARD, "NA"}
    assert ("7", datetime(2017, 1, 1), 0.125, "Good") in rows
    assert ("NA", datetime(2017, 1, 3), None, None) in rows
    assert ("by the fast path" in caplog.text) == (fast == "auto")


@pytest.mark.parametrize("fast", PATHS)
def test_fetch_leaves_pandas_out(server: MariaDb, tmp_path: Path, fast: str) -> None:
    (tmp_path / "anomscan.toml").write_text(
        f"""
        [sources.fleet]
        kind = "sql"
        url = "{server.url(user="reader:s3cret%40%2F%3A")}"
        query = "{SIMPLE}"
        cadence = "1D"
        fast = "{fast}"
        columns = {{ asset = "asset_id", timestamp = "date", values = ["prt7"], health = "health" }}
        """
    )
    code = (
        "import logging, sys\nlogging.basicConfig(filename='log', level='DEBUG')\n"
        "from anomscan.cli.app import run\nassert run(['fetch']) == 0\n"
        "print(sorted({'pandas', 'plotly', 'jinja2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert ("by the fast path" in (tmp_path / "log").read_text()) == (fast == "auto")


@pytest.mark.parametrize("asset", [*AWKWARD, "' OR ''='", "\\' OR 1=1 -- ", "nobody"])
@pytest.mark.parametrize("mode", ["", "NO_BACKSLASH_ESCAPES"])
def test_an_asset_is_bound_and_never_spliced(server: MariaDb, make: Make, read: Any, asset: str, mode: str) -> None:
    before = server.run("SELECT @@GLOBAL.sql_mode")[0][0]
    server.run(f"SET GLOBAL sql_mode = '{mode}'")
    try:
        rows = read(make(BY_ASSET), Request(assets=(asset,)))
    finally:
        server.run(f"SET GLOBAL sql_mode = '{before}'")
    assert [row[0] for row in rows] == ([asset, asset] if asset in AWKWARD else [])


@pytest.mark.parametrize("fast", PATHS)
def test_bounds_and_text_of_the_query_stand_as_they_are(make: Make, read: Any, fast: str) -> None:
    query = "/* 100% :) */ " + SIMPLE.replace("health FROM", "'50% \\\\:off?' AS health FROM") + " -- what?\n"
    bounds = Request(start=np.datetime64("2017-01-02", "us"), end=np.datetime64("2017-01-02", "us"))
    rows = read(make(query, fast=fast), bounds)
    assert len(rows) == len(AWKWARD)
    assert {row[1:] for row in rows} == {(datetime(2017, 1, 2), 0.25, "50% :off?")}


#: Columns of a table and their values, as SQL writes them.
USUAL = {
    "asset_id": ("VARCHAR(20)", ["'a'", "'b'", "'c'", "'d'"]),
    "date": ("DATE", ["'2017-01-01'", "'2017-01-02'", "'1000-01-01'", "'9999-12-31'"]),
    "prt7": ("DOUBLE", ["0.1e0", "1.7976931348623157e308", "5e-324", "-0e0"]),
    "health": ("VARCHAR(20)", ["'Good'", "''", "NULL", "'ça va'"]),
}
EXACT = [
    {
        "asset_id": ("CHAR(5)", ["'007'", "'7'", "'-7'", "'☀'"]),
        "prt7": ("DECIMAL(12, 6)", ["0.1", "-123456.123456", "999999.999999", "NULL"]),
        "date": ("DATETIME", ["'2017-01-01 00:00:00'", "'2017-01-02'", "'1000-01-01'", "'9999-12-31'"]),
    },
    {
        "asset_id": ("INT", ["7", "-7", "0", "2147483647"]),
        "prt7": ("DECIMAL(18, 9)", ["0.1", "999999999.123456789", "-999999999.999999999", "0.3"]),
        "health": ("TINYINT(1)", ["1", "0", "NULL", "-1"]),
    },
    {
        "asset_id": ("BIGINT UNSIGNED", ["18446744073709551615", "9007199254740993", "7", "0"]),
        "prt7": ("BIGINT", ["-9223372036854775808", "9007199254740993", "NULL", "9223372036854775807"]),
        "health": ("TEXT", ["'Good'", "''", "NULL", "'☀😀'"]),
    },
    {
        "asset_id": ("VARBINARY(20)", ["'007'", "'ça'", "'7'", "'x'"]),
        "prt7": ("VARCHAR(20)", ["'0.1'", "'NaN'", "''", "' 7 '"]),
        "date": ("VARCHAR(20)", ["'2017-01-01'", "'2017-01-02'", "' 2016-02-29'", "'9999-12-31'"]),
    },
    {
        "asset_id": ("TEXT CHARACTER SET latin1", ["'ça'", "'a;b'", "'a\\\\b'", "'%s'"]),
        "prt7": ("BIGINT UNSIGNED", ["18446744073709551615", "0", "1", "NULL"]),
        "health": ("ENUM('a', 'b')", ["'a'", "'b'", "NULL", "'a'"]),
    },
]
#: Columns that connectorx would give otherwise, and so are PyMySQL's.
NOT_EXACT = [
    {"prt7": ("DECIMAL(20, 0)", ["12345678901234567890", "-3", "NULL", "0"])},
    {"prt7": ("DECIMAL(30, 15)", ["123456789012345.123456789012345", "0.1", "NULL", "-0.1"])},
    {"prt7": ("FLOAT", ["0.1", "1.23456789", "16777217", "NULL"])},
    {"asset_id": ("DECIMAL(10, 0)", ["7", "-7", "0", "1234567890"])},
]


@pytest.mark.parametrize(
    ("columns", "exact"), [(USUAL, True), *((c, True) for c in EXACT), *((c, False) for c in NOT_EXACT)]
)
def test_awkward_types_are_the_same_on_both_paths(
    server: MariaDb, make: Make, read: Any, caplog: pytest.LogCaptureFixture, columns: dict[str, Any], exact: bool
) -> None:
    caplog.set_level(logging.DEBUG, "anomscan")
    columns = USUAL | columns
    server.run(
        "DROP TABLE IF EXISTS awkward",
        f"CREATE TABLE awkward ({', '.join(f'{name} {kind} NULL' for name, (kind, _) in columns.items())})",
        *(
            f"INSERT INTO awkward VALUES ({', '.join(row)})"
            for row in zip(*(values for _, values in columns.values()), strict=True)
        ),
        database="fleet",
    )
    query = SIMPLE.replace("daily", "awkward").replace("date BETWEEN :start AND :end", ":start < :end")
    slow, quick = (read(make(query, fast=fast)) for fast in PATHS)
    assert repr(slow) == repr(quick)
    assert len(slow) == 4
    assert ("by the fast path" in caplog.text) == exact


@pytest.mark.parametrize("fast", PATHS)
def test_instants_to_the_microsecond_in_the_zone_of_the_source(make: Make, read: Any, fast: str) -> None:
    query = (
        "SELECT 7 AS asset_id, CAST('2017-07-01 12:00:00.123456' AS DATETIME(6)) AS date, 1.5 AS prt7, NULL AS health "
        "FROM daily WHERE :start < :end LIMIT 1"
    )
    source = make(query, fast=fast, cadence="1h", timezone="Europe/Paris")
    assert read(source) == [("7", datetime(2017, 7, 1, 10, 0, 0, 123456), 1.5, None)]


@pytest.mark.parametrize("fast", PATHS)
def test_a_date_of_zeros_is_named(server: MariaDb, make: Make, fast: str) -> None:
    server.run(
        "DROP TABLE IF EXISTS zeros",
        "CREATE TABLE zeros (asset_id INT, date DATE, prt7 INT, health INT)",
        "SET sql_mode = ''",
        "INSERT INTO zeros VALUES (1, '0000-00-00', 1, 1)",
        database="fleet",
    )
    query = "SELECT * FROM zeros WHERE :start < :end"
    assert "'0000-00-00' is not a timestamp" in fails(InputError, lambda: make(query, fast=fast))


@pytest.mark.parametrize("fast", PATHS)
@pytest.mark.parametrize(
    ("query", "told"),
    [
        (
            SIMPLE.replace("prt7", "prt7 AS prt_7"),
            "has no column 'prt7' (did you mean 'prt_7'? it has: asset_id, date,",
        ),
        (SIMPLE.replace("prt7", "prt7, 1 AS prt7"), "has more than one column 'prt7'"),
        (SIMPLE.replace("daily", "nowhere"), "fails: Table 'fleet.nowhere' doesn't exist"),
        (SIMPLE.replace("prt7", "prt8"), "fails: Unknown column 'prt8'"),
        ("SELEC :start, :end", "fails: You have an error in your SQL syntax"),
        ("SET @a = :start, @b = :end", "gives no rows back"),
        (SIMPLE + "; SELECT 1", "fails: You have an error in your SQL syntax"),
        (
            SIMPLE.replace("prt7", "'warm' AS prt7"),
            "row 1 of the query of source 'fleet', column 'prt7': 'warm' is not",
        ),
    ],
)
def test_queries_that_fail(make: Make, query: str, told: str, fast: str) -> None:
    assert told in fails(InputError, lambda: make(query, fast=fast))


def test_a_query_without_its_parameters(make: Make) -> None:
    assert "has no parameter :end" in fails(ConfigError, lambda: make(SIMPLE.replace(":end", ":start")))


@pytest.mark.parametrize("fast", PATHS)
@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://reader:wrong-s3cret@127.0.0.1:{}/fleet", "Access denied for user 'reader'"),
        ("mysql://nobody:s3cret@127.0.0.1:{}/fleet", "Access denied for user 'nobody'"),
        ("mysql://reader:s3cret%40%2F%3A@127.0.0.1:{}/nowhere", "nowhere"),
        (
            "mysql://reader:s3cret@no-such-host.invalid:{}/fleet",
            "Can't connect to MySQL server on 'no-such-host.invalid'",
        ),
        ("mysql://reader:s3cret@127.0.0.1:1/fleet", "Connection refused"),
    ],
)
def test_servers_that_refuse_us(server: MariaDb, make: Make, url: str, told: str, fast: str) -> None:
    assert told in fails(ServiceError, lambda: make(url=url.format(server.port), fast=fast))


def test_a_table_that_may_not_be_read(server: MariaDb, make: Make) -> None:
    url = server.url(user="poor:s3cret%40%2F%3A")
    assert "is refused: SELECT command denied" in fails(ServiceError, lambda: make(url=url))


@pytest.mark.parametrize("option", ["ssl_ca=ca.pem", "ssl_disabled=false", "ssl_verify_identity=false", "ssl=true"])
def test_tls_is_not_taken_from_the_url(make: Make, option: str) -> None:
    text = fails(ConfigError, lambda: make(url=f"mysql+pymysql://u:s3cret@h/d?{option}"))
    assert f"has the option {option.partition('=')[0]}, which is not taken from there" in text
    assert "set tls and ca" in text


@pytest.mark.parametrize("option", ["read_default_file=/etc/passwd", "local_infile=1", "server_public_key=x"])
def test_an_option_that_reads_files_is_refused(make: Make, option: str) -> None:
    text = fails(ConfigError, lambda: make(url=f"mysql://u:s3cret@h/d?{option}"))
    assert f"has the option {option.partition('=')[0]}, which would read files of this machine" in text


def test_an_option_that_is_not_known(make: Make) -> None:
    assert "cannot be used" in fails(ConfigError, lambda: make(url="mysql://u:s3cret@127.0.0.1:1/d?nosuch=1"))


def test_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = SqlSource(
            kind="sql",
            url=f"mysql://u:s3cret@127.0.0.1:{silent.getsockname()[1]}/d",
            query=SIMPLE,
            cadence="1D",
            columns=COLUMNS,
            connect_timeout_s=0.3,
        )
        assert "cannot be reached" in fails(ServiceError, lambda: build("fleet", settings))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "data")


def _stored(store: Store) -> int:
    return len(store.last_timestamps("fleet"))


class _Midway:
    """A source that does something after its first rows."""

    def __init__(self, source: Source, then: Callable[[], None]) -> None:
        self._source = source
        self._then = then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def fetch(self, request: Request) -> Iterator[Any]:
        items = self._source.fetch(request)
        yield next(items)
        self._then()
        yield from items


def _kill(server: MariaDb) -> None:
    running = server.run(
        "SELECT id FROM information_schema.processlist WHERE user = 'reader' AND info LIKE '%asset_id%'"
    )
    assert running
    for (number,) in running:
        server.run(f"KILL {number}")


@pytest.mark.parametrize("fast", PATHS)
def test_a_connection_killed_in_mid_stream_stores_nothing(server: MariaDb, make: Make, store: Store, fast: str) -> None:
    source = _Midway(make(ENDLESS, fast=fast), lambda: _kill(server))
    with pytest.raises(ServiceError, match="the query of source 'fleet' was cut off"):
        fetch_into(store, source, Request())
    assert _stored(store) == 0
    assert fetch_into(store, make(fast=fast), Request()).new == 2 * len(AWKWARD) + 1


@pytest.mark.parametrize("fast", PATHS)
def test_a_connection_killed_between_rows_is_no_end_of_the_rows(server: MariaDb, make: Make, fast: str) -> None:
    slow = MANY.replace("600000", "100").replace("'Good'", "IF(seq < 50, 'Good', IF(SLEEP(600), 'a', 'b'))")

    def between_rows() -> None:
        sleeping = "SELECT 1 FROM information_schema.processlist WHERE user = 'reader' AND state = 'User sleep'"
        wait_until(lambda: server.run(sleeping))
        _kill(server)

    killer = threading.Thread(target=between_rows)
    killer.start()
    try:
        fails(ServiceError, lambda: make(slow, fast=fast))
    finally:
        killer.join()


@pytest.mark.parametrize("fast", PATHS)
def test_a_server_that_hangs_in_mid_stream(server: MariaDb, make: Make, store: Store, fast: str) -> None:
    source = _Midway(make(ENDLESS, fast=fast, read_timeout_s=1.0), lambda: server.send(signal.SIGSTOP))
    try:
        with pytest.raises(ServiceError, match=r"was cut off: .*timed out.*read_timeout_s = 1"):
            fetch_into(store, source, Request())
    finally:
        server.send(signal.SIGCONT)
    assert _stored(store) == 0


@pytest.mark.parametrize("fast", PATHS)
def test_rows_left_unread_are_not_waited_for(server: MariaDb, make: Make, fast: str) -> None:
    def sent() -> int:
        ((_, sent),) = server.run("SHOW GLOBAL STATUS LIKE 'Bytes_sent'")
        return int(str(sent))

    before = sent()
    items: Any = make(ENDLESS, fast=fast).fetch(Request())
    assert isinstance(next(items), pa.Table)
    items.close()
    assert sent() - before < 25_000_000 * 30  # a row has more than 30 bytes


def test_a_fast_path_that_does_not_start_is_noticed(make: Make, monkeypatch: pytest.MonkeyPatch, parts: Any) -> None:
    monkeypatch.setattr("anomscan.sources.sql.fast.address", lambda *what: "nosuch://reader:s3cret%40%2F%3A@h/d")
    tables, _, notices = parts(make().fetch(Request()))
    assert sum(map(len, tables)) == 2 * len(AWKWARD) + 1
    assert "was read without the fast path, which failed: " in notices[0].text
    assert "s3cret" not in notices[0].text


@pytest.mark.parametrize(
    ("mode", "reached", "host"),
    [
        ("require", "127.0.0.1", "127.0.0.1"),
        ("verify-ca", "::1", "[::1]"),
        ("verify-identity", "127.0.0.1", "localhost"),
        ("require", None, "localhost"),
    ],
)
def test_the_fast_path_goes_where_the_server_was_reached(mode: str, reached: str | None, host: str) -> None:
    url = address(sa.make_url("mysql+pymysql://reader:pw@localhost/d"), mode, None, reached)
    assert url.startswith(f"mysql://reader:pw@{host}:3306/d?")


def test_a_connection_that_was_lost_has_no_address_and_is_no_bug(server: MariaDb) -> None:
    url = sa.make_url(server.url(user="reader:s3cret%40%2F%3A"))
    settings = SqlSource(kind="sql", url=str(url), query=SIMPLE, cadence="1D", columns=COLUMNS)
    with MySql("fleet", settings, url.set(drivername="mysql+pymysql")) as connection:
        assert connection._reached() in ("127.0.0.1", "::1")
        connection.close()
        assert connection._reached() is None


def test_without_the_extra_the_slow_path_is_taken(
    make: Make, read: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "anomscan")
    monkeypatch.setattr("anomscan.sources.sql.fast.is_installed", lambda: False)
    assert len(read(make())) == 2 * len(AWKWARD) + 1
    assert "fast path" not in caplog.text


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("mysql://localhost/d", True),
        ("mysql://127.0.0.5/d", True),
        ("mysql://[::1]/d", True),
        ("mysql:///d?unix_socket=/run/s", True),
        ("mysql://db.example.com/d", False),
        ("mysql://10.0.0.1/d", False),
    ],
)
def test_what_stays_on_this_machine(url: str, local: bool) -> None:
    from sqlalchemy.engine import make_url

    assert _is_local(make_url(url)) is local


@pytest.mark.parametrize("fast", PATHS)
def test_the_command_line_says_one_line_and_keeps_the_password(server: MariaDb, tmp_path: Path, fast: str) -> None:
    (tmp_path / "anomscan.toml").write_text(
        f'[sources.fleet]\nkind = "sql"\nurl = "{server.url(user="reader:wrong-s3cret")}"\ncadence = "1D"\n'
        f'query = "{SIMPLE}"\nfast = "{fast}"\n'
        'columns = { asset = "asset_id", timestamp = "date", values = ["prt7"], health = "health" }\n'
    )
    done = subprocess.run([sys.executable, "-m", "anomscan", "fetch"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 5
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Access denied" in done.stderr
    assert "s3cret" not in done.stderr
    assert not [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and path.name != "anomscan.toml" and b"s3cret" in path.read_bytes()
    ]


@pytest.mark.parametrize("fast", PATHS)
def test_what_a_fetch_writes_holds_no_secret(server: MariaDb, tmp_path: Path, fast: str) -> None:
    (tmp_path / "secret.json").write_text('{"username": "reader", "password": "s3cret@/:"}')
    (tmp_path / "anomscan.toml").write_text(
        f'[sources.fleet]\nkind = "sql"\nurl = "mysql://127.0.0.1:{server.port}/fleet"\nsecret = "file:secret.json"\n'
        f'query = "{SIMPLE}"\ncadence = "1D"\nfast = "{fast}"\n'
        'columns = { asset = "asset_id", timestamp = "date", values = ["prt7"], health = "health" }\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "anomscan", "-v", "fetch"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "secret.json"]
    assert len(written) > 1
    assert not [path for path in written if b"s3cret" in path.read_bytes()]


@pytest.mark.parametrize("fast", PATHS)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns", None])
def test_a_timestamp_is_an_instant_whatever_the_zones(
    make: Make, server: MariaDb, read: Any, fast: str, zone: str
) -> None:
    server.run("SET GLOBAL time_zone = '+05:30'")
    try:
        # The night in which the clocks of Berlin go back.
        query = f"""
            SELECT 'A1' AS asset_id, FROM_UNIXTIME(1729980000 + 3600 * seq) AS date, seq AS prt7, 'Good' AS health
            FROM {_numbers(1)} WHERE :start <= :end
        """
        server.run(
            "CREATE TABLE IF NOT EXISTS instants (asset_id VARCHAR(9), date TIMESTAMP NULL, prt7 DOUBLE)",
            database="fleet",
        )
        server.run(
            "DELETE FROM instants",
            f"INSERT INTO instants SELECT asset_id, date, prt7 FROM ({query.replace(':start <= :end', 'TRUE')}) AS q",
            database="fleet",
        )
        stored = "SELECT asset_id, date, prt7, NULL AS health FROM instants WHERE date BETWEEN :start AND :end"
        rows = read(make(stored, cadence="1h", timezone=zone, fast=fast))
        assert [row[1] for row in sorted(rows, key=lambda row: row[2])] == [
            datetime(2024, 10, 26, 22) + timedelta(hours=hour) for hour in range(10)
        ]
    finally:
        server.run("SET GLOBAL time_zone = 'SYSTEM'")


@pytest.mark.parametrize("fast", PATHS)
def test_a_timestamp_at_local_midnight_is_that_day(make: Make, server: MariaDb, read: Any, fast: str) -> None:
    server.run(
        "CREATE TABLE IF NOT EXISTS midnights (asset_id VARCHAR(9), date TIMESTAMP NULL, prt7 DOUBLE)", database="fleet"
    )
    server.run(
        "SET time_zone = '+00:00'",
        "DELETE FROM midnights",
        "INSERT INTO midnights VALUES ('A1', '2024-06-30 22:00:00', 1), ('A1', '2024-12-31 23:00:00', 2)",
        database="fleet",
    )
    query = "SELECT asset_id, date, prt7, NULL AS health FROM midnights WHERE date BETWEEN :start AND :end"
    rows = read(make(query, timezone="Europe/Berlin", fast=fast))
    assert sorted(row[1] for row in rows) == [datetime(2024, 7, 1), datetime(2025, 1, 1)]


def test_a_list_of_assets_is_asked_of_the_server(server: MariaDb) -> None:
    server.run(
        "DROP TABLE IF EXISTS fleet.sites",
        "CREATE TABLE fleet.sites (site VARCHAR(20), region VARCHAR(20), kwp DECIMAL(6, 2), since DATE)",
        "INSERT INTO fleet.sites VALUES (' a1', 'Süd', 9.50, '2024-01-31'), ('a2', NULL, NULL, NULL)",
    )
    url = server.url(user="reader:s3cret%40%2F%3A")
    settings = SqlSource(kind="sql", url=url, query=SIMPLE, cadence="1D", columns=COLUMNS)
    columns = AssetColumns(asset="site", cohort="region", capacity="kwp", commissioned="since")
    listed = read_asset_query("database", settings, "SELECT * FROM sites ORDER BY site", columns)
    assert listed == {"a1": {"cohort": "Süd", "capacity": "9.50", "commissioned": "2024-01-31"}, "a2": {}}
    server.run(
        "SET time_zone = '+00:00'",
        "ALTER TABLE fleet.sites MODIFY since TIMESTAMP NULL",
        "UPDATE fleet.sites SET since = '2024-01-30 23:00:00' WHERE region IS NOT NULL",
    )
    instants = read_asset_query("database", settings, "SELECT * FROM sites ORDER BY site", columns)
    assert instants == {"a1": {**listed["a1"], "commissioned": "2024-01-30 23:00:00Z"}, "a2": {}}
    for query, told in (
        ("SELECT site FROM sites", "no column 'region'"),
        ("SELECT * FROM nowhere", "the query of [assets]"),
        ("SELECT * FROM sites WHERE site = :asset", "has a parameter :asset"),
        ("SELECT * FROM sites UNION ALL SELECT * FROM sites", "appears twice"),
        ("SELECT * FROM sites WHERE FALSE", "names no asset"),
    ):
        with pytest.raises(AnomscanError, match=re.escape(told)):
            read_asset_query("database", settings, query, columns)
