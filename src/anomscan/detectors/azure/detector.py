"""A model of the service as a detector: data is sent in batches, and results are matched by their timestamps."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from anomscan.config import AzureSettings
from anomscan.detectors.azure.blob import Staging
from anomscan.detectors.azure.client import Mvad, status_of
from anomscan.detectors.azure.data import DataSchema, Table, iso
from anomscan.detectors.azure.faults import LOCALLY, listed
from anomscan.detectors.azure.model_file import model_id_of
from anomscan.detectors.base import Capabilities, Scores
from anomscan.errors import AnomscanError, AssetError, ConfigError, ModelError, ServiceError
from anomscan.storage.untrusted import read_regular
from anomscan.telemetry.series import Floats, Instants, Series

if TYPE_CHECKING:
    from azure.ai.anomalydetector.models import AnomalyState


@dataclass(frozen=True, slots=True)
class Trained:
    """What the service says about a model that is ready.

    Parameters
    ----------
    model_id
        Its id.
    sliding_window
        How many preceding samples a score depends on.
    data_schema
        How it reads data.
    variables
        What it was trained on; None if the service does not say.
    trained_through
        The end of its training data; None if the service does not say.
    """

    model_id: str
    sliding_window: int
    data_schema: DataSchema
    variables: frozenset[str] | None
    trained_through: np.datetime64 | None


@dataclass(slots=True, eq=False)
class _Gathered:
    """One asset's scores as they come in."""

    score: Floats
    severity: Floats
    contribution: Floats
    is_anomaly: NDArray[np.bool_]
    notes: list[str] = field(default_factory=list)


class AzureDetector:
    """A trained model behind an endpoint that speaks v1.1.

    Parameters
    ----------
    name
        Its name in the settings.
    settings
        Its section.
    service
        The client of that endpoint.
    staging
        Puts data where the service can read it.
    """

    def __init__(self, name: str, settings: AzureSettings, service: Mvad, staging: Staging) -> None:
        self.name = name
        self.capabilities = Capabilities(remote=True, contribution=True, columns=("severity",))
        self._settings = settings
        self._service = service
        self._staging = staging
        self._lock = threading.Lock()
        self._model: Trained | None = None

    def close(self) -> None:
        """Stop polling; waiting threads exit and delete their staged data."""
        self._service.close()

    @property
    def fingerprint(self) -> str:
        """The id of the model, or a hash of the file that names it."""
        if self._settings.model_id is not None:
            return self._settings.model_id
        with suppress(OSError):
            return hashlib.sha256(read_regular(self._settings.model)).hexdigest()
        return ""

    @property
    def trained_through(self) -> np.datetime64 | None:
        """The end of the model's training data."""
        return self._trained().trained_through

    def score(
        self, batch: Sequence[Series], shingle: int, rows: Sequence[slice] | None = None
    ) -> list[Scores | AnomscanError]:
        """Score each series, or the rows of it that matter; see :meth:`anomscan.detectors.base.Detector.score`.

        Raises
        ------
        ServiceError
            If the service refuses, cannot be reached, or does not finish in time.
        ModelError
            If the model is missing, not ready, or was trained on other variables.
        ConfigError
            If the settings do not fit the data or the model.
        """
        if rows is None:
            rows = [slice(0, len(series)) for series in batch]
        found: list[Scores | AnomscanError] = []
        for series, wanted in zip(batch, rows, strict=True):
            try:
                found.append(self._one(series, wanted))
            except AssetError as error:
                found.append(error)
        return found

    def contributions(self, series: Series, rows: NDArray[np.intp], shingle: int) -> Floats | None:
        """None: they come with the scores."""
        return None

    def _one(self, series: Series, rows: slice) -> Scores:
        table, places = Table.of(series, self._settings.align)
        gathered = _Gathered(
            np.full(len(series), np.nan),
            np.full(len(series), np.nan),
            np.full(series.values.shape, np.nan),
            np.zeros(len(series), bool),
        )
        low, high = np.searchsorted(places, [rows.start, rows.stop]).tolist()
        if low < high:
            model = self._trained()
            self._check(model, series)
            first = min(max(low, model.sliding_window), high)
            if first > low:
                gathered.notes.append(
                    f"samples without a score, as the model's sliding window needs {model.sliding_window} before them: "
                    f"{first - low}"
                )
            for lookback, start, stop in _stretches(first, high, model.sliding_window, self._settings.max_timestamps):
                piece = table.rows(lookback, stop)
                self._ask(model, series, piece, places[start:stop], start - lookback, gathered)
        return Scores(
            series.timestamps,
            gathered.score,
            columns={"severity": gathered.severity},
            contribution=gathered.contribution,
            is_anomaly=gathered.is_anomaly,
            notes=tuple(gathered.notes),
        )

    def _ask(
        self, model: Trained, series: Series, piece: Table, rows: NDArray[np.intp], first: int, gathered: _Gathered
    ) -> None:
        """Have the service score a piece whose rows from ``first`` on are wanted; ``rows`` are their places."""
        wanted = piece.timestamps[first:]
        start, end = iso(wanted[[0, -1]])
        with self._staging.placed(piece, model.data_schema) as source:
            result = self._service.detect(model.model_id, source, str(start), str(end))
        if status_of(result.summary) == "FAILED":
            text, hint = listed(result.summary.errors or ())
            raise AssetError(f"asset '{series.asset}', {start} to {end}: detection FAILED: {text}", hint=hint)
        try:
            _join(result.results or (), series, wanted, rows, gathered)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ServiceError(
                f"detection with model {model.model_id}: the results of {self._service.endpoint} are not those of v1.1 "
                f"({type(error).__name__})",
                hint=f"check endpoint; {LOCALLY}",
            ) from None

    def _check(self, model: Trained, series: Series) -> None:
        if self._settings.max_timestamps <= model.sliding_window:
            raise ConfigError(
                f"max_timestamps is {self._settings.max_timestamps}, and the sliding window of model {model.model_id} "
                f"alone is {model.sliding_window}",
                hint="raise max_timestamps",
            )
        if model.variables is not None and model.variables != set(series.variables):
            raise ModelError(
                f"model {model.model_id} was trained on {', '.join(sorted(model.variables))}, "
                f"this run has {', '.join(series.variables)}",
                hint=f"run anomscan train --detector {self.name}, or name another in model_id",
            )

    def _trained(self) -> Trained:
        with self._lock:
            if self._model is None:
                self._model = _described(self._service, model_id_of(self.name, self._settings), self._settings)
            return self._model


