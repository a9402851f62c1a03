"""Blobs and their signatures, against Azurite."""

from __future__ import annotations

import logging
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import urllib3
from azure.storage.blob import BlobServiceClient

from anomscan.detectors.azure.blob import BlobStaging, staging_of
from anomscan.detectors.azure.client import Mvad
from anomscan.detectors.azure.data import Table
from anomscan.detectors.azure.detector import AzureDetector
from anomscan.errors import AssetError, ConfigError, ServiceError
from servers.azurite import KEY as ACCOUNT_KEY
from servers.mvad_client import KEY, series_of, settings
from servers.mvad_loopback import Reply, Toy, serving

pytestmark = pytest.mark.servers

SERIES = series_of(np.sin(np.arange(120.0)).reshape(60, 2))
TABLE, _ = Table.of(SERIES, "Outer")


def staging(azurite, said: list[str] | None = None, **changes: object) -> BlobStaging:
    chosen = settings("http://127.0.0.1:1", storage_connection_string=azurite.connection_string, **changes)
    found = staging_of(chosen, pytest.fail if said is None else said.append, near=False)
    assert isinstance(found, BlobStaging)
    return found


def blobs(azurite, container: str) -> list[str]:
    client = BlobServiceClient.from_connection_string(azurite.connection_string).get_container_client(container)
    return sorted(client.list_blob_names()) if client.exists() else []


def status(url: str, method: str = "GET", data: bytes | None = None) -> int:
    headers = {"x-ms-blob-type": "BlockBlob"} if data else {}
    return urllib3.request(method, url, body=data, headers=headers, timeout=10, retries=False).status


def test_the_data_lies_there_for_the_block_alone_and_the_signature_can_only_read(azurite):
    with staging(azurite, container="one").placed(TABLE, "table") as url:
        bare, _, query = url.partition("?")
        signed = {name: values[0] for name, values in parse_qs(query).items()}
        assert (signed["sp"], signed["sr"]) == ("r", "b")
        assert status(url) == 200
        content = urllib3.request("GET", url, timeout=10).data
        assert content.startswith(b"timestamp,v0,v1\n2021-01-01T00:00:00Z,0.0,")
        assert status(url, "PUT", b"x") == 403
        assert status(url, "DELETE") == 403
        assert status(bare) in (403, 404)
        assert status(url.replace("sig=", "sig=A")) == 403
        (name,) = blobs(azurite, "one")
        assert urlsplit(bare).path.endswith(f"/one/{name}")
        with staging(azurite, container="one").placed(TABLE, "zip") as other:
            assert other.partition("?")[0].endswith(".zip")
            assert len(blobs(azurite, "one")) == 2
    assert blobs(azurite, "one") == []


def test_the_signature_soon_expires(azurite):
    from datetime import UTC, datetime

    with staging(azurite, sas_lifetime_s=60).placed(TABLE, "table") as url:
        expiry = datetime.fromisoformat(parse_qs(urlsplit(url).query)["se"][0])
    assert 50 < (expiry - datetime.now(UTC)).total_seconds() <= 60


@pytest.mark.parametrize("layout", ["table", "zip", "folder"])
def test_a_managed_identity_gets_the_plain_address(azurite, layout):
    with staging(azurite, access="managed-identity", container="plain").placed(TABLE, layout) as url:
        assert "?" not in url
        names = blobs(azurite, "plain")
        assert len(names) == (2 if layout == "folder" else 1)
        assert all(f"/plain/{name}".startswith(urlsplit(url).path.removeprefix("/devstoreaccount1")) for name in names)
    assert blobs(azurite, "plain") == []


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, ServiceError])
def test_the_blob_goes_whatever_happens(azurite, trouble):
    def put_and_fail() -> None:
        with staging(azurite, container="trouble").placed(TABLE, "table"):
            assert len(blobs(azurite, "trouble")) == 1
            raise trouble("x")

    with pytest.raises(trouble):
        put_and_fail()
    assert blobs(azurite, "trouble") == []


@pytest.fixture
def lease(azurite):
    """Leases a container's only blob, so that it cannot be removed; its name."""
    held = []

    def take(container: str) -> str:
        client = BlobServiceClient.from_connection_string(azurite.connection_string).get_container_client(container)
        (name,) = blobs(azurite, container)
        held.append(client.get_blob_client(name).acquire_lease())
        return name

    yield take
    for each in held:
        each.release()


@pytest.mark.parametrize("trouble", [None, KeyboardInterrupt, ServiceError])
def test_a_blob_that_cannot_be_removed_is_told_of(azurite, lease, trouble):
    said: list[str] = []
    container = f"leased-{trouble.__name__.lower()}" if trouble else "leased"
    with suppress(*filter(None, [trouble])), staging(azurite, said, container=container).placed(TABLE, "table"):
        name = lease(container)
        if trouble:
            raise trouble("x")
    assert len(said) == 1
    assert said[0].startswith(
        f"the blob {name} may be left in the container {container}: removing it: the storage account"
    )


