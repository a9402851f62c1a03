"""Ray: the same bytes as threads, whatever dies on the way."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray

from anomscan import __version__
from anomscan.detectors.rcf import Forest
from anomscan.errors import AssetError, ConfigError, MissingExtraError, ServiceError
from anomscan.jobs.engines import Lost, Threads, remote_task
from anomscan.jobs.engines.cluster import Ray
from anomscan.storage.scratch import remove_abandoned
from processes import PATIENCE_S, started, wait_until
from servers.ray_cluster import RayCluster, children, command, descendants

pytestmark = pytest.mark.servers

# The workers know nothing of this module.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def engine() -> Iterator[Ray]:
    with Ray(2) as started:
        yield started


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with RayCluster() as started:
        yield started


def _score(forest: Forest, seed: int) -> tuple[int, np.ndarray, np.ndarray]:
    points = np.random.default_rng(seed).normal(size=(500, 7))
    return seed, forest.score(points), forest.attribution(points)


def _double(partition: int) -> int:
    return 2 * partition


def _die_at_three(marker: Path, partition: int) -> int:
    with marker.open("a") as file:
        file.write(f"{partition}\n")
    if partition == 3 and marker.read_text().split().count("3") <= 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * partition


def _always_die_at_three(partition: int) -> int:
    if partition == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * partition


def _fail(partition: str) -> None:
    if partition == "asset":
        raise AssetError("asset 'a': no data", hint="fetch it")
    if partition == "key":
        raise KeyError("b")
    raise _StubbornError(where="here")


class _StubbornError(Exception):
    def __init__(self, *, where: str) -> None:
        super().__init__(f"stuck {where}")


class _Counted:
    """Leaves a line in a file wherever it is unpickled, and works once that was in two places."""

    def __init__(self, log: Path) -> None:
        self.log = log

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        with self.log.open("a") as file:
            file.write(f"{os.getpid()}\n")

    def __call__(self, partition: int) -> int:
        while len(self.log.read_text().splitlines()) < 2:
            time.sleep(0.01)
        return os.getpid()


def test_results_are_those_of_threads_to_the_byte(engine: Ray) -> None:
    forest = Forest.fit(np.random.default_rng(0).normal(size=(365, 7)), trees=20, sample_size=64, seed=1)
    work = partial(_score, forest)
    assert engine.workers == 2
    here, there = (
        {partition: pickle.dumps(result) for partition, result in e.map(work, range(12))} for e in (Threads(2), engine)
    )
    assert here == there


def test_results_can_be_written_to(engine: Ray) -> None:
    [(_, array)] = engine.map(np.ones, [100_000])
    array += 1


def test_a_unit_may_be_large_and_there_may_be_none(engine: Ray) -> None:
    [(partition, total)] = engine.map(np.sum, [np.arange(1_000_000)])
    assert total == partition.sum()
    assert list(engine.map(_double, [])) == []


def test_errors_come_back_as_they_were_raised(engine: Ray) -> None:
    with pytest.raises(AssetError, match="asset 'a': no data") as asset:
        list(engine.map(_fail, ["asset"]))
    assert asset.value.hint == "fetch it"
    assert type(asset.value) is AssetError
    with pytest.raises(KeyError, match="b") as key:
        list(engine.map(_fail, ["key"]))
    assert "in _fail" in key.value.__notes__[0]
    with pytest.raises(RuntimeError, match="_StubbornError: stuck here"):
        list(engine.map(_fail, ["other"]))


def test_an_error_of_the_units_ends_the_mapping(engine: Ray) -> None:
    def partitions() -> Iterator[int]:
        yield from range(3)
        raise ServiceError("the store is gone")

    with pytest.raises(ServiceError, match="the store is gone"):
        list(engine.map(_double, partitions()))


def test_a_unit_whose_worker_is_killed_is_done_again(engine: Ray, tmp_path: Path) -> None:
    results = list(engine.map(partial(_die_at_three, tmp_path / "marker"), range(8)))
    assert sorted(results) == [(partition, 2 * partition) for partition in range(8)]
    assert sorted((tmp_path / "marker").read_text().split()) == sorted("012334567")


def test_a_unit_that_always_kills_its_worker_is_lost_alone(engine: Ray) -> None:
    results = dict(engine.map(_always_die_at_three, range(8)))
    assert results.pop(3) == Lost("its worker was killed or crashed, 3 times")
    assert results == {partition: 2 * partition for partition in range(8) if partition != 3}


def test_the_work_is_unpickled_once_in_a_worker(engine: Ray, tmp_path: Path) -> None:
    log = tmp_path / "log"
    workers = {result for _, result in engine.map(_Counted(log), range(12))}
    assert len(workers) == 2
    assert sorted(log.read_text().split()) == sorted(map(str, workers))


def test_partitions_are_taken_as_workers_come_free(engine: Ray) -> None:
    taken: list[int] = []

    def partitions() -> Iterator[int]:
        for partition in range(40):
            taken.append(partition)
            yield partition

    for done, _ in enumerate(engine.map(_double, partitions()), 1):
        assert len(taken) - done <= 2 * engine.workers


def test_a_worker_that_has_something_else_is_found(engine: Ray, monkeypatch: pytest.MonkeyPatch) -> None:
    here = remote_task.facts()
    monkeypatch.setattr(engine, "_facts", here | {"NumPy": "1.26"})
    message = rf"node \S+ of the Ray cluster of this run has NumPy {here['NumPy']}, this machine NumPy 1\.26"
    with pytest.raises(ConfigError, match=message) as error:
        engine._ask(engine._nodes())
    assert error.value.hint == f"install there what is installed here: anomscan[ray]=={__version__}"
    # One that has joined later says so at its first partition.
    with pytest.raises(ConfigError, match=message):
        list(engine.map(_double, range(3)))


def test_a_machine_without_anomscan_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anomscan", None)
    assert remote_task.look() == "no anomscan"
    monkeypatch.undo()

    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(remote_task, "version", version)
    assert remote_task.look() == "no numpy"


def test_a_second_engine_of_a_process_is_refused(engine: Ray) -> None:
    with pytest.raises(ConfigError, match="this process already has a Ray cluster"), Ray():
        pass


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"--engine ray needs the extra 'ray' \(pip install"), Ray():
        pass


@pytest.mark.parametrize("address", ["here", "http://host:1", "ray://host", "host:0x10", "local", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="not the address of a Ray cluster"), Ray(address=address):
        pass


#: What a process of a user does: it prints what it needs to tell, and nothing else is to be seen.
_USER = """
    import os, signal, sys, time
    from anomscan.jobs.engines.cluster import Ray
    from anomscan.errors import AnomscanError

    class Interrupted(BaseException):
        pass

    def interrupt(number, frame):
        raise Interrupted

    def work(partition):
        import os, ray, time
        time.sleep(0.4)
        return ray.get_runtime_context().gcs_address.rpartition(":")[2], partition * bytes(200_000)

    signal.signal(signal.SIGTERM, interrupt)
    address = sys.argv[1] or None
    try:
        with Ray(address=address) as engine:
            print("up", engine.workers, flush=True)
            for partition, result in engine.map(work, range(int(sys.argv[2]))):
                print("partition", partition, result[0], len(result[1]), flush=True)
    except Interrupted:
        print("interrupted", flush=True)
        sys.exit(143)
    except AnomscanError as error:
        print(type(error).__name__, error, flush=True)
        sys.exit(error.exit_code)
    assert signal.getsignal(signal.SIGTERM) is interrupt
    print("left", flush=True)
