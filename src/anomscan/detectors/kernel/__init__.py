"""The compiled inner loops of the detectors; without them they use NumPy.

The library is plain C behind ctypes: it knows nothing of Python's version, and a call lets other threads run.
``ANOMSCAN_KERNEL=numpy`` leaves it out, ``ANOMSCAN_KERNEL=native`` insists on it.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from anomscan.errors import ConfigError

if TYPE_CHECKING:
    from anomscan.detectors.points import Floats32
    from anomscan.detectors.rcf.trees import Floats64, Ints32, Places, Trees

_FOLDER = Path(__file__).parent
_LIBRARY = _FOLDER / ("_kernel.dylib" if sys.platform == "darwin" else "_kernel.so")
_SOURCES = ("chart.c", "descend.c", "grow.c", "join.c", "lanes.h", "nearest.c")
_VARIABLE = "ANOMSCAN_KERNEL"

#: A block of points stays in the second-level cache, with its state.
_BLOCK_BYTES = 1 << 20
_BLOCK_POINTS = (1024, 4096)

_Pointer, _Count = ctypes.c_void_p, ctypes.c_int64


def kernel_name() -> str:
    """What scores here: ``native`` or ``numpy``.

    Raises
    ------
    ConfigError
        As :func:`native`.
    """
    return "numpy" if native() is None else "native"


def describe() -> str:
    """One line: what scores here and, if that is NumPy, why.

    Raises
    ------
    ConfigError
        As :func:`native`.
    """
    kernel = native()
    if kernel is not None:
        return f"native kernel, compiled by {kernel.compiler}"
    found = _load()
    return f"NumPy: {found if isinstance(found, str) else f'{_VARIABLE} says so'}"


def native() -> Native | None:
    """The compiled kernel; None if NumPy is to do the work.

    Raises
    ------
    ConfigError
        If ``ANOMSCAN_KERNEL`` is neither ``numpy`` nor ``native``, or is ``native`` and there is none.
    """
    wish = os.environ.get(_VARIABLE, "")
    if wish not in ("", "native", "numpy"):
        raise ConfigError(f"{_VARIABLE} is '{wish}'", hint="set it to native or numpy, or unset it")
    if wish == "numpy":
        return None
    found = _load()
    if isinstance(found, Native):
        return found
    if wish == "native":
        raise ConfigError(f"{_VARIABLE} is native, but {found}", hint=f"or unset {_VARIABLE}")
    return None


class _Forest(ctypes.Structure):
    """``Forest`` of descend.c."""

    _fields_ = (
        *((name, _Pointer) for name in ("roots", "left", "axis", "mass", "cut", "low", "high", "logs")),
        *((name, _Count) for name in ("trees", "nodes", "dimension")),
    )


class Native:
    """The functions of the library.

    Parameters
    ----------
    library
        Loaded.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        for function in (library.anomscan_score, library.anomscan_attribution):
            function.argtypes = [ctypes.POINTER(_Forest), _Pointer, _Count, _Pointer, _Count]
            function.restype = ctypes.c_int
        library.anomscan_bound.argtypes = [_Pointer, _Count, _Pointer, _Pointer, _Count, _Pointer, _Pointer]
        library.anomscan_bound.restype = None
        library.anomscan_divide.argtypes = [_Pointer, _Count, _Pointer, _Pointer, _Count, *[_Pointer] * 6]
        library.anomscan_divide.restype = None
        library.anomscan_chart.argtypes = [_Pointer] * 12
        library.anomscan_chart.restype = ctypes.c_int
        library.anomscan_nearest.argtypes = [*[_Pointer] * 4, ctypes.c_float, ctypes.c_float, *[_Pointer] * 3]
        library.anomscan_nearest.restype = ctypes.c_int
        library.anomscan_join.argtypes = [_Pointer] * 7
        library.anomscan_join.restype = ctypes.c_int
        library.anomscan_compiler.restype = ctypes.c_char_p
        self.compiler = str(library.anomscan_compiler().decode().split(" (")[0])

    def score(self, trees: Trees, points: Floats32) -> Floats64:
        """As :func:`anomscan.detectors.rcf.scoring.score`, to the last bit."""
        total = np.zeros(len(points))
        self._descend(self._library.anomscan_score, trees, points, total, bytes_a_point=32)
        return total * trees.scale

    def attribution(self, trees: Trees, points: Floats32) -> Floats64:
        """As :func:`anomscan.detectors.rcf.attribution.attribution`, to the last bit."""
        total = np.zeros(points.shape)
        self._descend(self._library.anomscan_attribution, trees, points, total, bytes_a_point=32 + 16 * trees.dimension)
        return total * trees.scale

    def chart(
        self,
        counts: NDArray[np.int64],
        limits: Floats64,
        numbers: Sequence[Floats64],
        masks: Sequence[NDArray[np.bool_] | NDArray[np.uint8] | None],
        found: Sequence[Floats64],
        test: NDArray[np.int8],
    ) -> None:
        """As :func:`anomscan.detectors.control_chart.steps.chart`, to the last bit.

        Parameters
        ----------
        counts, limits
            In the order of ``chart.c``.
        numbers, masks
            Raw, values, years and waves; usable and told.
        found, test
            Score, level and scale, and the test; they are filled in.
        """
        given = [np.ascontiguousarray(each) for each in numbers]
        flags = [None if each is None else np.ascontiguousarray(each) for each in masks]
        places = [None if each is None else each.ctypes.data for each in (counts, limits, *given, *flags, *found, test)]
        if self._library.anomscan_chart(*places):
            raise MemoryError

    def nearest(
        self,
        counts: NDArray[np.int64],
        bounds: Sequence[NDArray[np.int64]],
        keep: Floats32,
        inherit: np.float32,
        missing: np.float32,
        values: Floats32,
        found: tuple[Floats32, Ints32],
    ) -> None:
        """As :func:`anomscan.detectors.nearest.steps.matches`, to the last bit.

        Parameters
        ----------
        counts
            In the order of ``nearest.c``.
        bounds
            By half-life the first lag, and the fewest rows before a match.
        keep, inherit, missing
            As :class:`anomscan.detectors.nearest.past.Past` has them.
        values
            (n,) of the series.
        found
            The least distances and their lags, (h, n); they are filled in.
        """
        given = [np.ascontiguousarray(each) for each in (counts, *bounds, keep, values)]
        first, last = [each.ctypes.data for each in given[:4]], [each.ctypes.data for each in (given[4], *found)]
        if self._library.anomscan_nearest(*first, inherit, missing, *last):
            raise MemoryError

    def join(
        self,
        counts: Sequence[int],
        windows: Sequence[int],
        nearest: Sequence[int],
        values: Floats64,
        blocked: Floats64 | None,
        least: Floats64,
        lag: NDArray[np.int64] | None,
    ) -> None:
        """As :func:`anomscan.detectors.profile.steps.joined`, to the last bit.

        Parameters
        ----------
        counts
            In the order of ``join.c``.
        windows, nearest
            Their lengths and smallest lags.
        values, blocked
            (d, n) of the series; (m, n) or None.
        least, lag
            (m, n); they are filled in.
        """
        whole = [np.array(each, np.int64) for each in (counts, windows, nearest)]
        given = [*whole, np.ascontiguousarray(values), None if blocked is None else np.ascontiguousarray(blocked)]
        places = [None if each is None else each.ctypes.data for each in (*given, least, lag)]
        if self._library.anomscan_join(*places):
            raise MemoryError

    def rows(self, points: Floats32, samples: NDArray[np.int64]) -> PointRows:
        """The points of all trees, to be divided level by level."""
        return PointRows(self._library, points, samples)

    def _descend(
        self, function: ctypes._NamedFuncPointer, trees: Trees, points: Floats32, total: Floats64, bytes_a_point: int
    ) -> None:
        arrays = (trees.roots, trees.left, trees.axis, trees.mass, trees.cut, trees.low, trees.high, trees.logs)
        forest = _Forest(*(a.ctypes.data for a in arrays), len(trees.roots), len(trees.left), trees.dimension)
        least, most = _BLOCK_POINTS
        block = min(max(_BLOCK_BYTES // (bytes_a_point + 4 * trees.dimension), least), most)
        if function(ctypes.byref(forest), points.ctypes.data, len(points), total.ctypes.data, block):
            raise MemoryError


class PointRows:
    """The points of each node of a level, as rows of the training points.

    Parameters
    ----------
    library
        With the functions.
    points
        (n, d) float32, C-contiguous.
    samples
        (T, m) the rows of each tree.
    """

    def __init__(self, library: ctypes.CDLL, points: Floats32, samples: NDArray[np.int64]) -> None:
        self._library = library
        self._points = points
        self._rows: Ints32 = samples.ravel().astype(np.int32)
        self._ends = np.arange(0, samples.size + 1, samples.shape[1])
        self._aside = np.empty(len(self._rows), np.int32)

    @property
    def mass(self) -> Places:
        """(k,) the number of points of each node."""
        return np.diff(self._ends)

    def bounds(self) -> tuple[Floats32, Floats32]:
        """(d, k) float32 each: the bounding boxes of the nodes."""
        dimension = self._points.shape[1]
        low, high = np.empty((2, len(self._ends) - 1, dimension), np.float32)
        self._library.anomscan_bound(
            self._points.ctypes.data,
            dimension,
            self._rows.ctypes.data,
            self._ends.ctypes.data,
            len(low),
            low.ctypes.data,
            high.ctypes.data,
        )
        return low.T, high.T

    def divide(self, splits: NDArray[np.bool_], axis: Ints32, cut: Floats32) -> None:
        """Go on to the children of the nodes that split."""
        below = np.empty(int(self.mass[splits].sum()), np.int32)
        ends = np.zeros(2 * int(splits.sum()) + 1, np.int64)
        self._library.anomscan_divide(
            self._points.ctypes.data,
            self._points.shape[1],
            self._rows.ctypes.data,
            self._ends.ctypes.data,
            len(splits),
            splits.ctypes.data,
            axis.ctypes.data,
            cut.ctypes.data,
            below.ctypes.data,
            ends.ctypes.data,
            self._aside.ctypes.data,
        )
        self._rows, self._ends = below, ends


def source_hash(folder: Path = _FOLDER) -> str:
    """The SHA-256 of the C sources; a library compiled from others is not used."""
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in _SOURCES)).hexdigest()


@functools.cache
def _load() -> Native | str:
    """The library, or why there is none."""
    if not _LIBRARY.exists():
        return "no kernel was compiled at installation (install a wheel, or have gcc or clang and install again)"
    try:
        library = ctypes.CDLL(str(_LIBRARY))
        library.anomscan_source.restype = ctypes.c_char_p
        source = library.anomscan_source().decode()
    except (OSError, AttributeError) as error:
        return f"{_LIBRARY.name} cannot be loaded: {error} (install again)"
    if source != source_hash():
        return f"{_LIBRARY.name} was compiled from other sources than these (install again)"
    return Native(library)