def test_a_failed_detection_does_not_hide_that_its_blob_is_left(azurite, lease):
    said: list[str] = []
    left: list[str] = []
    toy = Toy()
    toy.add_model(["v0", "v1"], "m")

    def answer(call):
        if not call.path.endswith(":detect-batch"):
            return None
        left.append(lease("failing"))
        return Reply(400, {"code": "InvalidBlobURL", "message": "no"})

    with serving(answer, toy) as service:
        stored = {"storage_connection_string": azurite.connection_string, "container": "failing"}
        chosen = settings(service.url, **stored)
        detector = AzureDetector("azure", chosen, Mvad(chosen), staging_of(chosen, said.append, near=True))
        with pytest.raises(ServiceError, match="InvalidBlobURL"):
            detector.score([SERIES], 1)
    assert [line.partition(" may be left")[0] for line in said] == [f"the blob {name}" for name in left]
    assert len(said) == 1


def test_an_interruption_in_the_middle_of_removing_names_what_may_be_left(azurite, monkeypatch):
    said: list[str] = []

    def interrupted(self, name, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("azure.storage.blob.ContainerClient.delete_blob", interrupted)
    placed = staging(azurite, said, container="twice", access="managed-identity").placed(TABLE, "folder")
    with pytest.raises(KeyboardInterrupt), placed:
        names = blobs(azurite, "twice")
    assert len(names) == 2
    assert said == [f"blobs may be left in the container twice: {', '.join(names)}"]


def test_the_whole_way_through_blobs(azurite, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, "urllib3")  # by which the toy reads the address in this very process
    values = SERIES.values.copy()
    values[50] = 8.0
    toy = Toy()
    toy.add_model(["v0", "v1"], "m")
    with serving(toy) as service:
        chosen = settings(service.url, storage_connection_string=azurite.connection_string, container="way")
        detector = AzureDetector("azure", chosen, Mvad(chosen), staging_of(chosen, print, near=True))
        (found,) = detector.score([series_of(values)], 1)
    assert np.flatnonzero(found.is_anomaly).tolist() == [50]
    assert "sig=" in toy.read[0]
    assert blobs(azurite, "way") == []
    said = caplog.text + "".join(capfd.readouterr()) + repr(found.notes) + repr(chosen)
    signature = parse_qs(urlsplit(toy.read[0]).query)["sig"][0]
    for secret in (KEY, ACCOUNT_KEY, signature, toy.read[0].rpartition("sig=")[2]):
        assert secret not in said


def test_a_refusal_that_quotes_the_address_is_told_without_the_signature(azurite):
    toy = Toy()
    toy.add_model(["v0", "v1"], "m")

    def answer(call):
        if not call.path.endswith(":detect-batch"):
            return None
        return Reply(400, {"code": "InvalidBlobURL", "message": f"cannot read {call.body['dataSource']} at all"})

    with serving(answer, toy) as service:
        chosen = settings(service.url, storage_connection_string=azurite.connection_string)
        detector = AzureDetector("azure", chosen, Mvad(chosen), staging_of(chosen, print, near=True))
        with pytest.raises(ServiceError, match=r"InvalidBlobURL: cannot read http://.*sig=\*\*\*") as caught:
            detector.score([SERIES], 1)
    assert "%" not in str(caught.value).partition("sig=")[2][:10]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "is not a connection string"),
        ("BlobEndpoint=https://a.blob.core.windows.net;SharedAccessSignature=sv=1&sig=secret", "has no AccountKey"),
    ],
)
def test_a_connection_string_that_cannot_sign(text, says):
    with pytest.raises(ConfigError, match=says) as caught:
        staging_of(settings("https://x", storage_connection_string=text), print, near=False)
    assert "secret" not in str(caught.value)


def test_no_storage_for_a_service_elsewhere():
    with pytest.raises(ConfigError, match=r"reads its data from a storage account, and none is set"):
        staging_of(settings("https://x.cognitiveservices.azure.com"), print, near=False)


def test_a_folder_cannot_be_signed_for(azurite):
    with pytest.raises(ConfigError, match="a SAS opens one blob"), staging(azurite).placed(TABLE, "folder"):
        pass


def test_a_storage_account_that_refuses_or_is_not_there(azurite):
    wrong = azurite.connection_string.replace(ACCOUNT_KEY, "d3Jvbmc=")
    gone = azurite.connection_string.replace(f":{azurite.port}/", ":9/")
    for text, says, left in [(wrong, "refuses (403 ", 0), (gone, "cannot be reached", 1)]:
        chosen = settings("https://x", storage_connection_string=text)
        said: list[str] = []
        with pytest.raises(ServiceError) as caught, staging_of(chosen, said.append, near=False).placed(TABLE, "table"):
            pass
        assert len(said) == left
        assert says in str(caught.value)
        assert "MAC" not in str(caught.value)
        assert isinstance(caught.value, ServiceError)
        assert not isinstance(caught.value, AssetError)