def _stretches(first: int, stop: int, lookback: int, most: int) -> Iterator[tuple[int, int, int]]:
    """Cut rows into pieces of at most ``most`` rows, each including the lookback before it.

    >>> list(_stretches(5, 12, 5, 8))
    [(0, 5, 8), (3, 8, 11), (6, 11, 12)]
    """
    for start in range(first, stop, most - lookback):
        yield start - lookback, start, min(start + most - lookback, stop)


def _join(
    results: Sequence[AnomalyState], series: Series, wanted: Instants, rows: NDArray[np.intp], gathered: _Gathered
) -> None:
    """Match results to rows by their timestamps; those without a value are noted with their error codes."""
    columns = {name: column for column, name in enumerate(series.variables)}
    row_of = dict(zip(wanted.astype(np.int64).tolist(), rows.tolist(), strict=True))
    missing = dict(row_of)
    without: defaultdict[str, list[str]] = defaultdict(list)
    foreign: set[str] = set()
    strange = 0
    for item in results:
        at = _instant(item.timestamp)
        row = row_of.get(at)
        if row is None:
            strange += not (series.timestamps[0] <= np.datetime64(at, "us") < wanted[0])
            continue
        missing.pop(at, None)
        value = item.value
        if value is None or value.score is None:
            codes = [str(error.code) for error in item.errors or () if error.code]
            without[", ".join(codes) or "no error code"].append(_text(series, row))
            continue
        gathered.score[row] = value.score
        gathered.severity[row] = np.nan if value.severity is None else value.severity
        gathered.is_anomaly[row] = bool(value.is_anomaly)
        for share in value.interpretation or ():
            if share.variable not in columns:
                foreign.add(str(share.variable))
            elif share.contribution_score is not None:
                gathered.contribution[row, columns[share.variable]] = share.contribution_score
    if missing:
        without["the service gave no result"] = [_text(series, row) for row in missing.values()]
    for code, instants in without.items():
        gathered.notes.append(f"samples without a value ({code}): {len(instants)}, {_range(instants)}")
    if strange:
        gathered.notes.append(f"results of timestamps that nobody asked about: {strange}")
    if foreign:
        gathered.notes.append(f"results name variables that were not sent: {', '.join(sorted(foreign))}")


def _instant(moment: object) -> int:
    """Microseconds since 1970 of a datetime; one without an offset is UTC."""
    if not isinstance(moment, datetime):
        raise TypeError("timestamp")
    plain = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return int(np.datetime64(plain, "us").astype(np.int64))


def _text(series: Series, row: int) -> str:
    return series.cadence.text(series.timestamps[row])


def _range(instants: list[str]) -> str:
    return instants[0] if len(instants) == 1 else f"{instants[0]} to {instants[-1]}"


def _described(service: Mvad, model_id: str, settings: AzureSettings) -> Trained:
    """Ask the service about a model.

    Raises
    ------
    ModelError
        If it is not ready.
    """
    model = service.model(model_id)
    info = model.model_info
    status = status_of(info)
    if info is None or status != "READY":
        reason, hint = listed(info.errors or ()) if info and status == "FAILED" else (status or "not ready", None)
        raise ModelError(
            f"model {model_id} at {service.endpoint} cannot be used: {reason}",
            hint=hint or "wait until its training has ended, or run anomscan train",
        )
    states = (info.diagnostics_info and info.diagnostics_info.variable_states) or ()
    variables = frozenset(str(state.variable) for state in states)
    end = None if info.end_time is None else np.datetime64(_instant(info.end_time), "us")
    one_table = str(getattr(info.data_schema, "value", info.data_schema) or "OneTable") == "OneTable"
    apart: DataSchema = settings.data_schema if settings.data_schema != "table" else "zip"
    return Trained(
        model_id=model_id,
        sliding_window=int(info.sliding_window or settings.sliding_window),
        data_schema="table" if one_table else apart,
        variables=variables or None,
        trained_through=end,
    )
