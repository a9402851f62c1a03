"""The kernel under the sanitizers of the compiler: it reads and writes nothing but its arrays."""

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
import sys
from pathlib import Path
import numpy as np
import build_kernel
from anomscan.detectors.rcf import Forest, kernel
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
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
    }
    command = [sys.executable, "-c", WORK, str(tmp_path / "_kernel.so"), SANITIZED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    assert done.stdout == "native\n"
