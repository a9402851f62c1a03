"""What tames Ray: its settings, a thread to call it from, the signal handlers it replaces, what it writes to stderr."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from anomscan.errors import ConfigError, MissingExtraError
from anomscan.jobs.engines import remote_task

#: How often a partition is tried again after it has lost its worker.
RETRIES = 2

#: How long to wait for a cluster that no longer works.
LOST_S = 2.0

#: The name of the thread that calls Ray.
_THREAD = "anomscan-ray"

_Inputs = ParamSpec("_Inputs")
_Output = TypeVar("_Output")

#: What Ray reads from the environment when it is imported. The user's own settings go first.
_CALM = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # If a cluster is lost, any call would start another one.
    "RAY_ENABLE_AUTO_CONNECT": "0",
    # What it prints on stdout, of all places, when a worker or a node has died.
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    # An item that takes all memory would be retried for ever.
    "RAY_task_oom_retries": str(RETRIES),
    # Under `uv run` Ray would send the working directory around, and have the nodes install from it.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
#: And for an existing cluster: give up within seconds rather than minutes if none responds.
_BRISK = {
    "RAY_NUM_REDIS_GET_RETRIES": "3",
    "RAY_gcs_rpc_server_connect_timeout_s": "2",
    "RAY_py_gcs_connect_timeout_s": "3",
    "RAY_gcs_server_request_timeout_seconds": "10",
    "RAY_CLIENT_INITIAL_CONNECTION_TIMEOUT_S": "2",
    "RAY_CLIENT_MAX_CONNECTION_TIMEOUT_S": "2",
}


def tamed_ray(address: str | None) -> Any:
    """The package, with its settings applied."""
    for name, value in (_CALM if address is None else _CALM | _BRISK).items():
        os.environ.setdefault(name, value)
    try:
        ray = import_module("ray")
        if address is not None and address.startswith("ray://"):
            import_module("grpc")
    except ImportError as error:
        raise MissingExtraError("--engine ray", "ray") from error
    if ray.is_initialized():
        raise ConfigError("this process already has a Ray cluster", hint="call ray.shutdown() first")
    if remote_task.__name__ not in ray.cloudpickle.list_registry_pickle_by_value():
        ray.cloudpickle.register_pickle_by_value(remote_task)
    return ray


def keep_handler(number: int) -> None:
    """Restore Python's handler: Ray's native code has replaced it by one that writes a stack to stderr."""
    handler = signal.getsignal(number)
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(number, handler)


@contextmanager
def silently() -> Iterator[None]:
    """Nothing on stderr: what Ray's native code writes there about a failure, its exception says too."""
    stderr = os.dup(2)
    try:
        with warnings.catch_warnings(), Path(os.devnull).open("wb") as nowhere:
            warnings.simplefilter("ignore")
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def hangs() -> bool:
    """Whether Ray waits for a lost cluster; in the end it aborts the process."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


class CallingThread:
    """A thread that calls one function after another; the process can end even if a call never does.

    In the main thread Ray would replace the handler of SIGTERM, and swallow what handlers raise while it waits. What it
    has started ends with the thread that called it.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=_THREAD, daemon=True)
        self._thread.start()

    def submit(
        self, function: Callable[_Inputs, _Output], *args: _Inputs.args, **kwargs: _Inputs.kwargs
    ) -> Future[_Output]:
        """Queue a call of a function."""
        future: Future[_Output] = Future()

        def call() -> None:
            try:
                result = function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - whoever waits raises it
                future.set_exception(error)
            else:
                future.set_result(result)

        self._calls.put(call)
        return future

    def end(self) -> None:
        """Let it end after the queued calls, and return whether it does."""
        self._calls.put(None)
        self._thread.join(LOST_S)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
