"""What happens when models go while they are wanted."""

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anomscan_mvad import records
from anomscan_mvad.errors import ApiError, DataError
from anomscan_mvad.fetching import Sources
from anomscan_mvad.requests import BatchRequest, LastRequest
from anomscan_mvad.service import Service
from anomscan_mvad.store import Store
from series import one_table, rows, stamp
from test_shapes import MODEL


class Engine:
    """Stands for an engine process: it stumbles, after what the test does in between."""

    def __init__(self, meanwhile: Any) -> None:
        self._meanwhile = meanwhile

    def ask(self, *_: Any, **__: Any) -> Any:
        self._meanwhile()
        raise DataError("UnexpectedError", "FileNotFoundError in the engine")

    def close(self) -> None:
        return


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    (tmp_path / "table.csv").write_text(one_table(rows(100)))
    store = Store(tmp_path / "data", records.read_model, records.read_result)
    service = Service(store, Sources(folders=(tmp_path.resolve(),)))
    yield service
    service.close()


def ready(service: Service) -> str:
    info: Any = MODEL["modelInfo"]
    return service._store.models.add({"created": 1.7e9, "updated": 1.7e9, "info": {**info, "status": "READY"}})


def outcome(service: Service, key: str, meanwhile: Any) -> str:
    """Ask for a batch and give the code of its error."""
    done: queue.SimpleQueue[str] = queue.SimpleQueue()
    failed = records.fail

    def fail(shelf: Any, result: str, error: Any) -> None:
        failed(shelf, result, error)
        done.put(result)

    service._batcher = Engine(meanwhile)  # type: ignore[assignment]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "fail", fail)
        asked = BatchRequest.read({"dataSource": "table.csv", "startTime": stamp(0), "endTime": stamp(50)})
        result = service.detect_batch(key, asked)["resultId"]
        assert done.get(timeout=600) == result
    state, _ = service.result(result)
    return str(state["summary"]["errors"][0]["code"])


def test_a_model_deleted_while_its_batch_starts(service: Service) -> None:
    key = ready(service)
    assert outcome(service, key, lambda: service.delete(key)) == "ModelNotExist"


def test_an_engine_that_stumbles_over_a_model_that_is_there(service: Service) -> None:
    assert outcome(service, ready(service), lambda: None) == "UnexpectedError"


def test_a_model_deleted_while_its_data_is_fetched(service: Service) -> None:
    key = ready(service)
    arrived, go = threading.Event(), threading.Event()
    fetch = service._sources.fetch

    class Slow(Sources):
        def fetch(self, source: str, folder: Path) -> str:
            arrived.set()
            assert go.wait(60)
            return fetch(source, folder)

    service._sources = Slow(folders=service._sources.folders)

    def delete() -> None:
        assert arrived.wait(60)
        service.delete(key)
        go.set()

    thread = threading.Thread(target=delete)
    thread.start()
    assert outcome(service, key, lambda: None) == "ModelNotExist"
    thread.join()


def test_a_model_deleted_before_its_last_row_is_scored(service: Service) -> None:
    key = ready(service)
    service._laster = Engine(lambda: service.delete(key))  # type: ignore[assignment]
    variables = [{"variable": "a", "timestamps": [stamp(0)], "values": [1]}]
    with pytest.raises(ApiError) as caught:
        service.detect_last(key, LastRequest.read({"variables": variables}))
    assert (caught.value.status, caught.value.code) == (404, "ModelNotExist")
