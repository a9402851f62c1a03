"""Publishing to Azure storage, against Azurite: nothing is overwritten unawares, and what was written is said."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from azure.storage.blob import BlobServiceClient

from anomscan.cli.app import run
from anomscan.errors import ConfigError, OutputError
from anomscan.reports.azure_blobs import Container
from anomscan.reports.publish import parse_target, publish, staged
from servers.azurite import ACCOUNT, Azurite

pytestmark = pytest.mark.servers

PLACE = f"fleet@{ACCOUNT}.dfs.core.windows.net"


@pytest.fixture(scope="module")
def server():
    with Azurite() as server:
        yield server


@pytest.fixture
def container(server, monkeypatch, tmp_path):
    """An empty container, which the command line finds."""
    for name in ("ACCOUNT", "KEY", "SAS_TOKEN"):
        monkeypatch.delenv(f"AZURE_STORAGE_{name}", raising=False)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", server.connection_string)
    kept = tmp_path / "kept"
    kept.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(kept))
    with closing(BlobServiceClient.from_connection_string(server.connection_string)) as client:
        container = client.get_container_client("fleet")
        container.create_container()
        yield container
        container.delete_container()


def blobs(container):
    found = {}
    for item in container.list_blobs():
        found[item.name] = (container.download_blob(item.name).readall(), item.content_settings.content_type)
    return found


def write(url, text, *, overwrite=False, said=None, latest=False):
    target = parse_target(url, "index.html", folder=True)
    say = (said if said is not None else []).append
    with staged(target, overwrite=overwrite, say=say, latest=latest) as path:
        path.write_text(text)
        (path.parent / "charts").mkdir()
        (path.parent / "charts" / "a.svg").write_text("<svg/>")


def test_pages_are_published_with_their_types_and_not_overwritten_unless_asked(container):
    said = []
    write(f"abfs://{PLACE}/r/2026", "one", said=said, latest=True)
    page, kind = blobs(container).pop("r/latest/index.html")
    assert (b"url=../2026/index.html" in page, kind) == (True, "text/html; charset=utf-8")
    expected = {
        "r/2026/index.html": (b"one", "text/html; charset=utf-8"),
        "r/2026/charts/a.svg": (b"<svg/>", "image/svg+xml"),
    }
    assert {name: blob for name, blob in blobs(container).items() if "latest" not in name} == expected
    names = f"abfs://{PLACE}/r/2026/charts/a.svg, abfs://{PLACE}/r/2026/index.html"
    assert said == [f"published {names} (9 bytes)", f"abfs://{PLACE}/r/latest/index.html leads there"]
    with pytest.raises(OutputError, match=rf"abfs://{PLACE}/r/2026/index.html already exists .*--overwrite"):
        write(f"abfs://{PLACE}/r/2026", "two")
    assert blobs(container)["r/2026/index.html"][0] == b"one"
    write(f"abfs://{PLACE}/r/2026", "two", overwrite=True)
    assert blobs(container)["r/2026/index.html"][0] == b"two"


def test_of_writers_at_once_exactly_one_wins(container, tmp_path):
    target = parse_target(f"abfs://{PLACE}/race", "results.jsonl")
    start = threading.Barrier(4)

    def writer(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "results.jsonl").write_text(str(number))
        store = Container(PLACE)
        start.wait()
        try:
            publish(folder, target, store, overwrite=False)
        except OutputError as error:
            return str(error)
        return number

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(writer, range(4)))
    (winner,) = (outcome for outcome in outcomes if isinstance(outcome, int))
    assert all("already exists" in outcome for outcome in outcomes if outcome != winner)
    assert blobs(container)["race/results.jsonl"][0] == str(winner).encode()


def test_a_blob_that_this_run_wrote_is_known_as_ours(container, tmp_path):
    file = tmp_path / "x.json"
    file.write_text("{}")
    store = Container(PLACE)
    store.put("x.json", file, "application/json", overwrite=False)
    store.put("x.json", file, "application/json", overwrite=False)
    with pytest.raises(OutputError, match="already exists"):
        Container(PLACE).put("x.json", file, "application/json", overwrite=False)


def test_refusals_are_one_line_without_secrets(container, server, monkeypatch):
    with pytest.raises(OutputError, match="there is no container 'nowhere'"):
        write(f"abfs://nowhere@{ACCOUNT}.dfs.core.windows.net/r", "one")
    monkeypatch.setenv("AZURE_STORAGE_KEY", "c2VjcmV0")
    with pytest.raises(OutputError, match=r"the storage account refuses \(403") as caught:
        write(f"abfs://{PLACE}/r", "one")
    assert "c2VjcmV0" not in str(caught.value)
    monkeypatch.delenv("AZURE_STORAGE_KEY")
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING")
    with pytest.raises(ConfigError, match="there is no key for the storage account"):
        write(f"abfs://{PLACE}/r", "one")


def test_a_report_goes_there_by_the_command_line(container, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "anomscan.toml").write_text("")
    record = (
        '{"schema": "anomscan.scan/1", "asset": "a", "detector": "rcf", "from": "2017-01-01", "to": "2017-01-02", '
        '"spans": [], "anomalies": [], "verdicts": {"ok": 2, "anomalous": 0, "warming-up": 0, "skipped": 0, '
        '"no-data": 0}, "error": null}\n'
    )
    (tmp_path / "results.jsonl").write_text(record)
    for format_, key in (("csv", "lists/report.csv"), ("incidents-csv", "lists/incidents.csv")):
        assert run(["report", "results.jsonl", "--format", format_, "-o", f"abfs://{PLACE}/lists"]) == 0
        assert blobs(container)[key][1] == "text/csv; charset=utf-8"
    assert run(["report", "results.jsonl", "-o", f"abfs://{PLACE}/pages/1", "--latest"]) == 0
    assert {"pages/1/index.html", "pages/latest/index.html"} <= {*blobs(container)}
    assert run(["report", "results.jsonl", "-o", f"abfs://{PLACE}/pages/1"]) == 7
    capsys.readouterr()
    assert run(["report", "results.jsonl", "-o", "pages", "--latest"]) == 2
    assert "--latest is for pages that are published" in capsys.readouterr().err
