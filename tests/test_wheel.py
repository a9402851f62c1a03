"""What is built can be installed where no compiler is, and scores there as it does here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from anomscan.detectors.rcf import Forest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
ASK = """
import json, sys
import numpy as np
import anomscan
from anomscan.detectors.rcf import Forest
from anomscan.detectors.kernel import describe, kernel_name
forest = Forest.load(sys.argv[1])
points = np.load(sys.argv[2])
print(json.dumps([anomscan.__file__, kernel_name(), describe(), forest.score(points).tolist()]))
"""

pytest.importorskip("hatchling", reason="wheels are built with hatchling")


def run(*command, path=os.defpath, **variables):
    kept = (name for name in os.environ if not name.startswith("ANOMSCAN_") and name not in ("CC", "PYTHONPATH"))
    environment = {**{name: os.environ[name] for name in kept}, "PATH": str(path), **variables}
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )


def build(folder, *, target="wheel", path=os.defpath, **variables):
    run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder, path=path, **variables)
    (built,) = folder.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    points = np.random.default_rng(0).normal(size=(300, 7))
    forest = Forest.fit(points, trees=10, sample_size=64, seed=0)
    forest.save(folder / "m.forest")
    np.save(folder / "points.npy", points)
    return folder / "m.forest", folder / "points.npy", forest.score(points).tolist()


def installed(wheel, folder, model):
    """What the wheel says in an environment of its own, where nothing on the path can compile."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())
    # The dependencies are this environment's; a .pth in there, such as an editable anomscan's, is not followed.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    nothing = folder / "empty"
    nothing.mkdir()
    file, *said = json.loads(run(python, "-c", ASK, *model[:2], path=nothing).stdout)
    assert Path(file).is_relative_to(site)
    return said


@pytest.mark.skipif(not any(map(shutil.which, ("clang", "gcc", "cc"))), reason="there is no C compiler")
def test_a_wheel_brings_its_kernel_along(tmp_path, model):
    wheel = build(tmp_path)
    assert "-py3-none-" in wheel.name
    assert not wheel.name.endswith("-any.whl")
    name, said, scores = installed(wheel, tmp_path / "venv", model)
    assert name == "native"
    assert said.startswith("native kernel, compiled by ")
    assert scores == model[2]


def test_without_a_compiler_the_wheel_has_none_and_numpy_scores_the_same(tmp_path, model):
    (tmp_path / "empty").mkdir()
    wheel = build(tmp_path, path=tmp_path / "empty")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if "_kernel" in name]
    name, said, scores = installed(wheel, tmp_path / "venv", model)
    assert name == "numpy"
    assert "no kernel was compiled at installation" in said
    assert scores == model[2]


def test_a_compiler_that_fails_is_no_reason_not_to_install(tmp_path):
    assert build(tmp_path, CC="false").name.endswith("-py3-none-any.whl")


def test_a_source_archive_has_all_that_a_build_needs_and_no_library(tmp_path):
    with tarfile.open(build(tmp_path, target="sdist")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    kernel = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("src/anomscan/detectors/kernel/*.[ch]")}
    assert kernel | {"build_kernel.py", "pyproject.toml"} <= names
    assert not [name for name in names if "/_kernel." in name]


@pytest.mark.parametrize(
    ("target", "library", "magic"),
    [
        ("linux-x86_64", "_kernel.so", b"\x7fELF"),
        ("linux-aarch64", "_kernel.so", b"\x7fELF"),
        ("macos-x86_64", "_kernel.dylib", b"\xcf\xfa\xed\xfe"),
        ("macos-arm64", "_kernel.dylib", b"\xcf\xfa\xed\xfe"),
    ],
)
def test_wheels_for_other_machines(tmp_path, target, library, magic):
    pytest.importorskip("ziglang", reason="the dependency group wheel is not installed")
    wheel = zipfile.ZipFile(build(tmp_path, ANOMSCAN_WHEEL_TARGET=target))
    assert wheel.read(f"anomscan/detectors/kernel/{library}").startswith(magic)