"""


def _user(address: str, partitions: int, environment: dict[str, str]) -> AbstractContextManager[subprocess.Popen[str]]:
    return started(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(_USER), address, str(partitions)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | environment,
    )


def _rest(user: subprocess.Popen[str], code: int = 0) -> list[str]:
    """What a user says until it ends."""
    said, trouble = user.communicate(timeout=PATIENCE_S)
    assert (trouble, user.returncode) == ("", code), said
    return said.splitlines()


def _said(address: str, partitions: int, environment: dict[str, str], code: int = 0) -> list[str]:
    """All that a user says."""
    with _user(address, partitions, environment) as user:
        return _rest(user, code)


def test_a_running_cluster_is_left_alone_without_an_address(cluster: RayCluster) -> None:
    stranger = cluster.environment | {"RAY_ADDRESS": cluster.address}
    *_, done, left = _said("", 1, stranger)
    assert done.split()[:2] == ["partition", "0"]
    assert done.split()[2] != cluster.address.split(":")[1]
    assert left == "left"


@pytest.mark.parametrize("way", ["auto", "ray://"])
def test_a_running_cluster_is_used_by_its_address(cluster: RayCluster, way: str) -> None:
    address = "auto" if way == "auto" else f"ray://{cluster.client_address}"
    environment = cluster.environment | ({"RAY_ADDRESS": cluster.address} if way == "auto" else {})
    up, *done, left = _said(address, 4, environment)
    assert (up, left) == ("up 1", "left")
    assert sorted(line.split()[1] for line in done) == ["0", "1", "2", "3"]
    assert {line.split()[2] for line in done} == {cluster.address.split(":")[1]}


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_cluster_that_is_not_there_is_an_error_at_once(scheme: str) -> None:
    [line] = _said(f"{scheme}127.0.0.1:1", 1, {}, code=5)
    assert line.startswith(
        f"ServiceError no Ray cluster at '{scheme}127.0.0.1:1': Connection refused (start it: ray start"
    )


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_cluster_that_refuses_the_token_is_an_error_soon(cluster: RayCluster, scheme: str) -> None:
    address = scheme + (cluster.client_address if scheme else cluster.address)
    [line] = _said(address, 1, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}, code=5)
    assert line.startswith(f"ServiceError no Ray cluster can be used at '{address}': ")
    assert line.endswith("(is it Ray, of this version? if it wants a token: RAY_AUTH_MODE=token and RAY_AUTH_TOKEN)")


def _until(user: subprocess.Popen[str], word: str, count: int) -> list[str]:
    """What a user has said, up to a number of lines that begin with a word."""
    assert user.stdout is not None
    said: list[str] = []
    while sum(line.startswith(word) for line in said) < count:
        line = user.stdout.readline()
        assert line, said
        said.append(line)
    return said


def _await_end(processes: list[int]) -> None:
    wait_until(lambda: not any(map(command, processes)))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_of_a_local_cluster_outlives_its_user(number: signal.Signals) -> None:
    with _user("", 1000, {}) as user:
        _until(user, "partition", 3)
        processes = descendants(user.pid)
        [server] = [command(pid) for pid in processes if "/gcs_server " in command(pid)]
        folder = Path(server.split("--log_dir=")[1].split()[0]).parents[1]
        assert folder.name.startswith("anomscan-ray-")
        assert folder.exists()
        user.send_signal(number)
        if number == signal.SIGTERM:
            assert _rest(user, code=143)[-1] == "interrupted"
            assert not folder.exists()
        else:
            user.communicate()
    # Two helpers of the raylet notice within a minute that it was killed.
    _await_end([pid for pid in processes if number == signal.SIGTERM or "Agent" not in command(pid)])
    # The next run removes it.
    wait_until(lambda: remove_abandoned(folder.parent) or not folder.exists())
    assert not folder.with_suffix(".lock").exists()


def test_an_interrupted_start_leaves_nothing() -> None:
    with _user("", 1000, {}) as user:
        wait_until(lambda: any("/gcs_server " in command(pid) for pid in children(user.pid)), user)
        processes = descendants(user.pid)
        user.send_signal(signal.SIGTERM)
        assert _rest(user, code=143) == ["interrupted"]
    _await_end(processes)


def test_an_interrupted_user_frees_the_cluster(cluster: RayCluster) -> None:
    with _user(cluster.address, 1000, cluster.environment) as user:
        _until(user, "partition", 2)
        user.send_signal(signal.SIGTERM)
        assert _rest(user, code=143)[-1] == "interrupted"
    assert _said(cluster.address, 1, cluster.environment)[-1] == "left"


def test_the_units_of_a_node_that_goes_down_are_done_by_others(cluster: RayCluster) -> None:
    raylet = cluster.join("127.0.0.2")
    with _user(cluster.address, 20, cluster.environment) as user:
        said = _until(user, "partition", 6)
        os.kill(raylet, signal.SIGKILL)
        up, *said, left = [*said, *_rest(user)]
    assert (up, left) == ("up 2\n", "left")
    lines = [line.split() for line in said]
    assert sorted((int(partition), int(size)) for _, partition, _, size in lines) == [
        (partition, partition * 200_000) for partition in range(20)
    ]


def test_a_node_with_another_anomscan_is_found_before_work_starts(tmp_path: Path) -> None:
    (tmp_path / "anomscan").mkdir()
    (tmp_path / "anomscan" / "__init__.py").write_text('__version__ = "0.0.9"\n')
    with RayCluster() as cluster:  # one of its own: the node would stay in the others' way
        cluster.join("127.0.0.3", {"PYTHONPATH": str(tmp_path)})
        [line] = _said(cluster.address, 1, cluster.environment, code=2)
    assert line.startswith("ConfigError node 127.0.0.3 of the Ray cluster at ")
    assert " has anomscan 0.0.9 and anomscan's source " in line
