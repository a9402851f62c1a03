"""Builds the compiled kernel of the detectors: a hatchling hook, and a command that builds wheels.

At an installation from source, gcc or clang compiles the kernel; where there is neither, or it fails, the package is
installed without it and the detectors run on NumPy. ``python build_kernel.py [TARGET...]`` builds a wheel for each
target, all of them by default, with the clang of the PyPI package ``ziglang`` (dependency group ``wheel``).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging import tags

ROOT = Path(__file__).parent
PLACE = "anomscan/detectors/kernel"
SOURCES = ROOT / "src" / PLACE
WISH = "ANOMSCAN_WHEEL_TARGET"
FLAGS = ["-O3", "-std=gnu11", "-ffp-contract=off", "-fvisibility=hidden", "-fPIC", "-shared"]

#: Of each target: what zig calls it, its oldest processor, the wheel's tag, the library's suffix.
TARGETS = {
    "linux-x86_64": ("x86_64-linux-gnu.2.17", "x86_64", "manylinux_2_17_x86_64.manylinux2014_x86_64", ".so"),
    "linux-aarch64": ("aarch64-linux-gnu.2.17", "generic", "manylinux_2_17_aarch64.manylinux2014_aarch64", ".so"),
    "macos-x86_64": ("x86_64-macos.11.0", "x86_64", "macosx_11_0_x86_64", ".dylib"),
    "macos-arm64": ("aarch64-macos.11.0", "apple_m1", "macosx_11_0_arm64", ".dylib"),
}


class KernelHook(BuildHookInterface[Any]):
    """Puts the library into the wheel or, for an editable installation, beside its sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, before hatchling gathers the files."""
        wish = os.environ.get(WISH)
        if wish:
            zig, processor, platform, suffix = TARGETS[wish]
            command = [sys.executable, "-m", "ziglang", "cc", "-target", zig, f"-mcpu={processor}"]
            command += ["-fno-sanitize=undefined", "-s"]
        else:
            found = compiler()
            if found is None:
                self.app.display_warning("no C compiler: anomscan is built without its kernel and will use NumPy")
                return
            command, platform = found, this_platform()
            suffix = ".dylib" if sys.platform == "darwin" else ".so"
        editable = version == "editable"
        folder = SOURCES if editable else Path(tempfile.mkdtemp())
        library = folder / f"_kernel{suffix}"
        failure = compile_kernel(command, library)
        if failure is not None:
            if not editable:
                shutil.rmtree(folder)
            if wish:
                raise SystemExit(failure)
            self.app.display_warning(f"the kernel does not compile, anomscan will use NumPy:\n{failure}")
            return
        if not editable:
            build_data["force_include"][str(library)] = f"{PLACE}/{library.name}"
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Leave nothing behind."""
        if version != "editable":
            for library in build_data["force_include"]:
                if Path(library).stem == "_kernel":
                    shutil.rmtree(Path(library).parent)


def compiler() -> list[str] | None:
    """The command of a C compiler that knows GNU C; None if there is none."""
    for name in filter(None, (os.environ.get("CC"), "clang", "gcc", "cc")):
        command = shlex.split(name)
        if shutil.which(command[0]):
            return command
    return None


def this_platform() -> str:
    """The tag of a wheel that is meant for this machine."""
    if sys.platform == "darwin":
        return next(tags.platform_tags())
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


def compile_kernel(command: list[str], library: Path) -> str | None:
    """Compile the library in one step and put it in its place; returns what the compiler says if it fails."""
    sources = sorted(SOURCES.glob("*.[ch]"))
    source_hash = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    units = [str(path) for path in sources if path.suffix == ".c"]
    unfinished = library.with_name(f"{library.name}.{os.getpid()}")
    define = f'-DKERNEL_SOURCE="{source_hash}"'
    done = subprocess.run([*command, *FLAGS, define, *units, "-o", str(unfinished)], capture_output=True, text=True)
    if done.returncode:
        return done.stdout + done.stderr
    unfinished.replace(library)
    return None


def main(targets: list[str]) -> None:
    """Build a wheel for each target into dist/."""
    unknown = [target for target in targets if target not in TARGETS]
    if unknown:
        raise SystemExit(f"unknown target {', '.join(unknown)} (one of {', '.join(TARGETS)})")
    if importlib.util.find_spec("ziglang") is None:
        raise SystemExit("wheels are built with ziglang: pip install --group wheel")
    for target in targets or TARGETS:
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
        subprocess.run(build, cwd=ROOT, env={**os.environ, WISH: target}, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
