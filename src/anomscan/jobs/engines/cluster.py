"""Workers of a Ray cluster, started for this run or already running."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from importlib import import_module
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, NoReturn, ParamSpec, Self, TypeVar
from urllib.parse import urlsplit

from anomscan import __version__
from anomscan.errors import ConfigError, ServiceError
from anomscan.jobs.engines import remote_task
from anomscan.jobs.engines.base import Item, Lost, Result
from anomscan.jobs.engines.cpus import usable_cpus
from anomscan.jobs.engines.taming import LOST_S, RETRIES, CallingThread, keep_handler, silently, tamed_ray
from anomscan.storage.scratch import scratch_folder
from anomscan.store.snapshot import AwayError

#: Items in flight per worker, so that none waits for this process.
_DEPTH = 2
#: How long a cluster may take to respond, its nodes to report what they have, and all of it to stop.
_ANSWER_S, _NODES_S, _LEAVE_S = 5.0, 60.0, 30.0
#: How often to try to connect to a cluster that fails to start a server for this client, as a busy one may.
_CONNECTS = 3
_MAY_PASS = ("Initialization failure from server", "Starting Ray client server failed")
#: How often to look for new nodes.
_LOOK_S = 10.0

_Inputs = ParamSpec("_Inputs")
_Output = TypeVar("_Output")


class Ray:
    """An engine of worker processes, on this machine or on many; an item that kills its worker is lost alone.

    Parameters
    ----------
    workers
        Units worked on at a time; by default as many as CPUs this process may use, or the cluster has.
    address
        ``ray://host:port`` of a running cluster or, on one of its machines, ``host:port`` or ``auto``. None starts one
        for this run only.
    """

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        self._wanted = workers
        self._address = (os.environ.get("RAY_ADDRESS") or address) if address == "auto" else address
        self._resources = ExitStack()
        self._lost = False
        self._left: list[Future[bytes]] = []

    def __enter__(self) -> Self:
        """Start a cluster or connect to one, and check its nodes.

        Raises
        ------
        MissingExtraError
            If Ray is not installed.
        ConfigError
            If the address is invalid, or a node could give other results than this process.
        ServiceError
            If no cluster answers there, it refuses us, or has no CPUs.
        """
        if self._address not in (None, "auto"):
            _port(str(self._address))
        self._ray = tamed_ray(self._address)
        self._thread = CallingThread()
        self._facts = remote_task.facts()
        if self._address is None:  # the same files
            del self._facts[remote_task.SOURCE]
        try:
            with silently():
                if self._address is None:
                    self._call(self._start, self._wanted or usable_cpus())
                else:
                    self._call(self._connect, self._address)
            keep_handler(signal.SIGTERM)
            self._ask(self._nodes())
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    @property
    def workers(self) -> int:
        """The CPUs that the cluster has now, or fewer if fewer are wanted."""
        cpus = self._cpus()
        return min(cpus, self._wanted or cpus)

    def map(
        self, work: Callable[..., Result], items: Iterable[Item], load: Callable[[Item], object] | None = None
    ) -> Iterator[tuple[Item, Result | Lost]]:
        """See :meth:`anomscan.jobs.engines.base.Engine.map`."""
        ray, run, source = self._ray, uuid.uuid4().hex, iter(items)
        pickled = ray.cloudpickle.dumps
        task = self._call(ray.remote(num_cpus=1, max_retries=RETRIES, retry_exceptions=False), remote_task.answer)
        function = [self._call(ray.put, pickled(work))]
        pending: dict[Future[bytes], Item] = {}
        done: SimpleQueue[Future[bytes]] = SimpleQueue()
        room, looked = 0, -_LOOK_S

        def submit(item: Item, *loaded: object) -> None:
            given = [self._call(ray.put, each) for each in loaded]
            future = self._call(_future, task, run, self._facts, function, pickled(item), given)
            pending[future] = item
            future.add_done_callback(done.put)

        try:
            while True:
                if time.monotonic() - looked >= _LOOK_S:
                    room, looked = self._room(), time.monotonic()
                for item in islice(source, max(room - len(pending), 0)):
                    submit(item)
                if not pending:
                    return
                try:
                    future = done.get(timeout=_LOOK_S)
                except Empty:
                    continue
                item = pending.pop(future)
                try:
                    result = self._result(future)
                except AwayError:
                    if load is None:
                        raise
                    submit(item, load(item))
                else:
                    yield item, result
        finally:
            self._left += pending

    def _call(self, function: Callable[_Inputs, _Output], *args: _Inputs.args, **kwargs: _Inputs.kwargs) -> _Output:
        return self._thread.submit(function, *args, **kwargs).result()

    def _start(self, workers: int) -> None:
        # A socket's path has at most 107 bytes, which a temporary folder of the user's own may exceed.
        folder = self._resources.enter_context(scratch_folder(Path("/tmp"), kind="ray-")).path  # noqa: S108
        try:
            self._init("local", num_cpus=workers, include_dashboard=False, _temp_dir=str(folder))
        except Exception as error:
            raise ServiceError(f"Ray does not start: {error}", hint="or leave out --engine ray") from error

    def _connect(self, address: str) -> None:
        try:
            if address != "auto":
                socket.create_connection(_port(address), timeout=_ANSWER_S).close()
        except OSError as error:
            raise ServiceError(
                f"no Ray cluster at '{address}': {error.strerror or error}",
                hint="start it: ray start --head; or leave out --address for one of this run only",
            ) from error
        for left in reversed(range(_CONNECTS)):
            try:
                self._init(address)
            except Exception as error:
                if left and any(words in str(error) for words in _MAY_PASS):
                    self._ray.shutdown()
                    continue
                raise ServiceError(
                    f"no Ray cluster can be used at '{address}': {error}",
                    hint="is it Ray, of this version? if it wants a token: RAY_AUTH_MODE=token and RAY_AUTH_TOKEN",
                ) from error
            return

    def _init(self, address: str, **options: object) -> None:
        self._ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, **options)
        # The only logger with a level of its own; it writes to stderr as long as it has no handler.
        logging.getLogger("ray.util.client.logsclient").addHandler(logging.NullHandler())

    def _cancel(self, futures: Iterable[Future[bytes]]) -> None:
        for future in futures:
            with suppress(Exception):
                self._ray.cancel(vars(future)["object_ref"], force=True)

    def _leave(self) -> None:
        try:
            # Ray's core tells stderr of tasks that nobody waits for any more.
            with silently(), suppress(Exception):
                self._thread.submit(self._cancel, self._left)
                self._thread.submit(self._ray.shutdown).result(LOST_S if self._lost else _LEAVE_S)
        finally:
            self._thread.end()
            self._resources.close()

    def _nodes(self) -> list[dict[str, Any]]:
        """The nodes that are up and have CPUs."""
        try:
            nodes = self._thread.submit(self._ray.nodes).result(_ANSWER_S)
            nodes = [node for node in nodes if node["Alive"] and node["Resources"].get("CPU")]
        except Exception as error:  # noqa: BLE001 - of gRPC too, where Ray does not make its own of it
            self._gone(error)
        if not nodes:
            raise ServiceError(f"{self._name} has no node with a CPU that is up", hint="start one: ray start --address")
        return nodes

    def _room(self) -> int:
        """How many items to have under way."""
        cpus = self._cpus()
        # If the cluster is larger than wanted, the number of items in flight limits the CPUs used.
        return cpus * _DEPTH if self._wanted is None or self._wanted >= cpus else self._wanted

    def _cpus(self) -> int:
        return max(int(sum(node["Resources"]["CPU"] for node in self._nodes())), 1)

    def _ask(self, nodes: list[dict[str, Any]]) -> None:
        """Refuse nodes that could give other results; a node that joins later is checked at its first item."""
        ray = self._ray
        on = import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy
        look = self._call(ray.remote(num_cpus=0, max_retries=0), remote_task.look)
        asked = [
            (node, self._call(_future, look.options(scheduling_strategy=on(node["NodeID"], soft=False))))
            for node in nodes
        ]
        deadline = time.monotonic() + _NODES_S
        for node, future in asked:
            name = node["NodeManagerAddress"]
            try:
                here = future.result(max(deadline - time.monotonic(), 0))
            except TimeoutError:
                raise ServiceError(
                    f"node {name} of {self._name} has not answered within {_NODES_S:g} s", hint="see its Ray logs"
                ) from None
            except ray.exceptions.RayTaskError as error:
                raise ServiceError(f"node {name} of {self._name} cannot run tasks: {error.cause}") from error
            except ray.exceptions.RayError:  # it has gone meanwhile
                continue
            if not remote_task.fits(here, self._facts):
                raise self._unfit(name, here)

    def _unfit(self, node: str, here: dict[str, str] | str) -> ConfigError:
        if isinstance(here, dict):
            other = [name for name, there in self._facts.items() if here.get(name) != there]
            here = f"{_list(here, other)}, this machine {_list(self._facts, other)}"
        return ConfigError(
            f"node {node} of {self._name} has {here}",
            hint=f"install there what is installed here: anomscan[ray]=={__version__}",
        )

    def _result(self, future: Future[bytes]) -> Any:
        errors = self._ray.exceptions
        try:
            kind, value = pickle.loads(future.result())  # noqa: S301 - from our own workers
        except errors.OutOfMemoryError:
            return Lost("its worker took more memory than the machine has")
        except (errors.WorkerCrashedError, errors.NodeDiedError, errors.ObjectLostError):
            return Lost(f"its worker was killed or crashed, {RETRIES + 1} times")
        except errors.RayTaskError:  # the remote task itself has failed: a bug
            raise
        except (errors.RayError, ConnectionError) as error:
            self._gone(error)
        if kind == "raised":
            raise value
        if kind == "unfit":
            raise self._unfit(*value)
        return value

    @property
    def _name(self) -> str:
        return f"the Ray cluster at '{self._address}'" if self._address else "the Ray cluster of this run"

    def _gone(self, error: Exception) -> NoReturn:
        self._lost = True
        why = "it does not answer" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        raise ServiceError(
            f"{self._name} no longer works: {why}",
            hint="see its logs; what is finished is kept",
        ) from error


def _future(task: Any, *inputs: object) -> Any:
    """The future of a task, which begins; waiting for it is Python's own waiting, which lets signals through."""
    return task.remote(*inputs).future()


def _port(address: str) -> tuple[str, int]:
    """The address to connect to."""
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        if parts.scheme in ("", "ray") and parts.hostname and parts.port and not parts.path:
            return parts.hostname, parts.port
    except ValueError:
        pass
    raise ConfigError(f"'{address}' is not the address of a Ray cluster", hint="auto, HOST:PORT or ray://HOST:PORT")


def _list(facts: dict[str, str], names: list[str]) -> str:
    return " and ".join(f"{name} {facts.get(name, 'unknown')}" for name in names)
