"""Training with the service, on one asset's history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anomscan.config import AzureSettings
from anomscan.detectors.azure import model_file
from anomscan.detectors.azure.blob import Staging
from anomscan.detectors.azure.client import Mvad, status_of
from anomscan.detectors.azure.data import Table, iso
from anomscan.detectors.azure.faults import LOCALLY, listed
from anomscan.errors import NoExemplarsError, ServiceError
from anomscan.telemetry.series import Series
from anomscan.wording import counted

if TYPE_CHECKING:
    from azure.ai.anomalydetector.models import AnomalyDetectionModel, ModelInfo

#: The service's limit, and the least it recommends.
MOST_TIMESTAMPS, ADVISED_TIMESTAMPS = 1_000_000, 5_000
_DISPLAY_NAME = 24


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The result of a training.

    Parameters
    ----------
    model_id
        The new model.
    timestamps
        Number of samples it was trained on.
    through
        The last of them.
    curve
        (epoch, training loss, validation loss), as the service gave them.
    variables
        (variable, share of filled values, values, first timestamp, last timestamp).
    notes
        What the user should know.
    """

    model_id: str
    timestamps: int
    through: np.datetime64
    curve: list[tuple[int, float, float]]
    variables: list[tuple[str, float, int, str, str]]
    notes: list[str]


def train(
    series: Series,
    settings: AzureSettings,
    service: Mvad,
    staging: Staging,
    *,
    through: np.datetime64 | None,
    on_status: Callable[[str], None],
) -> TrainingResult:
    """Train a model on one asset's history up to ``through`` and record its id in the file that the settings name.

    Parameters
    ----------
    on_status
        Called with a sentence at each change of status.

    Raises
    ------
    NoExemplarsError
        If the history is shorter than the sliding window.
    ServiceError
        If the service refuses, cannot be reached, or the training fails.
    OutputError
        If the id cannot be recorded; ``on_status`` was told it before.
    """
    table, _ = Table.of(series, settings.align)
    stop = len(table) if through is None else int(np.searchsorted(table.timestamps, through, "right"))
    table = table.rows(max(stop - MOST_TIMESTAMPS, 0), stop)
    if len(table) <= settings.sliding_window:
        raise NoExemplarsError(
            f"asset '{series.asset}' has {counted(len(table), 'sample')} to train on, "
            f"the sliding window alone is {settings.sliding_window}",
            hint="fetch more history, or lower sliding_window (28 or more)",
        )
    notes = _advice(table, left=stop - len(table))
    with staging.placed(table, settings.data_schema) as source:
        model = service.train(_info(table, settings, source), _Watch(on_status))
    if status_of(model.model_info) == "FAILED":
        text, hint = listed((model.model_info and model.model_info.errors) or ())
        raise ServiceError(f"training model {model.model_id} FAILED: {text}", hint=f"{hint or 'see above'}; {LOCALLY}")
    on_status(f"model {model.model_id} is ready")
    model_file.note(settings, model.model_id)
    curve, variables = diagnostics(model)
    return TrainingResult(model.model_id, len(table), table.timestamps[-1], curve, variables, notes)


def diagnostics(
    model: AnomalyDetectionModel,
) -> tuple[list[tuple[int, float, float]], list[tuple[str, float, int, str, str]]]:
    """The training curve and the state of each variable, as in :class:`TrainingResult`; empty if there is none."""
    found = model.model_info.diagnostics_info if model.model_info else None
    state = found.model_state if found else None
    curve = (
        list(zip(state.epoch_ids or (), state.train_losses or (), state.validation_losses or (), strict=False))
        if state
        else []
    )
    variables = [
        (
            str(each.variable),
            float("nan") if each.filled_n_a_ratio is None else float(each.filled_n_a_ratio),
            int(each.effective_count or 0),
            _text(each.first_timestamp),
            _text(each.last_timestamp),
        )
        for each in (found.variable_states if found else None) or ()
    ]
    return curve, variables


def _text(moment: Any) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _info(table: Table, settings: AzureSettings, source: str) -> ModelInfo:
    from azure.ai.anomalydetector.models import ModelInfo

    start, end = iso(table.timestamps[[0, -1]])
    return ModelInfo(
        {
            "dataSource": source,
            "dataSchema": "OneTable" if settings.data_schema == "table" else "MultiTable",
            "startTime": str(start),
            "endTime": str(end),
            "displayName": settings.display_name[:_DISPLAY_NAME],
            "slidingWindow": settings.sliding_window,
            "alignPolicy": {
                "alignMode": settings.align,
                "fillNAMethod": settings.fill,
                "paddingValue": settings.fill_value,
            },
        }
    )


def _advice(table: Table, *, left: int) -> list[str]:
    notes = []
    if left:
        notes.append(f"{counted(left, 'early sample')} left out: the service learns from at most {MOST_TIMESTAMPS:,}")
    if len(table) < ADVISED_TIMESTAMPS:
        notes.append(f"few samples ({len(table):,}): the service advises {ADVISED_TIMESTAMPS:,} or more")
    for column, variable in enumerate(table.variables):
        values = table.values[np.isfinite(table.values[:, column]), column]
        if len(values) == 0 or values.min() == values.max():
            notes.append(f"{variable} is constant: it tells the model nothing, and any change in it will look strange")
    return notes


class _Watch:
    """Reports a training's status and progress whenever they change."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._last = ""

    def __call__(self, model: AnomalyDetectionModel) -> None:
        curve, _ = diagnostics(model)
        status = status_of(model.model_info) or "under way"
        text = f"model {model.model_id}: {status}"
        if curve and status == "RUNNING":
            text += f", epoch {curve[-1][0]}, loss {curve[-1][1]:.4g}"
        if text != self._last:
            self._say(text)
            self._last = text
