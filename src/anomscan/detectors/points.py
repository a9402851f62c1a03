"""Points as a forest takes them: finite float32, one row each."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomscan.errors import InputError, ModelError
from anomscan.telemetry.series import LARGEST, Series

Floats32 = NDArray[np.float32]


def beyond(series: Series, rows: slice) -> list[str]:
    """The values of some rows of a series that lie beyond ``LARGEST``, in words; infinite ones are missing values.

    >>> from anomscan.telemetry.cadence import Cadence
    >>> at = np.array(["2017-01-01", "2017-01-02"], "datetime64[us]")
    >>> beyond(Series("A1", Cadence.parse("1D"), ("prt7",), at, np.array([[0.9], [1e39]])), slice(None))
    ['prt7 is 1e+39 on 2017-01-02, beyond the 1.7e+38 that a forest takes']
    """
    values = series.values[rows]
    wild = (np.abs(values) > LARGEST) & np.isfinite(values)
    days = series.timestamps[rows]
    return [
        f"{series.variables[place]} is {values[row, place]:.3g} on {series.cadence.text(days[row])}, "
        f"beyond the {LARGEST:.1e} that a forest takes"
        for row, place in np.argwhere(wild).tolist()
    ]


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
        If it is not a table, or a value is NaN, infinite or beyond ``LARGEST``.
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
