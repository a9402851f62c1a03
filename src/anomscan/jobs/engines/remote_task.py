"""What is sent to a cluster: these functions travel by value, because a node may have another anomscan, or none."""

from __future__ import annotations

import hashlib
import pickle
import sys
import traceback
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

#: The fact that changes during development.
SOURCE = "anomscan's source"

#: Of this worker process: the run it works for, and that run's function.
_kept: dict[str, Any] = {}


def facts() -> dict[str, str]:
    """What must be equal on two machines so that they give the same bytes, by the name a user knows it by.

    Whether the forest's kernel is compiled is not among them: NumPy gives the same bits.

    Raises
    ------
    ImportError
        If there is no anomscan here.
    """
    import anomscan

    folder = Path(anomscan.__file__).parent
    source = hashlib.sha256()
    for path in sorted(folder.rglob("*.[pch]*")):
        name = path.relative_to(folder)
        if path.suffix in (".py", ".c", ".h") and name.parts[0] != "cli":  # which has no part in the work
            source.update(name.as_posix().encode() + b"\0" + path.read_bytes())
    return {
        "anomscan": anomscan.__version__,
        SOURCE: source.hexdigest()[:8],
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "NumPy": ".".join(version("numpy").split(".")[:2]),
        "pyarrow": version("pyarrow").split(".")[0],
    }


def look() -> dict[str, str] | str:
    """The facts of a worker, or why there are none."""
    try:
        return facts()
    except ImportError as error:  # PackageNotFoundError is one too
        # The missing package need not be anomscan: it may be one of its requirements.
        missing = "anomscan" if find_spec("anomscan") is None else error.name
        return f"no {missing}" if missing else str(error)


def fits(here: dict[str, str] | str, expected: dict[str, str]) -> bool:
    """Whether a worker has what is expected."""
    return isinstance(here, dict) and expected.items() <= here.items()


def answer(run: str, expected: dict[str, str], work: list[Any], item: bytes, loaded: list[Any]) -> bytes:
    """Process an item on a worker.

    Parameters
    ----------
    run
        Names the run; its function is unpickled once in each process.
    expected
        The facts this worker must share: it may have joined after the others were asked.
    work
        A reference to the run's pickled function, in a list so that it is looked up here, and only once.
    item
        Pickled.
    loaded
        References to what the work takes beside the item.

    Returns
    -------
    Pickled: ``done`` and the result, ``raised`` and the exception, or ``unfit``, the node and what it has.
    """
    ray = import_module("ray")
    cloudpickle = ray.cloudpickle
    unknown = _kept.get("run") != run
    if unknown and not fits(here := look(), expected):
        return pickle.dumps(("unfit", (ray.util.get_node_ip_address(), here)))
    try:
        if unknown:
            _kept.update(run=None, work=cloudpickle.loads(ray.get(work[0])))
            _kept["run"] = run
        result = _kept["work"](cloudpickle.loads(item), *ray.get(loaded))
        return bytes(cloudpickle.dumps(("done", result)))
    except Exception as error:  # noqa: BLE001 - it is raised again where the run was started
        return pickle.dumps(("raised", portable(error)))


def portable(error: Exception) -> Exception:
    """The error itself, or its text if it cannot be pickled, with the traceback as a note."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - just made
    except Exception:  # noqa: BLE001 - exceptions fail to copy in many ways
        copy = RuntimeError(f"{type(error).__name__}: {error}")
        copy.add_note(error.__notes__[-1])
        return copy
    return error
