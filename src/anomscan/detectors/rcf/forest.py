"""The Random Cut Forest: fit once, then score, attribute, save."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomscan.detectors.kernel import native
from anomscan.detectors.points import Floats32, as_points
from anomscan.detectors.rcf import attribution, model_file, scoring
from anomscan.detectors.rcf.trees import MOST_MASS, Floats64, Trees
from anomscan.detectors.sampling import draw
from anomscan.errors import ConfigError, InputError

#: Threads get several chunks each, so that none waits long for the last; a chunk is large enough for a thread.
_PIECES_A_THREAD = 4
_PIECE = 512


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """A trained forest; it never changes, and threads may share it. Made by :meth:`fit` or :meth:`load`.

    Parameters
    ----------
    nodes
        The trees.
    sample_size
        The points a tree was meant to have; with fewer to train on each has fewer.
    seed
        What the chance came from.
    sampling
        ``shuffled`` or ``sagemaker``.
    facts
        What the caller wants to keep with the forest, as JSON knows it. Read-only.
    checksum
        Of the file it was read from; empty if it was not.

    Notes
    -----
    The score follows AWS's open-source forest, see :mod:`anomscan.detectors.rcf.scoring`; it has no scale of its own:
    about 0.5 to 1 where the training data is dense, more for stranger points. It tells nothing about dimensions
    that were constant in training until a point departs from that constant.

    References
    ----------
    Guha, Mishra, Roy, Schrijvers: Robust random cut forest based anomaly detection on streams, ICML 2016. The forest
    here is trained on plain samples, not on a stream.

    Examples
    --------
    >>> calm = np.random.default_rng(0).normal(size=(500, 2))
    >>> forest = Forest.fit(calm, trees=50, sample_size=100, seed=0)
    >>> usual, strange = forest.score([[0.0, 0.0], [0.0, 9.0]])
    >>> bool(strange > 3 * usual)
    True
    >>> forest.attribution([[0.0, 9.0]]).argmax(axis=1)
    array([1])
    """

    nodes: Trees
    sample_size: int
    seed: int
    sampling: str
    facts: Mapping[str, object]
    checksum: str = ""

    @classmethod
    def fit(cls, points: ArrayLike, *, trees: int, sample_size: int, seed: int, sampling: str = "shuffled") -> Self:
        """Train a forest. The same points and settings give the same forest.

        Parameters
        ----------
        points
            (n, d) finite numbers, taken as float32.
        trees
            Number of trees, at least 1.
        sample_size
            Most points a tree, at least 1.
        seed
            At least 0.
        sampling
            ``shuffled``: min(sample_size, n) random points a tree. ``sagemaker``: as the service was seen to do, see
            :func:`anomscan.detectors.sampling.draw`.

        Raises
        ------
        InputError
            For no points, or values that are not finite numbers; with ``sagemaker``, for fewer points than trees.
        ConfigError
            For settings out of their range.
        """
        table = as_points(points)
        return cls.fit_drawn(
            len(table), table.__getitem__, trees=trees, sample_size=sample_size, seed=seed, sampling=sampling
        )

    @classmethod
    def fit_drawn(
        cls,
        n: int,
        gather: Callable[[NDArray[np.int64]], ArrayLike],
        *,
        trees: int,
        sample_size: int,
        seed: int,
        sampling: str = "shuffled",
    ) -> Self:
        """Train the forest that :meth:`fit` would train on n points, holding only the points that the trees see.

        Parameters
        ----------
        n
            Number of points.
        gather
            Called once with (k,) int64 rows, rising, none twice, k <= trees * sample_size: the (k, d) points there.
        trees, sample_size, seed, sampling
            As for :meth:`fit`.

        Raises
        ------
        InputError, ConfigError
            As for :meth:`fit`, but for the points that are not gathered.
        """
        from anomscan.detectors.rcf.growing import grow  # imported here because scoring does not need it

        for name, value, least in (("trees", trees, 1), ("sample_size", sample_size, 1), ("seed", seed, 0)):
            if value < least:
                raise ConfigError(f"{name} is {value}, a forest needs at least {least}")
        if sample_size > MOST_MASS:
            raise ConfigError(f"sample_size is {sample_size}, a tree has at most {MOST_MASS} points")
        if n == 0:
            raise InputError("there are no points to train a forest on")
        rng = np.random.Generator(np.random.PCG64(seed))
        drawn = draw(n, trees=trees, sample_size=sample_size, sampling=sampling, rng=rng)
        rows, places = np.unique(drawn, return_inverse=True)
        nodes = grow(as_points(gather(rows)), places.reshape(drawn.shape), rng)
        return cls(nodes, sample_size, seed, sampling, MappingProxyType({}))

    @property
    def trees(self) -> int:
        """The number of trees."""
        return len(self.nodes.roots)

    @property
    def dimension(self) -> int:
        """The dimension d of the points it takes."""
        return self.nodes.dimension

    def with_facts(self, **facts: object) -> Self:
        """A copy of the forest with these facts added.

        Raises
        ------
        TypeError, ValueError
            If JSON cannot say a fact.
        """
        plain = json.loads(json.dumps({**self.facts, **facts}, allow_nan=False))
        return replace(self, facts=MappingProxyType(plain), checksum="")

    def score(self, points: ArrayLike, *, threads: int = 1) -> Floats64:
        """Score points; higher is stranger.

        Parameters
        ----------
        points
            (n, d) finite numbers, taken as float32. n may be 0.
        threads
            Threads that share the points, at least 1.

        Returns
        -------
        (n,) float64. A point's score is the same to the last bit whatever else is in the batch, however many threads
        there are, and with or without the compiled kernel.

        Raises
        ------
        InputError
            If a value is not a finite number.
        ModelError
            If d is not the forest's.
        """
        kernel = native()
        score = scoring.score if kernel is None else kernel.score
        return _shared_out(functools.partial(score, self.nodes), as_points(points, self.dimension), threads)

    def attribution(self, points: ArrayLike, *, threads: int = 1) -> Floats64:
        """Divide each point's score among the dimensions.

        Parameters
        ----------
        points
            (n, d) finite numbers, taken as float32. n may be 0.
        threads
            Threads that share the points, at least 1.

        Returns
        -------
        (n, d) float64 >= 0; a row's sum is the point's score, up to rounding. As with the score, the rest of the batch
        does not matter.

        Raises
        ------
        InputError
            If a value is not a finite number.
        ModelError
            If d is not the forest's.
        """
        kernel = native()
        attribute = attribution.attribution if kernel is None else kernel.attribution
        return _shared_out(functools.partial(attribute, self.nodes), as_points(points, self.dimension), threads)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the forest to a file; the same forest gives the same bytes.

        Raises
        ------
        OutputError
            If it cannot be written; an old file stays.
        """
        model_file.write(path, self.nodes, self._settings())

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that are the same for the same forest with the same facts."""
        return self.checksum or model_file.checksum(self.nodes, self._settings())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a forest that :meth:`save` wrote.

        Raises
        ------
        ModelError
            If there is none, or it is cut off, damaged, of another version or not a forest at all.
        """
        nodes, settings, checksum = model_file.read(path)
        return cls(
            nodes,
            settings["sample_size"],
            settings["seed"],
            settings["sampling"],
            MappingProxyType(settings["facts"]),
            checksum,
        )

    def __reduce__(self) -> tuple[object, ...]:
        # A read-only view of a dictionary cannot be pickled.
        return _put_together, (self.nodes, self.sample_size, self.seed, self.sampling, dict(self.facts), self.checksum)

    def _settings(self) -> dict[str, object]:
        return {
            "sample_size": self.sample_size,
            "seed": self.seed,
            "sampling": self.sampling,
            "facts": dict(self.facts),
        }


def _put_together(
    nodes: Trees, sample_size: int, seed: int, sampling: str, facts: dict[str, object], checksum: str
) -> Forest:
    return Forest(nodes, sample_size, seed, sampling, MappingProxyType(facts), checksum)


def _shared_out(work: Callable[[Floats32], Floats64], points: Floats32, threads: int) -> Floats64:
    """Apply ``work`` to all points, in chunks if there are enough for several threads."""
    if threads < 1:
        raise ConfigError(f"threads is {threads}, a forest needs at least 1")
    pieces = min(_PIECES_A_THREAD * threads, len(points) // _PIECE)
    if threads == 1 or pieces < 2:
        return work(points)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(work, np.array_split(points, pieces))))
