"""The period of a series, from its autocorrelation."""

from __future__ import annotations

import numpy as np

from anomscan.telemetry.series import Floats

#: Where none is found.
NONE = 125
_SHORTEST, _LONGEST, _MOST_LAGS = 6, 303, 400
_MOST_ROWS = 20_000


def period_of(values: Floats) -> int:
    """The lag at which the autocorrelation has its highest local maximum; 125 if that is not one of 6 to 303 rows.

    So TSB-AD chooses windows (Liu and Paparrizos, 2024). The first 20,000 rows decide.

    Parameters
    ----------
    values
        (n,) numbers; NaN where one is missing.

    Examples
    --------
    >>> period_of(np.sin(2 * np.pi * np.arange(300) / 24))
    24
    """
    x = values[:_MOST_ROWS]
    n = len(x)
    known = np.isfinite(x)
    x = np.where(known, x - x[known].mean(), 0.0) if known.any() else np.zeros(n)
    lags = min(_MOST_LAGS, n - 1)
    spectrum = np.fft.rfft(x, 1 << (2 * n).bit_length())
    correlation = np.fft.irfft(spectrum * spectrum.conj())[: lags + 1]
    if not correlation[0] > 0:
        return NONE
    # The first lags tell how smooth a series is, not its period.
    tail = correlation[_SHORTEST // 2 :]
    tops = np.flatnonzero((tail[1:-1] > tail[:-2]) & (tail[1:-1] > tail[2:])) + 1
    highest = int(tops[tail[tops].argmax()]) + _SHORTEST // 2 if len(tops) else 0
    return highest if _SHORTEST <= highest <= _LONGEST else NONE
