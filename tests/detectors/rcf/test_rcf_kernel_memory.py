"""The kernel under the sanitizers of the compiler: it reads and writes nothing but its arrays.

``ANOMSCAN_MUTATIONS`` says how many changed models it is given, ``ANOMSCAN_SEED`` which ones.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SANITIZED = "gcc -g -fsanitize=address,undefined -fno-sanitize-recover=undefined"
WORK = """
import random
import sys
from pathlib import Path
import numpy as np
import build_kernel
import mutations
from anomscan.detectors import kernel
from anomscan.detectors.control_chart.chart import chart
from anomscan.detectors.control_chart.settings import Settings
from anomscan.detectors.control_chart.thresholds import Thresholds
from anomscan.telemetry.series import LARGEST
from anomscan.detectors.rcf import Forest
from anomscan.errors import ModelError
from anomscan.telemetry.cadence import Cadence
library = Path(sys.argv[1])
build_kernel.FLAGS[0] = "-O1"  # quicker to compile
failure = build_kernel.compile_kernel(sys.argv[2].split(), library)
assert failure is None, failure
kernel._LIBRARY = library
kernel._BLOCK_POINTS = (64, 64)
for dimension in (1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 30):
    rng = np.random.default_rng(dimension)
    points = rng.normal(size=(150, dimension))
    points[::3] = np.round(points[::3])
    forest = Forest.fit(points, trees=3, sample_size=64, seed=0)
    for number in (1, 2, 63, 64, 65, 150):
        forest.score(points[:number])
        forest.attribution(points[:number])
seed, count = sys.argv[3], int(sys.argv[4])
points = np.random.default_rng(0).normal(size=(60, 5))
Forest.fit(points, trees=3, sample_size=16, seed=0).with_facts(shingle=5).save(library.with_name("whole"))
whole, changed = library.with_name("whole").read_bytes(), library.with_name("changed")
extremes = [LARGEST, -LARGEST, 1e-45, -0.0, 0.0, 1e30, 1.0]
sound = 0
for number in range(count):
    rng = random.Random(f"{seed} {number}")
    changed.write_bytes(mutations.forest(rng, whole))
    try:
        forest = Forest.load(changed)
    except ModelError:
        continue
    sound += 1
    queries = np.array([[rng.choice([rng.gauss(0, 2), *extremes]) for _ in range(forest.dimension)] for _ in range(9)])
    queries[:4] = forest.nodes.low[[rng.randrange(len(forest.nodes.low)) for _ in range(4)]]
    assert np.isfinite(forest.score(queries)).all(), number
    assert np.isfinite(forest.attribution(queries)).all(), number
assert 0 < sound < count
for number in range(60):
    rng = np.random.default_rng(number)
    series, n, waves = int(rng.integers(1, 4)), int(rng.integers(1, 400)), int(rng.choice([0, 2, 4, 6]))
    memory = int(rng.choice([10, 34, 240]))
    settings = Settings(
        Thresholds.of("1/20y", Cadence.parse("1D"), 1),
        memory,
        int(rng.integers(1, memory + 5)),
        None if number % 3 == 0 else int(rng.integers(1, 2 * memory)),
        int(rng.integers(1, 100)),
    )
    raw = rng.normal(size=(series, n)).round(int(rng.integers(0, 3)))
    raw[rng.random(raw.shape) < 0.1] = rng.choice([np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0])
    years = np.tile(np.arange(n) / 365.25, (series, 1))
    seasons = rng.normal(size=(series, n, waves))
    usable = np.isfinite(raw) & (rng.random(raw.shape) < 0.9)
    normal = rng.random(raw.shape) < 0.5 if number % 4 == 1 else None
    with np.errstate(all="ignore"):
        found = chart(raw, raw, usable, years, seasons, settings, normal)
    assert not np.isfinite(found.score[~usable]).any(), number
print(kernel.kernel_name())
"""


def test_it_stays_within_its_arrays(tmp_path):
    pytest.importorskip("hatchling", reason="the kernel is built by a hatchling hook")
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("there is no gcc")
    asked = [[gcc, f"-print-file-name=lib{name}.so"] for name in ("asan", "ubsan")]
    runtimes = [subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip() for ask in asked]
    if not all(map(os.path.isabs, runtimes)):
        pytest.skip("gcc has no sanitizers here")
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(runtimes),
        "ASAN_OPTIONS": "detect_leaks=0",
        "ANOMSCAN_KERNEL": "native",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src"), str(ROOT / "tests")]),
    }
    amount = [os.environ.get("ANOMSCAN_SEED", "1"), os.environ.get("ANOMSCAN_MUTATIONS", "200")]
    command = [sys.executable, "-c", WORK, str(tmp_path / "_kernel.so"), SANITIZED, *amount]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    assert done.stdout == "native\n"
