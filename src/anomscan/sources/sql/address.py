"""Where a database is and who asks: the URL, and what a secret adds to it."""

from __future__ import annotations

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from anomscan.config import SqlSource, is_reference
from anomscan.errors import ConfigError
from anomscan.tables.secrets import document, resolve

_HINT = "write mysql+pymysql://user:password@host/database or sqlite:///file.db, special characters as %40"
# Aurora and RDS write these into the secrets they make.
_ENGINES = {"mysql": "mysql", "mariadb": "mysql", "aurora": "mysql", "aurora-mysql": "mysql"}
#: Options of PyMySQL that read files, or send them to the server.
_READ_FILES = ("read_default_file", "read_default_group", "local_infile", "server_public_key")


def database_url(name: str, settings: SqlSource) -> sa.URL:
    """The URL of a source's database, with what its secret says filled in.

    MySQL and MariaDB are read by PyMySQL where the URL names no driver.

    Raises
    ------
    ConfigError
        No URL, an invalid one, one with TLS options in it; a secret without what is needed.
    MissingExtraError, ServiceError
        The secret cannot be had.
    """
    if settings.url is None and settings.secret is None:
        raise ConfigError(f"sources.{name}: url is missing", hint=_HINT)
    url = _parsed(name, resolve(settings.url)) if settings.url is not None else sa.URL.create("mysql")
    if settings.secret is not None:
        url = _filled(name, url, settings.secret, settings.url is None)
    if url.drivername in ("mysql", "mariadb"):
        url = url.set(drivername=f"{url.drivername}+pymysql")
    if url.get_backend_name() in ("mysql", "mariadb"):
        _refuse_options(name, url)
    elif settings.tls != "prefer" or settings.ca is not None:
        raise ConfigError(
            f"sources.{name}: tls and ca are for MySQL, and its url is of {url.get_backend_name()}",
            hint="take them out; other drivers have their own options in the url",
        )
    return url


def check(name: str, settings: SqlSource) -> None:
    """What can be checked in the address before any secret is read.

    Raises
    ------
    ConfigError
        As :func:`database_url`.
    """
    if settings.secret is None and not (settings.url and is_reference(settings.url.get_secret_value())):
        database_url(name, settings)


def without_password(text: str, url: sa.URL) -> str:
    """A driver's message, without the password that it may repeat."""
    secret = url.password
    return text.replace(str(secret), "***") if secret else text


def shown(url: sa.URL) -> str:
    """A URL without user and password."""
    return f"{url.drivername}://{url.host or ''}{f':{url.port}' if url.port else ''}/{url.database or ''}"


def _parsed(name: str, text: SecretStr) -> sa.URL:
    try:
        return make_url(text.get_secret_value())
    except (sa.exc.ArgumentError, ValueError):
        # What the parser says may repeat the password.
        raise ConfigError(f"the url of source '{name}' is not a database URL", hint=_HINT) from None


def _refuse_options(name: str, url: sa.URL) -> None:
    for option in url.query:
        if option in _READ_FILES:
            raise ConfigError(
                f"the url of source '{name}' has the option {option}, which would read files of this machine",
                hint="take it out; set url, secret, tls and ca of the source instead",
            )
        if option.startswith("ssl"):
            raise ConfigError(
                f"the url of source '{name}' has the option {option}, which is not taken from there: "
                "in a URL all is text, and ssl_disabled=false would switch TLS off",
                hint="set tls and ca of the source instead",
            )


def _filled(name: str, url: sa.URL, reference: str, whole: bool) -> sa.URL:
    fields = document(reference)
    thing = f"the secret '{reference}' of source '{name}'"

    def text(*keys: str) -> str | None:
        for key in keys:
            value = fields.get(key)
            if value is not None and not isinstance(value, (str, int)):
                raise ConfigError(f"{thing} has a {key} that is not text")
            if value not in (None, ""):
                return str(value)
        return None

    user = url.username or text("username", "user")
    password = url.password or text("password")
    host = url.host or text("host")
    port = text("port") if url.port is None else str(url.port)
    for key, value in (("username", user), ("password", password), ("host", host)):
        if value is None:
            raise ConfigError(f"{thing} has no {key}, and the url has none")
    if port is not None and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"{thing} has an invalid port")
    if whole and (engine := text("engine")) is not None and engine not in _ENGINES:
        raise ConfigError(f"{thing} is for the engine '{engine}'", hint="write the url, without user and password")
    return url.set(
        username=user,
        password=password,
        host=host,
        port=None if port is None else int(port),
        database=url.database or text("dbname", "database"),
    )
