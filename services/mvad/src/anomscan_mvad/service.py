"""The operations of the API: trainings and detections, which are queued and resumed after a restart."""

import logging
import queue
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anomscan_mvad import limits, records
from anomscan_mvad.children import Child
from anomscan_mvad.errors import ApiError, DataError
from anomscan_mvad.fetching import Sources, remove
from anomscan_mvad.requests import BatchRequest, LastRequest, TrainRequest, instant
from anomscan_mvad.store import Shelf, State, Store

log = logging.getLogger(__name__)
MAX_ATTEMPTS = 3
"""A training during which the server was killed this often is not tried again."""
FETCHES = 4
"""Most downloads at a time."""


class Service:
    """Models and results, and the threads that produce them.

    Data is fetched as soon as it is requested, since a signature may expire while a training waits. Then one training
    and one batch detection run at a time, each in its own process; detect-last runs in a third.

    Parameters
    ----------
    store : Store
    sources : Sources
    stride : int
        Rows from one training window to the next; 0 chooses by the number of rows.
    """

    def __init__(self, store: Store, sources: Sources, stride: int = 0) -> None:
        self._store = store
        self._stride = stride
        self._sources = sources
        self._posting = threading.Lock()
        self._stopping = threading.Event()
        work = store.folder / "work"
        self._trainer, self._batcher, self._laster = (Child(work) for _ in range(3))
        self._training: str | None = None
        self._fetching = threading.Semaphore(FETCHES)
        self._trainings: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._batches: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._serve, args=(self._trainings, self._train), daemon=True),
            threading.Thread(target=self._serve, args=(self._batches, self._batch), daemon=True),
        ]
        self._resume()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop; work that waits or runs stays on disk and resumes at the next start."""
        self._stopping.set()
        for child in (self._trainer, self._batcher, self._laster):
            child.close()
        self._trainings.put(None)
        self._batches.put(None)
        for thread in self._threads:
            thread.join()
        self._store.close()

    def train(self, request: TrainRequest) -> State:
        """Accept a training and return the new model's public state."""
        source = self._sources.check(request.source)
        now = datetime.now(UTC)
        info = {
            "dataSource": source,
            "dataSchema": request.schema,
            "startTime": instant(request.start),
            "endTime": instant(request.end),
            "displayName": request.name,
            "slidingWindow": request.window,
            "alignPolicy": {
                "alignMode": request.align,
                "fillNAMethod": request.fill,
                "paddingValue": request.padding,
            },
            "status": "CREATED",
            "errors": [],
            "diagnosticsInfo": {"modelState": records.EMPTY_CURVE, "variableStates": []},
        }
        with self._posting:
            if len(self._store.models.items()) >= limits.MAX_MODELS:
                raise ApiError(400, "TooManyModels", "This server has reached the maximum number of models.")
            if self._pending(self._store.models) >= limits.MAX_PENDING:
                raise ApiError(
                    400, "TooManyRunningModels", "This server has reached the maximum number of running models."
                )
            key = self._store.models.add({"created": now.timestamp(), "updated": now.timestamp(), "info": info})
        self._fetch(self._store.models, key, request.source, self._trainings)
        return self.model(key)

    def model(self, key: str) -> State:
        """Return a model's public state; ApiError 404 ModelNotExist if there is none."""
        return records.public(key, self._model(key))

    def list_models(self) -> list[State]:
        """List all models, most recently updated first."""
        newest = sorted(self._store.models.items(), key=lambda pair: (-pair[1]["updated"], pair[0]))
        return [records.public(key, state) for key, state in newest]

    def delete(self, key: str) -> None:
        """Delete a model and stop its training."""
        if not self._store.models.delete(key):
            raise _no_model()
        if self._training == key:
            self._trainer.kill()

    def detect_batch(self, key: str, request: BatchRequest) -> State:
        """Accept a detection and return the new result's public state."""
        self._ready(key)
        source = self._sources.check(request.source)
        self._store.results.forget_old()
        now = datetime.now(UTC)
        summary = {
            "status": "CREATED",
            "errors": [],
            "variableStates": [],
            "setupInfo": {
                "dataSource": source,
                "topContributorCount": request.top,
                "startTime": instant(request.start),
                "endTime": instant(request.end),
            },
        }
        with self._posting:
            if self._pending(self._store.results) >= limits.MAX_PENDING:
                raise ApiError(429, "TooManyRequests", "Too many detections wait; poll until some are done.")
            result = self._store.results.add({"created": now.timestamp(), "model": key, "summary": summary})
        self._fetch(self._store.results, result, request.source, self._batches)
        return {"resultId": result, "summary": summary, "results": []}

    def result(self, key: str) -> tuple[State, Path | None]:
        """Return a result's public state without its ``results``, and the file that holds them once it is READY."""
        state = self._store.results.get(key)
        if state is None:
            raise ApiError(404, "ResultNotExist", "The result does not exist.")
        summary = state["summary"]
        file = self._store.results.path(key) / "results.json" if summary["status"] == "READY" else None
        return {"resultId": key, "summary": summary}, file

    def detect_last(self, key: str, request: LastRequest) -> State:
        """Score the last of the given rows."""
        model = self._ready(key)
        asked = {"do": "last", "variables": request.variables, "top": request.top} | self._engine_terms(key, model)
        try:
            return self._laster.ask(asked, limits.LAST_TIMEOUT_S, wait_s=limits.LAST_TIMEOUT_S)
        except DataError as error:
            if not self._is_there(key):  # deleted in the meantime, which made the engine fail
                raise _no_model() from None
            raise ApiError(500 if error.code == "UnexpectedError" else 400, error.code, error.message) from None

    def _model(self, key: str) -> State:
        state = self._store.models.get(key)
        if state is None:
            raise _no_model()
        return state

    def _is_there(self, key: str) -> bool:
        return self._store.models.get(key) is not None

    def _ready(self, key: str) -> State:
        state = self._model(key)
        if state["info"]["status"] == "FAILED":
            raise ApiError(400, "ModelFailed", "Model failed to be trained.")
        if state["info"]["status"] != "READY":
            raise ApiError(400, "ModelNotReady", "The model is not ready yet.")
        return state

    @staticmethod
    def _pending(shelf: Shelf) -> int:
        return sum(records.part(state)["status"] in records.PENDING for _, state in shelf.items())

    def _fetch(self, shelf: Shelf, key: str, source: str, then: "queue.SimpleQueue[str | None]") -> None:
        def fetch() -> None:
            failure: DataError | None = DataError("UnexpectedError", "the data could not be fetched")
            try:
                with self._fetching:
                    folder = shelf.path(key) / "source"
                    folder.mkdir()
                    name = self._sources.fetch(source, folder)
                    failure = None
            except DataError as error:
                failure = error
            except OSError as error:
                failure = DataError("StorageReadError", f"the data cannot be kept: {error.strerror}")
            finally:
                if failure is not None:
                    records.fail(shelf, key, failure)
            if failure is None and shelf.change(key, lambda state: state.update(source=name)):
                then.put(key)

        # A daemon, so that a slow download does not keep the server from stopping.
        threading.Thread(target=fetch, daemon=True).start()

    def _serve(self, keys: "queue.SimpleQueue[str | None]", do: Callable[[str], None]) -> None:
        while (key := keys.get()) is not None and not self._stopping.is_set():
            try:
                do(key)
            except OSError:
                # A full disk, for example: this one stays as it is until the next start; the others go on.
                log.exception("working on %s", key)

    def _engine_terms(self, key: str, model: State) -> dict[str, Any]:
        info = model["info"]
        policy = info["alignPolicy"]
        return {
            "model": str(self._store.models.path(key)),
            "schema": info["dataSchema"],
            "window": info["slidingWindow"],
            "align": policy["alignMode"],
            "fill": policy["fillNAMethod"],
            "padding": policy["paddingValue"],
            "maxBytes": self._sources.max_bytes,
        }

    def _train(self, key: str) -> None:
        shelf = self._store.models
        shelf.change(key, records.begin)
        state = shelf.get(key)
        if state is None:
            return
        self._training = key
        source = shelf.path(key) / "source" / state["source"]
        times = {"start": state["info"]["startTime"], "end": state["info"]["endTime"]}
        asked = {"do": "train", "source": str(source), "stride": self._stride} | times | self._engine_terms(key, state)

        def note(found: dict[str, Any]) -> None:
            if not shelf.change(key, lambda state: records.note(state, found)):
                self._trainer.kill()  # the model was deleted

        try:
            done = self._trainer.ask(asked, limits.TRAIN_TIMEOUT_S, note)
        except DataError as error:
            if self._stopping.is_set():
                records.stopped(shelf, key)
            else:
                records.fail(shelf, key, error)
        else:
            shelf.change(key, lambda state: records.note(state, done, "READY"))
            remove(source.parent)
        finally:
            self._training = None
            # A new process for each training, so that its memory is freed.
            self._trainer.kill()

    def _batch(self, key: str) -> None:
        shelf = self._store.results
        shelf.change(key, records.begin)
        state = shelf.get(key)
        if state is None:
            return
        folder = shelf.path(key)
        setup = state["summary"]["setupInfo"]
        try:
            model = self._ready(state["model"])
            asked = {
                "do": "batch",
                "source": str(folder / "source" / state["source"]),
                "start": setup["startTime"],
                "end": setup["endTime"],
                "top": setup["topContributorCount"],
                "out": str(folder / "results.json"),
            }
            done = self._batcher.ask(asked | self._engine_terms(state["model"], model), limits.BATCH_TIMEOUT_S)
        except (ApiError, DataError) as error:
            if self._stopping.is_set():
                records.stopped(shelf, key)
            else:
                records.fail(shelf, key, error if self._is_there(state["model"]) else _no_model())
        else:
            shelf.change(key, lambda state: state["summary"].update(done, status="READY"))
            remove(folder / "source")

    def _resume(self) -> None:
        remove(self._store.folder / "work")
        self._store.results.forget_old()
        for shelf, keys in ((self._store.models, self._trainings), (self._store.results, self._batches)):
            for key, state in shelf.items():
                if records.part(state)["status"] not in records.PENDING:
                    remove(shelf.path(key) / "source")
                elif "source" not in state:
                    reason = "the server was stopped before the data was read; ask again"
                    records.fail(shelf, key, DataError("StorageReadError", reason))
                elif state.get("attempts", 0) >= MAX_ATTEMPTS:
                    reason = f"the server was killed {MAX_ATTEMPTS} times while it worked on this"
                    records.fail(shelf, key, DataError("UnexpectedError", reason))
                else:
                    keys.put(key)


def _no_model() -> ApiError:
    return ApiError(404, "ModelNotExist", "The model does not exist.")
