"""Microsoft's JavaScript client through a model's whole life."""

import json
import subprocess
from pathlib import Path

from azurite import node
from series import NAMES, one_table, rows, stamp
from serving import KEY, PATIENCE_S, Served, training
from webserver import Web

SCRIPT = Path(__file__).parent / "javascript" / "life.mjs"


def test_life(server: Served, page: Web, model: str) -> None:
    program = node()
    assert program, "node is missing; make test-mvad brings it"
    assert (SCRIPT.parent / "node_modules").is_dir(), "the client is missing; make test-mvad installs it"
    telemetry = rows(600, spikes=(450, 500))
    page.gives("/javascript.csv", one_table(telemetry).encode())
    source = f"http://127.0.0.1:{page.port}/javascript.csv"
    variables = [
        {
            "variable": name,
            "timestamps": [moment for moment, _ in telemetry[470:501]],
            "values": [values[i] for _, values in telemetry[470:501]],
        }
        for i, name in enumerate(NAMES)
    ]
    asked = {
        "endpoint": server.url,
        "key": KEY,
        "train": training(dataSource=source, displayName="javascript"),
        "batch": {"dataSource": source, "startTime": stamp(440), "endTime": stamp(510), "topContributorCount": 2},
        "last": {"variables": variables, "topContributorCount": 1},
    }
    done = subprocess.run(
        [program, str(SCRIPT)], input=json.dumps(asked), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["model"]["modelInfo"]["status"] == "READY"
    # Two models or more at one a page: the last page, too, is one that the client can read.
    assert {found["id"], model} <= set(found["ids"])
    assert found["batch"]["summary"]["status"] == "READY"
    anomalous = {row["timestamp"] for row in found["batch"]["results"] if row["value"]["isAnomaly"]}
    assert {stamp(450), stamp(500)} <= anomalous
    assert [(row["timestamp"], row["value"]["isAnomaly"]) for row in found["last"]["results"]] == [(stamp(500), True)]
    assert found["gone"]["code"] == "ModelNotExist"
