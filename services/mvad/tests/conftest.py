import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from series import files, one_table, packed, rows
from serving import Served, serving
from webserver import Web, web


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def page() -> Iterator[Web]:
    with web() as page:
        yield page


@pytest.fixture(scope="session")
def server(data: Path, page: Web) -> Iterator[Served]:
    sources = data / "sources"
    sources.mkdir()
    telemetry = rows(600, spikes=(450, 500))
    (sources / "table.csv").write_text(one_table(telemetry))
    (sources / "files.zip").write_bytes(packed(files(telemetry)))
    (sources / "folder").mkdir()
    for name, text in files(telemetry).items():
        (sources / "folder" / name).write_text(text)
    with serving(data, "--allow-host", f"127.0.0.1:{page.port}", "--max-source-mb", "8") as served:
        yield served


@pytest.fixture(scope="session")
def model(server: Served) -> str:
    key = server.train(displayName="waves")
    body = server.wait(f"/models/{key}")
    assert body["modelInfo"]["status"] == "READY", body
    return key


@pytest.fixture(scope="session")
def fixtures() -> Path:
    root = Path(__file__).resolve().parents[3]
    folder = Path(os.environ.get("ANOMSCAN_FIXTURES", root / "../shared/fixtures")) / "azure"
    if not folder.is_dir():
        pytest.skip(f"the recordings are not here: {folder}; set ANOMSCAN_FIXTURES")
    return folder
