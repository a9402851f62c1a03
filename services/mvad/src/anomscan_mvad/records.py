"""The states of models and results: how they are read, changed and shown."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from anomscan_mvad import shapes
from anomscan_mvad.errors import ApiError, DataError
from anomscan_mvad.fetching import is_url, remove
from anomscan_mvad.requests import instant
from anomscan_mvad.store import Shelf, State

PENDING = ("CREATED", "RUNNING")
EMPTY_CURVE: dict[str, list[float]] = {
    "epochIds": [],
    "trainLosses": [],
    "validationLosses": [],
    "latenciesInSeconds": [],
}


def read_model(key: str, raw: bytes) -> State:
    """Read a stored model; ValueError if the API could not show it."""
    state = _renewed(raw)
    _demand(state, shapes.STORED_MODEL)
    try:
        _demand(public(key, state), shapes.MODEL)
    except (OverflowError, OSError):
        raise ValueError("its times are out of range") from None
    return state


def read_result(key: str, raw: bytes) -> State:
    """Read a stored result; ValueError if the API could not show it."""
    state = _renewed(raw)
    _demand(state, shapes.STORED_RESULT)
    _demand(key, shapes.identifier)
    return state


def part(state: State) -> dict[str, Any]:
    """Return the part of a state that holds its status: a model's info or a result's summary."""
    part: dict[str, Any] = state["info"] if "info" in state else state["summary"]
    return part


def begin(state: State) -> None:
    """Mark work as started, and count the attempt."""
    state["attempts"] = state.get("attempts", 0) + 1
    state["updated"] = datetime.now(UTC).timestamp()
    part(state)["status"] = "RUNNING"
    if "info" in state:
        state["info"]["diagnosticsInfo"] = {"modelState": EMPTY_CURVE, "variableStates": []}


def stopped(shelf: Shelf, key: str) -> None:
    """Leave interrupted work to the next start; an orderly stop does not count as an attempt."""
    shelf.change(key, lambda state: state.update(attempts=state["attempts"] - 1))


def note(state: State, found: dict[str, Any], status: str = "RUNNING") -> None:
    """Add results of the engine."""
    state["updated"] = datetime.now(UTC).timestamp()
    state["info"]["status"] = status
    state["info"]["diagnosticsInfo"].update(found)


def fail(shelf: Shelf, key: str, error: ApiError | DataError) -> None:
    """Mark a model or result, if it still exists, as failed and delete its data."""

    def alter(state: State) -> None:
        state["updated"] = datetime.now(UTC).timestamp()
        part(state).update(status="FAILED", errors=[{"code": error.code, "message": error.message}])

    if shelf.change(key, alter):
        remove(shelf.path(key) / "source")


def public(key: str, state: State) -> State:
    """A model in the API's form."""
    times = (datetime.fromtimestamp(int(state[name]), UTC) for name in ("created", "updated"))
    created, updated = (instant(moment) for moment in times)
    return {"modelId": key, "createdTime": created, "lastUpdatedTime": updated, "modelInfo": state["info"]}


def _demand(value: Any, shape: shapes.Shape) -> None:
    place = shapes.misfit(value, shape)
    if place is not None:
        raise ValueError(f"{place} is not as it should be")


def _renewed(raw: bytes) -> State:
    """Read a state, and correct what earlier versions stored but some clients refuse."""
    # Half surrogate pairs, which cannot be written as UTF-8, become question marks.
    state: State = json.loads(json.dumps(json.loads(raw), ensure_ascii=False).encode("utf-8", "replace"))
    try:
        shown = part(state)
        asked = shown.get("setupInfo", shown)
        if not is_url(asked["dataSource"]) and not asked["dataSource"].startswith("file:"):
            asked["dataSource"] = "file:///" + quote(asked["dataSource"].lstrip("/"))
        for variable in shown.get("diagnosticsInfo", shown)["variableStates"]:
            for name in ("firstTimestamp", "lastTimestamp"):
                if variable[name] is None:
                    del variable[name]
    except (AttributeError, LookupError, TypeError):
        return state  # not a state; the caller's check will refuse it
    return state
