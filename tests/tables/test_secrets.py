"""Secrets that stand elsewhere: the environment, files, and AWS Secrets Manager as moto serves it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from pydantic import SecretStr

from anomscan.config import Columns, SqlSource, explain, load
from anomscan.errors import AnomscanError, ConfigError, MissingExtraError, ServiceError
from anomscan.sources.sql.address import database_url
from anomscan.tables.secrets import document, resolve

AWS = "aws-secretsmanager://"
FIELDS = {"username": "joe", "password": "hunter2@/:", "host": "db.example.com", "port": 3307, "dbname": "fleet"}


def settings(**keys: Any) -> SqlSource:
    columns = Columns(asset="asset", values=("v",))
    return SqlSource(kind="sql", query="SELECT :start, :end", cadence="1D", columns=columns, **keys)


def fails(kind: type[AnomscanError], action: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        action()
    assert type(caught.value) is kind
    text = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in text
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_no_reference_is_the_secret_itself() -> None:
    for text in ("hunter2", "mysql://u:p@h/d", "", "environment", "ENV:X"):
        secret = SecretStr(text)
        assert resolve(secret) is secret


def test_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_SECRET", json.dumps(FIELDS))
    assert json.loads(resolve(SecretStr("env:DB_SECRET")).get_secret_value()) == FIELDS
    assert resolve(SecretStr("env:DB_SECRET#password")).get_secret_value() == FIELDS["password"]
    assert "no text in its field 'pass'" in fails(ConfigError, lambda: resolve(SecretStr("env:DB_SECRET#pass")))
    for value in ("", None):
        monkeypatch.delenv("DB_SECRET") if value is None else monkeypatch.setenv("DB_SECRET", value)
        told = fails(ConfigError, lambda: resolve(SecretStr("env:DB_SECRET")))
        assert told.startswith("the environment variable 'DB_SECRET' is not set")


@pytest.mark.parametrize(
    ("content", "secret"),
    [(b"hunter2\n", "hunter2"), (b"hunter2\r\n", "hunter2"), (b" hunter2 \n\n", " hunter2 \n"), ("ü".encode(), "ü")],
)
def test_a_file(tmp_path: Path, content: bytes, secret: str) -> None:
    (tmp_path / "s").write_bytes(content)
    assert resolve(SecretStr(f"file:{tmp_path / 's'}")).get_secret_value() == secret


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read: No such file or directory"),
        (b" \n", "is empty"),
        (b"hunter2\xff", "is not text"),
        (b"hunter2" * 200_000, "is too large"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, content: bytes | None, told: str) -> None:
    if content is not None:
        (tmp_path / "s").write_bytes(content)
    assert told in fails(ConfigError, lambda: resolve(SecretStr(f"file:{tmp_path / 's'}")))


def test_files_are_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps(FIELDS))
    (tmp_path / "u").write_text("mysql://u:hunter2@h/d\n")
    (tmp_path / "anomscan.toml").write_text(
        '[sources.db]\nkind = "sql"\nurl = "file:u"\nsecret = "file:./s.json"\nquery = "q"\ncadence = "1D"\n'
        "columns = { asset = 'a', values = ['v'] }\n"
    )
    source = load(tmp_path / "anomscan.toml", environ={}, cwd=Path("/")).settings.sources["db"]
    assert isinstance(source, SqlSource)
    assert source.secret == f"file:{tmp_path / 's.json'}"
    assert database_url("db", source).render_as_string(hide_password=False) == "mysql+pymysql://u:hunter2@h:3307/d"


def test_the_env_file_reaches_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_B", "of the environment")
    monkeypatch.setenv("TOKEN_A", "")
    monkeypatch.delenv("TOKEN_A")
    (tmp_path / ".env").write_text("TOKEN_A=hunter2\nTOKEN_B=of the file\n")
    load(cwd=tmp_path)
    assert resolve(SecretStr("env:TOKEN_A")).get_secret_value() == "hunter2"
    assert resolve(SecretStr("env:TOKEN_B")).get_secret_value() == "of the environment"


@pytest.mark.parametrize("text", ["hunter2", '{"password": "hunter2"}', "mysql://u:hunter2@h/d"])
def test_a_secret_in_place_of_a_reference_is_not_repeated(tmp_path: Path, text: str) -> None:
    (tmp_path / "anomscan.toml").write_text(
        f"[sources.db]\nkind = 'sql'\nsecret = '{text}'\nquery = 'q'\ncadence = '1D'\n"
        "columns = { asset = 'a', values = ['v'] }\n"
    )
    assert "the secret of a source is not a reference (it must begin with env:," in fails(
        ConfigError, lambda: load(cwd=tmp_path)
    )


def test_settings_do_not_show_secrets(tmp_path: Path) -> None:
    (tmp_path / "anomscan.toml").write_text(
        "[sources.db]\nkind = 'sql'\nurl = 'mysql://u:hunter2@h/d'\nsecret = 'env:DB'\nquery = 'q'\ncadence = '1D'\n"
        "columns = { asset = 'a', values = ['v'] }\n"
    )
    loaded = load(cwd=tmp_path, environ={})
    assert "hunter2" not in repr(loaded) + str(explain(loaded))
    assert ("sources.db.secret", '"env:DB"') in [row[:2] for row in explain(loaded)]
    shown = subprocess.run(
        [sys.executable, "-m", "anomscan", "config", "show"], cwd=tmp_path, capture_output=True, text=True
    )
    assert shown.returncode == 0
    assert "hunter2" not in shown.stdout + shown.stderr


# What a secret adds to a URL.


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    def write(**fields: object) -> str:
        monkeypatch.setenv("DB", json.dumps(fields))
        return "env:DB"

    return write


@pytest.mark.parametrize(
    ("url", "fields", "whole"),
    [
        (None, FIELDS, "mysql+pymysql://joe:hunter2%40%2F%3A@db.example.com:3307/fleet"),
        (None, FIELDS | {"engine": "aurora-mysql", "port": "3307"}, "mysql+pymysql://joe:hunter2%40%2F%3A@db.example.com:3307/fleet"),
        ("mysql:///other", FIELDS, "mysql+pymysql://joe:hunter2%40%2F%3A@db.example.com:3307/other"),
        ("mariadb+pymysql://ann@h:1/d?charset=utf8mb4", FIELDS, "mariadb+pymysql://ann:hunter2%40%2F%3A@h:1/d?charset=utf8mb4"),
        ("mysql://h/d", {"user": "joe", "password": "p"}, "mysql+pymysql://joe:p@h/d"),
        ("mysql://u@h/d", {"password": 12345}, "mysql+pymysql://u:12345@h/d"),
    ],
)  # fmt: skip
def test_a_secret_fills_what_the_url_lacks(
    secret: Callable[..., str], url: str | None, fields: dict[str, object], whole: str
) -> None:
    found = database_url("db", settings(url=url, secret=secret(**fields)))
    assert found.render_as_string(hide_password=False) == whole
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("url", "fields", "told"),
    [
        (None, {**FIELDS, "password": ""}, "has no password, and the url has none"),
        ("mysql://h/d", {"password": "hunter2"}, "has no username, and the url has none"),
        ("mysql://", {"username": "joe", "password": "hunter2"}, "has no host"),
        (None, {**FIELDS, "password": ["hunter2"]}, "has a password that is not text"),
        (None, {**FIELDS, "port": "hunter2"}, "has an invalid port"),
        (None, {**FIELDS, "engine": "postgres"}, "is for the engine 'postgres' (write the url,"),
    ],
)
def test_a_secret_without_what_is_needed(
    secret: Callable[..., str], url: str | None, fields: dict[str, object], told: str
) -> None:
    assert told in fails(ConfigError, lambda: database_url("db", settings(url=url, secret=secret(**fields))))


def test_neither_url_nor_secret() -> None:
    assert "sources.db: url is missing" in fails(ConfigError, lambda: database_url("db", settings()))


# AWS Secrets Manager.


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def aws(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    client = boto3.client("secretsmanager", region_name="us-east-1")
    yield client
    for found in client.list_secrets(IncludePlannedDeletion=True)["SecretList"]:
        client.delete_secret(SecretId=found["Name"], ForceDeleteWithoutRecovery=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["SecretString", "SecretBinary", "base64"])
def test_json_as_text_and_as_bytes(aws: Any, kind: str) -> None:
    text = json.dumps(FIELDS).encode()
    content = {"SecretString": text.decode(), "SecretBinary": text, "base64": base64.b64encode(text)}[kind]
    aws.create_secret(Name="prod/rds", **{"SecretBinary" if kind == "base64" else kind: content})
    assert document(f"{AWS}prod/rds?region=us-east-1") == FIELDS
    url = database_url("db", settings(secret=f"{AWS}prod/rds?region=us-east-1"))
    assert (url.username, url.password, url.host, url.port) == ("joe", "hunter2@/:", "db.example.com", 3307)


def test_the_region_is_that_of_the_arn_or_of_the_environment(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    arn = aws.create_secret(Name="s", SecretString="hunter2")["ARN"]
    assert resolve(SecretStr(AWS + arn)).get_secret_value() == "hunter2"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert resolve(SecretStr(f"{AWS}s")).get_secret_value() == "hunter2"


def test_a_field_of_a_secret(aws: Any) -> None:
    aws.create_secret(Name="api", SecretString='{"key": "hunter2"}')
    assert resolve(SecretStr(f"{AWS}api?region=us-east-1#key")).get_secret_value() == "hunter2"


def test_a_secret_that_is_not_found(aws: Any) -> None:
    told = fails(ServiceError, lambda: document(f"{AWS}none?region=us-east-1"))
    assert told == "AWS Secrets Manager: the secret 'none' was not found (check its name and its region)"
    aws.create_secret(Name="s", SecretString="{}")
    assert "was not found" in fails(ServiceError, lambda: document(f"{AWS}s?region=eu-west-1"))


def test_a_secret_marked_for_deletion(aws: Any) -> None:
    aws.create_secret(Name="s", SecretString="hunter2")
    aws.delete_secret(SecretId="s")
    told = fails(ServiceError, lambda: document(f"{AWS}s?region=us-east-1"))
    assert "cannot be returned: InvalidRequestException (is it marked for deletion" in told


@pytest.mark.slow
@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException", "UnrecognizedClientException"])
def test_a_secret_denied_to_us(
    code: str, monkeypatch: pytest.MonkeyPatch, aws: Any, refusing: Callable[..., str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", refusing(code))
    told = fails(ServiceError, lambda: document(f"{AWS}s?region=us-east-1"))
    assert f"is denied to us: {code} (allow secretsmanager:GetSecretValue" in told


def test_a_parameter_that_is_none(monkeypatch: pytest.MonkeyPatch, aws: Any, refusing: Callable[..., str]) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", refusing("InvalidParameterException"))
    assert "InvalidParameterException" in fails(ServiceError, lambda: document(f"{AWS}s?region=us-east-1"))


@pytest.mark.parametrize("text", ["hunter2", '["hunter2"]', '{"password": "hunter2"', "aHVudGVyMg=="])
def test_a_secret_that_is_not_json(aws: Any, text: str) -> None:
    aws.create_secret(Name="s", SecretString=text)
    told = fails(ConfigError, lambda: document(f"{AWS}s?region=us-east-1"))
    assert "the secret 'aws-secretsmanager://s?region=us-east-1' is not a JSON object" in told


def test_no_region_no_credentials_no_way(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "has no region (add ?region=us-east-1" in fails(ConfigError, lambda: document(f"{AWS}s"))
    for text in ("", "s?regoin=us-east-1"):
        assert "is not understood" in fails(ConfigError, lambda text=text: document(AWS + text))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert "Could not connect" in fails(ServiceError, lambda: document(f"{AWS}s?region=us-east-1"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert "there are no credentials" in fails(ServiceError, lambda: document(f"{AWS}s?region=us-east-1"))


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    told = fails(MissingExtraError, lambda: document(f"{AWS}s?region=us-east-1"))
    assert told == "AWS Secrets Manager needs the extra 'aws' (pip install 'anomscan[aws]')"


@pytest.fixture
def refusing() -> Iterator[Callable[..., str]]:
    """A service that refuses with a code of its own: moto checks no permissions."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        code = ""

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps({"__type": self.code, "Message": "User hunter2 may not"}).encode()
            self.send_response(400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()

        def refuse(code: str) -> str:
            Handler.code = code
            return f"http://127.0.0.1:{http.server_port}"

        yield refuse
        http.shutdown()
        thread.join()
