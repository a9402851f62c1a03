"""The process that runs the engine: reads and writes JSON lines, and exits when its parent does."""

import json
import logging
import os
import queue
import sys
import threading
import traceback
from pathlib import Path
from typing import IO, Any

import pandas as pd
import torch

from anomscan_mvad import engine, limits, tables
from anomscan_mvad.errors import DataError

log = logging.getLogger(__name__)
Answer = dict[str, Any]


class Worker:
    """Handles requests one after another.

    Parameters
    ----------
    out : text file
        Where to write answers; nothing else may write there.
    """

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._loaded: tuple[str, engine.Detector] | None = None

    def answer(self, message: Answer) -> None:
        """Send one line."""
        self._out.write(json.dumps(message, allow_nan=False) + "\n")
        self._out.flush()

    def handle(self, request: dict[str, Any]) -> None:
        """Handle a request; every failure becomes an answer."""
        try:
            done = {"train": self.train, "batch": self.batch, "last": self.last}[request["do"]](request)
        except DataError as error:
            self.answer({"error": {"code": error.code, "message": error.message}})
        except Exception as error:
            traceback.print_exc()
            self.answer({"error": {"code": "UnexpectedError", "message": f"{type(error).__name__} in the engine"}})
        else:
            self.answer({"done": done})

    def train(self, request: dict[str, Any]) -> Answer:
        """Train a model and write it into its folder."""
        policy = tables.Policy(request["align"], request["fill"], request["padding"])
        window = int(request["window"])
        table = tables.read(Path(request["source"]), request["schema"], request["maxBytes"])
        table, _ = tables.cut(tables.align(table, policy), *_range(request), lookback=window - 1)
        states = tables.states(table)
        self.answer({"progress": {"variableStates": states}})
        table = tables.fill(table, policy)
        if len(table) <= window:
            raise _not_enough(len(table), window)
        model, stride = Path(request["model"]), int(request["stride"])
        if not stride:
            stride = engine.stride_of(len(table))
            if stride > 1:
                log.warning(
                    "model %s: %d rows are many, so 1 in %d training windows is used; scores are farther from the "
                    "hosted service's, and an anomaly near the threshold may be missed. --stride 1 takes about %d "
                    "times as long.",
                    model.name, len(table), stride, stride,
                )  # fmt: skip
        detector = engine.train(table, window, stride, lambda curve: self.answer({"progress": {"modelState": curve}}))
        engine.save(detector, model)
        return {"variableStates": states, "modelState": detector.curve}

    def batch(self, request: dict[str, Any]) -> Answer:
        """Score a time range and write the results to a file."""
        policy = tables.Policy(request["align"], request["fill"], request["padding"])
        detector, window = self._detector(request), int(request["window"])
        table = tables.read(Path(request["source"]), request["schema"], request["maxBytes"])
        tables.check_variables(table, detector.variables or [], files=request["schema"] == "MultiTable")
        table, before = tables.cut(tables.align(table, policy), *_range(request), lookback=window - 1)
        states = tables.states(table)
        if len(table) - before > limits.MAX_BATCH_TIMESTAMPS:
            raise DataError(
                "DataExceedsLimit",
                "The length of data whose timestamp is between startTime and endTime exceeds "
                f"limit({limits.MAX_BATCH_TIMESTAMPS}).",
            )
        filled = tables.fill(table, policy)
        if len(table) < window:
            raise _not_enough(len(table), window)
        values = engine.score(detector, filled.iloc[max(0, before + 1 - engine.shortest(window)) :], request["top"])
        with Path(request["out"]).open("w", encoding="utf-8") as writer:
            json.dump(
                [_result(tables.stamp(moment), values) for moment in filled.index[before:]], writer, allow_nan=False
            )
            writer.flush()
            os.fsync(writer.fileno())
        return {"variableStates": states}

    def last(self, request: dict[str, Any]) -> Answer:
        """Score the last of the given rows."""
        policy = tables.Policy(request["align"], request["fill"], request["padding"])
        detector, window = self._detector(request), int(request["window"])
        table = tables.from_lists({name: (pair[0], pair[1]) for name, pair in request["variables"].items()})
        tables.check_variables(table, detector.variables or [], files=False)
        table = tables.align(table, policy)
        if len(table) > limits.MAX_LAST_TIMESTAMPS:
            raise DataError("DataExceedsLimit", f"The length of data exceeds limit({limits.MAX_LAST_TIMESTAMPS}).")
        if len(table) < window:
            raise _not_enough(len(table), window)
        filled = tables.fill(table, policy)
        values = engine.score(detector, filled.iloc[-engine.shortest(window) :], request["top"])
        return {
            "variableStates": tables.states(table.iloc[-1:]),
            "results": [_result(tables.stamp(filled.index[-1]), values)],
        }

    def _detector(self, request: dict[str, Any]) -> engine.Detector:
        folder = str(request["model"])
        if self._loaded is None or self._loaded[0] != folder:
            self._loaded = (folder, engine.load(Path(folder)))
        return self._loaded[1]


def main() -> None:
    """Answer the lines of standard input until it ends, then exit at once, even during a training."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the engine prints must not mix with the answers
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    torch.set_num_threads(1)
    worker = Worker(out)
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        worker.handle(json.loads(lines.get()))


def _range(request: dict[str, Any]) -> tuple[pd.Timestamp, pd.Timestamp]:
    return pd.Timestamp(request["start"]), pd.Timestamp(request["end"])


def _not_enough(rows: int, window: int) -> DataError:
    return DataError(
        "NotEnoughInput",
        f"Not enough data. The length of data is {rows}, but the minimum length should be larger than sliding window, "
        f"which is {window}.",
    )


def _result(moment: str, values: dict[str, dict[str, Any]]) -> Answer:
    value = values.get(moment)
    if value is not None:
        return {"timestamp": moment, "value": value, "errors": []}
    return {
        "timestamp": moment,
        "errors": [
            {
                "code": "InsufficientHistoricalData",
                "message": "There is not enough historical data before this timestamp.",
            }
        ],
    }


if __name__ == "__main__":
    main()
