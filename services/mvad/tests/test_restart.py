"""Starting, being killed, starting again."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from series import one_table, rows, stamp
from serving import KEY, MOST_ANSWERS, PATIENCE_S, Served, serving, training


def until(server: Served, key: str, status: str) -> None:
    for _ in range(MOST_ANSWERS):
        if server.ask("GET", f"/models/{key}")[2]["modelInfo"]["status"] == status:
            return
        time.sleep(0.02)
    raise AssertionError(f"{key} is not {status} yet")


def engines(server: Served) -> list[int]:
    listed = subprocess.run(
        ["/bin/ps", "-o", "pid=", "--ppid", str(server.process.pid)], capture_output=True, text=True, check=False
    )
    return [int(line) for line in listed.stdout.split()]


def gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{process}/stat").read_text().split()[2] == "Z"


def cpu_s(process: int) -> float:
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def test_killed_in_a_training_and_started_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "sources").mkdir(parents=True)
    (data / "sources" / "table.csv").write_text(one_table(rows(3000)))
    times = {"endTime": stamp(2999), "slidingWindow": 200}
    with serving(data) as server:
        first, second = server.train(**times), server.train()
        until(server, first, "RUNNING")
        while not (running := engines(server)):
            time.sleep(0.05)
        while sum(map(cpu_s, running)) < 3:  # it has begun to work
            time.sleep(0.05)
        server.kill()
    for _ in range(MOST_ANSWERS):
        if all(map(gone, running)):
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the engine outlives its server")
    models = data / "models"
    # One more that was cut short before its data had come, and one before it had a state.
    third = models / "11111111-1111-1111-1111-111111111111"
    third.mkdir()
    state = json.loads((models / second / "state.json").read_text())
    del state["source"]
    (third / "state.json").write_text(json.dumps(state))
    (models / "broken").mkdir()
    (models / "broken" / "state.json").write_text('{"created"')
    with serving(data) as server:
        lost = server.ask("GET", f"/models/{third.name}")[2]["modelInfo"]
        assert (lost["status"], lost["errors"][0]["code"]) == ("FAILED", "StorageReadError")
        assert server.ask("GET", "/models/broken")[0] == 404
        assert server.ask("GET", f"/models/{first}")[2]["modelInfo"]["status"] in ("CREATED", "RUNNING")
        status, _, answer = server.ask("POST", f"/models/{first}:detect-batch", training())
        assert (status, answer["code"]) == (400, "ModelNotReady")
        # Deleting ends the long training, and the short one comes to its turn.
        until(server, first, "RUNNING")
        assert server.ask("DELETE", f"/models/{first}")[0] == 204
        assert server.wait(f"/models/{second}")["modelInfo"]["status"] == "READY"
    with serving(data) as server:
        assert server.ask("GET", f"/models/{second}")[2]["modelInfo"]["status"] == "READY"
        assert server.ask("GET", f"/models/{first}")[0] == 404
        times = {"startTime": stamp(100), "endTime": stamp(120)}
        _, _, body = server.ask("POST", f"/models/{second}:detect-batch", {"dataSource": "table.csv", **times})
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE_S) == 0
    with serving(data) as server:
        done = server.wait(f"/detect-batch/{body['resultId']}")
        assert done["summary"]["status"] in ("READY", "FAILED")
        assert len(done["results"]) == (21 if done["summary"]["status"] == "READY" else 0)


def test_a_slow_download_does_not_hold_the_stop_up(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with serving(tmp_path / "data", "--allow-host", "127.0.0.1") as server:
            key = server.train(dataSource=f"http://127.0.0.1:{silent.getsockname()[1]}/x.csv")
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(PATIENCE_S) == 0
    with serving(tmp_path / "data") as server:
        info = server.ask("GET", f"/models/{key}")[2]["modelInfo"]
        assert info["status"] == "FAILED"
        assert "stopped before the data was read" in info["errors"][0]["message"]


def test_killed_too_often(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "sources").mkdir(parents=True)
    (data / "sources" / "table.csv").write_text(one_table(rows(600)))
    with serving(data) as server:
        key = server.train()
        until(server, key, "RUNNING")
        server.kill()
    path = data / "models" / key / "state.json"
    state = json.loads(path.read_text())
    assert state["attempts"] == 1
    path.write_text(json.dumps(state | {"attempts": 3}))
    with serving(data) as server:
        info = server.ask("GET", f"/models/{key}")[2]["modelInfo"]
        assert info["status"] == "FAILED"
        assert "killed 3 times" in info["errors"][0]["message"]


def test_engine_killed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "sources").mkdir(parents=True)
    (data / "sources" / "table.csv").write_text(one_table(rows(600)))
    with serving(data) as server:
        key = server.train()
        while not (running := engines(server)):
            time.sleep(0.05)
        os.kill(running[0], signal.SIGKILL)
        info = server.wait(f"/models/{key}")["modelInfo"]
        assert (info["status"], info["errors"][0]["code"]) == ("FAILED", "UnexpectedError")
        assert server.wait(f"/models/{server.train()}")["modelInfo"]["status"] == "READY"


def run(*options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "anomscan_mvad", "serve", *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_will_not_start(tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_text("12345")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        data = ("--data", str(tmp_path / "data"), "--port")
        for options, words in (
            ((*data, "0", "--host", "0.0.0.0"), "--key-file"),
            ((*data, "0", "--host", "::"), "--key-file"),
            ((*data, port), "cannot listen"),
            ((*data, "0", "--key-file", str(short)), "16 characters"),
            ((*data, "0", "--key-file", str(tmp_path / "none")), "No such file"),
            ((*data, "0", "--allow-host", "http://x/"), "HOST:PORT"),
            ((*data, "0", "--allow-path", str(tmp_path / "none")), "not a folder"),
            (("--data", str(short), "--port", "0"), "choose another --data"),
        ):
            done = run(*options)
            assert done.returncode == 2, options
            assert words in done.stderr
            assert done.stderr.count("\n") == 1
            assert "12345" not in done.stderr


def test_one_server_a_folder(tmp_path: Path) -> None:
    with serving(tmp_path / "data"):
        done = run("--port", "0", "--data", str(tmp_path / "data"))
        assert (done.returncode, "another anomscan-mvad" in done.stderr) == (2, True)


def test_without_a_key_browsers_stay_out(tmp_path: Path) -> None:
    with serving(tmp_path / "data", key=False) as server:
        assert server.ask("GET", "/models", headers={})[0] == 200
        for headers in ({"Origin": "https://page.example"}, {"Host": "rebound.example"}, {"Host": "10.0.0.1:5000"}):
            assert server.ask("GET", "/models", headers=headers)[0] == 403
    with serving(tmp_path / "data", "--host", "0.0.0.0") as server:
        assert server.ask("GET", "/models", headers={})[0] == 401
        assert server.ask("GET", "/models")[0] == 200
        assert (
            server.ask("GET", "/models", headers={"Ocp-Apim-Subscription-Key": KEY, "Host": "name.example"})[0] == 200
        )


def test_nothing_secret_is_kept_or_said(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data, "--allow-host", "127.0.0.1", "--verbose") as server:
        source = "http://127.0.0.1:1/x.csv?sv=2024&sig=SIGNATURE"
        status, _, body = server.ask("POST", "/models", training(dataSource=source))
        assert status == 201
        done = server.wait(f"/models/{body['modelId']}")
        assert done["modelInfo"]["status"] == "FAILED"
        assert "SIGNATURE" not in str(body) + str(done)
    said = "".join(server.lines.get() for _ in range(server.lines.qsize()))
    assert "POST" in said
    for text in [said, *(p.read_text() for p in data.rglob("*") if p.is_file() and p.name != "key.txt")]:
        assert "SIGNATURE" not in text
        assert KEY not in text
