"""Points as a forest takes them: finite float32, one row each."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomscan.errors import InputError, ModelError

Floats32 = NDArray[np.float32]

#: Half of the largest float32: the difference of two values within it cannot overflow.
LARGEST = float(np.finfo(np.float32).max) / 2


def as_points(points: ArrayLike, dimension: int | None = None) -> Floats32:
    """Check points and round them to float32.

    Parameters
    ----------
    points
        (n, d) numbers.
    dimension
        What d must be; None where any d >= 1 will do.

    Returns
    -------
    (n, d) float32, C-contiguous.

    Raises
    ------
    InputError
        If it is no table, or a value is NaN, infinite or beyond ``LARGEST``.
    ModelError
        If d is not ``dimension``.
    """
    table = np.asarray(points, np.float64)
    if table.ndim != 2 or table.shape[1] == 0:
        raise InputError(f"points are a table of rows and columns (n, d), not an array of shape {table.shape}")
    if dimension is not None and table.shape[1] != dimension:
        raise ModelError(
            f"the forest was trained on points of dimension {dimension}, these have {table.shape[1]}",
            hint="dimension is shingle times variables: set them as in training, or train again",
        )
    usable = np.abs(table) <= LARGEST
    if not usable.all():
        row, column = np.argwhere(~usable)[0]
        raise InputError(
            f"row {row}, column {column} of the points is {table[row, column]}: a forest takes finite numbers "
            f"of at most {LARGEST:.1e}",
            hint="leave out such rows",
        )
    return np.ascontiguousarray(table, np.float32)
