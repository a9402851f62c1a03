"""TLS to a real MariaDB server: with certificates, and as it is installed, without."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from anomscan.config import Columns, SqlSource
from anomscan.errors import ConfigError, ServiceError
from anomscan.sources.base import Request
from anomscan.sources.registry import build
from servers.certificates import write_certificates
from servers.mariadb import MariaDb

pytestmark = pytest.mark.servers

#: The cipher is no asset's id where it is empty.
QUERY = (
    "SELECT CONCAT('cipher:', VARIABLE_VALUE) AS asset_id, CAST('2017-01-01' AS DATE) AS date, 1.5 AS prt7 "
    "FROM {} WHERE VARIABLE_NAME = 'Ssl_cipher' AND :start < :end"
)
Cipher = Callable[..., str]
ENCRYPTED = ["verify-identity", "verify-ca", "require", "prefer"]


@pytest.fixture(scope="module")
def tls(mariadb: MariaDb) -> Iterator[MariaDb]:
    mariadb.run(
        "CREATE DATABASE IF NOT EXISTS fleet",
        "CREATE USER tls@'%' IDENTIFIED BY 's3cret'",
        "GRANT SELECT ON fleet.* TO tls@'%'",
    )
    yield mariadb
    mariadb.run("DROP USER tls@'%'")


@pytest.fixture(scope="module")
def plain(mariadb_without_tls: MariaDb) -> MariaDb:
    mariadb_without_tls.run(
        "CREATE DATABASE fleet", "CREATE USER tls@'%' IDENTIFIED BY 's3cret'", "GRANT SELECT ON fleet.* TO tls@'%'"
    )
    return mariadb_without_tls


@pytest.fixture(params=["never", "auto"])
def cipher(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Cipher:
    """What a connection is encrypted with, empty for clear text."""

    def ask(server: MariaDb, host: str = "localhost", **keys: Any) -> str:
        settings = SqlSource(
            kind="sql",
            url=server.url(user="tls:s3cret", host=host),
            query=QUERY.format(server.session_status),
            cadence="1D",
            columns=Columns(asset="asset_id", timestamp="date", values=("prt7",)),
            fast=request.param,
            **keys,
        )
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "anomscan"):
            (rows,) = build("fleet", settings).fetch(Request())
        assert ("by the fast path" in caplog.text) == (request.param == "auto")
        return str(rows["asset"][0].as_py()).removeprefix("cipher:")

    return ask


@pytest.mark.parametrize("mode", ENCRYPTED)
def test_each_mode_encrypts_where_the_server_can(tls: MariaDb, cipher: Cipher, mode: str) -> None:
    ca = tls.folder / "ca.pem" if mode.startswith("verify") else None
    assert cipher(tls, tls=mode, ca=ca).startswith("TLS_")


def test_without_settings_it_is_encrypted(tls: MariaDb, cipher: Cipher) -> None:
    assert cipher(tls)


def test_disabled_is_clear_text(tls: MariaDb, cipher: Cipher) -> None:
    assert cipher(tls, tls="disable") == ""
    tls.run("ALTER USER tls@'%' REQUIRE SSL")
    try:
        with pytest.raises(ServiceError, match="Access denied"):
            cipher(tls, tls="disable")
        assert cipher(tls)
    finally:
        tls.run("ALTER USER tls@'%' REQUIRE NONE")


def test_a_name_that_is_not_the_certificates(tls: MariaDb, cipher: Cipher) -> None:
    ca = tls.folder / "ca.pem"
    with pytest.raises(ServiceError, match=r'IP address mismatch.*\(connect by the name .*tls = "verify-ca"'):
        cipher(tls, "127.0.0.1", tls="verify-identity", ca=ca)
    assert cipher(tls, "127.0.0.1", tls="verify-ca", ca=ca)


@pytest.mark.parametrize("mode", ["verify-identity", "verify-ca"])
def test_a_certificate_that_is_not_trusted(tls: MariaDb, cipher: Cipher, tmp_path: Path, mode: str) -> None:
    write_certificates(tmp_path, "localhost")
    for ca in (None, tmp_path / "ca.pem"):
        with pytest.raises(ServiceError, match=r"certificate verify failed.*\(name the file of the authority"):
            cipher(tls, tls=mode, ca=ca)


def test_a_server_as_it_is_installed(plain: MariaDb, cipher: Cipher) -> None:
    assert cipher(plain) == ""
    assert cipher(plain, tls="disable") == ""


@pytest.mark.parametrize("mode", ["verify-identity", "verify-ca", "require"])
def test_a_server_without_tls_is_refused(plain: MariaDb, cipher: Cipher, tmp_path: Path, mode: str) -> None:
    write_certificates(tmp_path, "localhost")
    ca = tmp_path / "ca.pem" if mode.startswith("verify") else None
    with pytest.raises(
        ServiceError, match=r"SSL is required but .*\(switch TLS on at the server; tls = \"prefer\""
    ) as caught:
        cipher(plain, tls=mode, ca=ca)
    assert "\n" not in str(caught.value)


def test_clear_text_to_another_machine_is_noticed(
    plain: MariaDb, cipher: Cipher, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anomscan.sources.sql import mysql

    monkeypatch.setattr(mysql, "_is_local", lambda url: False)
    with pytest.raises(ValueError, match="too many values"):
        cipher(plain)  # the rows, and a notice
    assert cipher(plain, tls="disable") == ""


def test_settings_that_contradict(plain: MariaDb, cipher: Cipher, tmp_path: Path) -> None:
    shutil.copy(__file__, tmp_path / "no.pem")
    with pytest.raises(ConfigError, match='ca is set, and tls = "require" checks no certificate'):
        cipher(plain, tls="require", ca=tmp_path / "no.pem")
    with pytest.raises(ConfigError, match=r"no\.pem cannot be used: no certificates in PEM form"):
        cipher(plain, tls="verify-ca", ca=tmp_path / "no.pem")
    with pytest.raises(ConfigError, match=r"none\.pem cannot be used: No such file"):
        cipher(plain, tls="verify-ca", ca=tmp_path / "none.pem")
    with pytest.raises(ConfigError, match="tls and ca are for MySQL, and its url is of sqlite"):
        build(
            "fleet",
            SqlSource(
                kind="sql",
                url="sqlite://",
                query="SELECT :start, :end",
                cadence="1D",
                columns=Columns(asset="a", values=("v",)),
                tls="require",
            ),
        )
