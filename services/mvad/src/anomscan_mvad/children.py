"""Starts, calls and ends the processes that run the engine."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from anomscan_mvad.errors import DataError

Answer = dict[str, Any]


class Child:
    """One engine process, started at its first request, and again if it died.

    Parameters
    ----------
    folder : Path
        The process's working folder; the engine leaves nothing there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._turn = threading.Lock()
        self._state = threading.Lock()
        self._closed = False

    def ask(
        self,
        request: Mapping[str, Any],
        timeout_s: float,
        progress: Callable[[Answer], None] | None = None,
        wait_s: float | None = None,
    ) -> Answer:
        """Send a request and wait for its answer; one caller at a time.

        Parameters
        ----------
        request : mapping
        timeout_s : float
            The process is ended if it takes longer.
        progress : callable, optional
            Called with each step's progress.
        wait_s : float, optional
            How long to wait for other callers.

        Raises
        ------
        DataError
            If the engine reports an error, dies, or takes too long.
        """
        if not self._turn.acquire(timeout=-1 if wait_s is None else wait_s):
            raise DataError("UnexpectedError", "the engine is busy")
        try:
            process = self._start()
            late = threading.Event()

            def give_up() -> None:
                late.set()
                process.kill()

            timer = threading.Timer(timeout_s, give_up)
            timer.daemon = True
            timer.start()
            try:
                return self._exchange(process, request, progress)
            except (OSError, ValueError, EOFError):
                self._end(process)
                reason = f"took longer than {timeout_s:.0f} s" if late.is_set() else "was ended"
                raise DataError("UnexpectedError", f"the engine {reason}") from None
            finally:
                timer.cancel()
        finally:
            self._turn.release()

    def kill(self) -> None:
        """End the process at once, with whatever it is doing."""
        with self._state:
            if self._process is not None:
                self._process.kill()
                self._process.wait()

    def close(self) -> None:
        """End the process for good."""
        self._closed = True
        self.kill()
        with self._turn, self._state:
            if self._process is not None:
                self._end(self._process)

    @staticmethod
    def _exchange(
        process: "subprocess.Popen[str]", request: Mapping[str, Any], progress: Callable[[Answer], None] | None
    ) -> Answer:
        if process.stdin is None or process.stdout is None:
            raise EOFError
        process.stdin.write(json.dumps(dict(request)) + "\n")
        process.stdin.flush()
        while line := process.stdout.readline():
            answer: Answer = json.loads(line)
            if "done" in answer:
                done: Answer = answer["done"]
                return done
            if "error" in answer:
                raise DataError(answer["error"]["code"], answer["error"]["message"])
            if progress is not None:
                progress(answer["progress"])
        raise EOFError

    def _start(self) -> "subprocess.Popen[str]":
        with self._state:
            if self._closed:
                raise DataError("UnexpectedError", "the server is stopping")
            if self._process is not None and self._process.poll() is not None:
                self._end(self._process)
                self._process = None
            if self._process is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "anomscan_mvad.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    encoding="utf-8",
                    cwd=self._folder,
                    env=_environment(),
                    # Ctrl-C is meant for the server, which then ends its children.
                    start_new_session=True,
                )
            return self._process

    @staticmethod
    def _end(process: "subprocess.Popen[str]") -> None:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # it had a line to send to a process that is no more


def _environment() -> dict[str, str]:
    # One thread: with more, the engine is slower on a busy machine, and its results differ in the last digits.
    return os.environ | {
        "OMP_NUM_THREADS": "1",
        "TQDM_DISABLE": "1",
        "PYTHONWARNINGS": "ignore",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
