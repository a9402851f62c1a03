"""A service that refuses, is silent, or is not there at all."""

from __future__ import annotations

import re
import socket
import ssl
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from inspect import signature
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from anomscan.errors import ConfigError, ExitCode, ServiceError
from anomscan.sources.base import Request
from anomscan.sources.rest.source import Rest
from servers.rest_client import GOOD, KEY, fetch, settings_of
from servers.rest_faults import HTML, Call, Impatient, Reply, serving


def refused(answer: Callable[[Call], Reply], *assets: str, **keys: Any) -> ServiceError:
    with serving(answer) as service, pytest.raises(ServiceError) as caught:
        fetch(service.url + "/api", *(assets or ("a", "b")), **keys)
    assert "\n" not in str(caught.value)
    assert KEY not in "".join(traceback.format_exception(caught.value))
    return caught.value


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_ends_the_fetch(status: int) -> None:
    error = refused(lambda call: Reply(status, HTML))
    assert error.exit_code == ExitCode.SERVICE
    assert f"refuses us ({status})" in error.message
    assert error.hint == "check sources.far.key, key_in and key_name"
    assert "set sources.far.key" in str(refused(lambda call: Reply(status), key=""))


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(503), r"source 'far': .*failed \(503\); gave up at the deadline after \d+ calls \(and so for 1 more"),
        (Reply(429, b"", {"Retry-After": "0"}), r"too many calls \(429\)"),
        (Reply(cut=-1), "dropped the connection"),
    ],
)
def test_no_answer_for_any_asset_ends_the_fetch(reply: Reply, said: str) -> None:
    assert re.search(said, str(refused(lambda call: reply)))


def test_nothing_there_is_found_soon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    clock = Impatient()
    for url, said in (
        (f"http://127.0.0.1:{port}/api", "cannot be reached: connection refused, 3 times"),
        ("http://no-such-host.invalid/api", "there is no such host"),
        ("http://no..host/api", "there is no such host"),
    ):
        with pytest.raises(ServiceError, match=said) as caught:
            fetch(url, *"abcdefgh", clock=clock, concurrency=1)
        assert "check sources.far.url" in str(caught.value)
    assert sum(clock.waits) < 5


def test_a_silent_service_is_given_up() -> None:
    with serving(lambda call: Reply(body=GOOD, pause_s=3600)) as service, pytest.raises(ServiceError, match="in time"):
        fetch(service.url, "a", read_timeout_s=0.1, deadline_s=0.3)


@pytest.mark.parametrize("reply", [Reply(drip_s=0.02), Reply(body=GOOD, pieces=170, pause_s=0.2)])
def test_a_service_that_trickles_is_cut_at_the_deadline(reply: Reply) -> None:
    with serving(lambda call: reply) as service, pytest.raises(ServiceError):
        fetch(service.url, "a", deadline_s=0.4)


def test_a_caller_that_leaves_is_not_kept() -> None:
    def answer(call: Call) -> Reply:
        return Reply(body=GOOD) if call.parts[0] == "a" else Reply(body=GOOD, pause_s=3600)

    with serving(answer) as service:
        items = Rest("far", settings_of(service.url)).fetch(Request(("a", "b", "c", "d", "e")))
        assert isinstance(next(items), pa.Table)
        items.close()
        assert service.at_once > 0


def test_a_service_that_goes_down_gets_one_call_for_each_of_the_rest() -> None:
    def answer(call: Call) -> Reply:
        number = int(call.parts[0])
        return Reply(body=GOOD) if number < 3 or number > 90 else Reply(503)

    with serving(answer) as service:
        rows, failures, _ = fetch(service.url, *map(str, range(100)), concurrency=2)
        assert len(service.calls) < 250
    assert {int(row[0]) for row in rows} == {0, 1, 2, *range(91, 100)}
    assert len(failures) == 88
    with serving(lambda call: Reply(503)) as service:
        with pytest.raises(ServiceError, match="and so for 39 more assets"):
            fetch(service.url, *map(str, range(1000)), concurrency=2)
        assert len(service.calls) < 250


def test_so_many_assets_at_once_and_no_more() -> None:
    with serving(lambda call: Reply(body=GOOD, pause_s=0.01)) as service:
        rows, _, _ = fetch(service.url, *map(str, range(40)), concurrency=3)
        assert service.most_at_once == 3
        assert service.connections == 3
    assert len(rows) == 80


def test_waits_are_those_the_service_asks_for_or_grow_with_jitter() -> None:
    replies = [Reply(429, b"", {"Retry-After": "7"}), Reply(503, b"", {"Retry-After": "Fri, 08 Mar 2024 12:01:00 GMT"})]
    replies += [Reply(500), Reply(500), Reply(cut=-1), Reply(body=GOOD)]
    clock = Impatient(lambda low, high: high)
    with serving(lambda call: replies.pop(0)) as service:
        assert len(fetch(service.url, "a", clock=clock)[0]) == 2
    assert clock.waits == [7.0, 30.0, 2.0, 4.0, 8.0]
    clock = Impatient(lambda low, high: low)
    replies = [Reply(500), Reply(body=GOOD)]
    with serving(lambda call: replies.pop(0)) as service:
        fetch(service.url, "a", clock=clock)
    assert clock.waits == [0.0]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that has signed itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "anomscan tests")])
    now = datetime.now(UTC)
    uses = dict.fromkeys(signature(x509.KeyUsage).parameters, False) | {
        "digital_signature": True,
        "key_cert_sign": True,
    }
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**uses), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(signed.public_bytes(pem) + private)
    return path


def test_a_certificate_is_checked(certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with serving(lambda call: Reply(body=GOOD), tls) as service:
        with pytest.raises(ServiceError, match=r"certificate is not trusted: self.signed.*sources\.far\.ca"):
            fetch(service.url, "a")
        assert service.calls == []
        assert len(fetch(service.url, "a", ca=certificate)[0]) == 2
        with pytest.raises(ServiceError):
            fetch(service.url.replace("https", "http"), "a", deadline_s=0.5)
        with pytest.raises(ConfigError, match="cannot be read"):
            fetch(service.url, "a", ca=certificate.parent / "nowhere.pem")
    with serving(lambda call: Reply(body=GOOD)) as service, pytest.raises(ServiceError, match="over TLS"):
        fetch(service.url.replace("http", "https"), "a")
