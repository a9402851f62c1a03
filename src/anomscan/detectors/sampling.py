"""Which training points each tree sees."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from anomscan.errors import ConfigError, InputError

Sampling = Literal["shuffled", "sagemaker"]
SAMPLINGS: tuple[Sampling, ...] = get_args(Sampling)


def draw(n: int, *, trees: int, sample_size: int, sampling: str, rng: np.random.Generator) -> NDArray[np.int64]:
    """Choose the rows of each tree.

    Parameters
    ----------
    n
        Number of training points, in file order.
    trees, sample_size
        T trees of up to m points.
    sampling
        ``shuffled``: min(m, n) random rows a tree, no row twice in one tree. ``sagemaker``: what the service was
        seen to do: with n >= T * m, random disjoint blocks of m rows; with fewer, n // T consecutive rows a tree in
        file order, the last n % T rows left out.
    rng
        Where chance comes from.

    Returns
    -------
    (T, rows a tree) int64.

    Raises
    ------
    ConfigError
        For an unknown ``sampling``.
    InputError
        With ``sagemaker``, for fewer points than trees.
    """
    if sampling == "shuffled":
        size = min(sample_size, n)
        return np.stack([rng.choice(n, size, replace=False, shuffle=False) for _ in range(trees)])
    if sampling != "sagemaker":
        raise ConfigError(f"unknown sampling {sampling!r}", hint=f"one of {', '.join(SAMPLINGS)}")
    if n >= trees * sample_size:
        # The same permutation as rng.permutation(n), in half the memory: only this grows with n.
        order = np.arange(n, dtype=np.int32 if n <= np.iinfo(np.int32).max else np.int64)
        rng.shuffle(order)
        return order[: trees * sample_size].astype(np.int64).reshape(trees, sample_size)
    if n < trees:
        raise InputError(
            f"sagemaker sampling divides the rows among the trees: {n} rows are too few for {trees} trees",
            hint="give more rows or fewer trees, or use sampling = 'shuffled'",
        )
    return np.arange(n // trees * trees).reshape(trees, n // trees)
