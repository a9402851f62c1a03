"""Microsoft's engine, with weights stored as plain data and results in the service's form.

Where the engine and the recorded answers of the hosted service differ, this follows the recordings: a row is an
anomaly exactly where its score is above the upper limit (the engine alone also flags local peaks), severity is 0 and
the interpretation empty elsewhere. Contributions are shares among the variables named. Variables have changed where
attention rose: the recordings name 2 to 5 of 10 variables and the published outputs 1 to 3 of 5, which the engine's
own rule, a rise or a fall, exceeds nearly always.
"""

import copy
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from anomaly_detector.multivariate.contract import MultiADConfig, MultiADConstants, NormalizeBase
from anomaly_detector.multivariate.model import MultivariateAnomalyDetector
from anomaly_detector.multivariate.module import MultivariateGraphAttnDetector

from anomscan_mvad.tables import stamp

EPOCHS = 100
REPORT_EVERY = 10
SEED = 42
BATCH = 128
MAX_STRIDE = 10
"""The engine's default for the rows from one training window to the next."""
FULL_ROWS = 3_000
"""Most rows that are trained on with a stride of 1."""
CELLS = 32_000_000
"""Most cells of attention maps in memory at once; longer inputs are scored in pieces."""
CHANGED = 0.001
"""The smallest rise of attention between two variables that counts as a changed correlation: the engine's threshold."""
Progress = Callable[[dict[str, list[float]]], None]
Floats = npt.NDArray[np.float64]


class Detector(MultivariateAnomalyDetector):
    """The engine's detector, which keeps its best weights in memory and reports its progress."""

    def __init__(self, progress: Progress | None = None) -> None:
        super().__init__()
        self._progress = progress
        self._best: dict[str, torch.Tensor] = {}
        self._began = 0.0
        self._train_loss = 0.0
        self.curve: dict[str, list[float]] = {
            "epochIds": [],
            "trainLosses": [],
            "validationLosses": [],
            "latenciesInSeconds": [],
        }
        self._epoch = 0

    def save_checkpoint(self) -> None:
        """Keep the weights; the engine calls this at each best epoch, before its thresholds are known."""
        self._best = copy.deepcopy(self.model.state_dict())

    def load_checkpoint(self, model_path: str) -> None:
        """Restore the best weights."""
        self.model.load_state_dict(self._best)

    def train_epoch(self, model: Any, optimizer: Any, dataloader: Any, criterion: Any) -> tuple[float, float, float]:
        """Train one epoch and record its loss."""
        self._began = time.monotonic()
        losses: tuple[float, float, float] = super().train_epoch(model, optimizer, dataloader, criterion)
        self._train_loss = losses[0]
        return losses

    def evaluate_epoch(self, model: Any, criterion: Any, dataloader: Any) -> tuple[float, float, float]:
        """Validate one epoch; every tenth is reported."""
        losses: tuple[float, float, float] = super().evaluate_epoch(model, criterion, dataloader)
        self._epoch += 1
        if self._epoch % REPORT_EVERY == 0:
            self.curve["epochIds"].append(self._epoch)
            self.curve["trainLosses"].append(self._train_loss)
            self.curve["validationLosses"].append(losses[0])
            self.curve["latenciesInSeconds"].append(time.monotonic() - self._began)
            if self._progress is not None:
                self._progress(self.curve)
        # With too little data to validate on, the engine would keep the first epoch's weights.
        return losses if len(dataloader) else (self._train_loss, losses[1], losses[2])

    @staticmethod
    def _pack_response(
        index_values: list[Any],
        variables: list[str],
        is_anomalies: npt.NDArray[np.bool_],
        inference_scores: Floats,
        severity_scores: Floats,
        contributor_scores: Floats,
        attn_feats: Floats,
    ) -> tuple[Floats, Floats, Floats]:
        """Return scores (n,), contributions (n, d) and changes of attention (n, d, d) unchanged."""
        return inference_scores, contributor_scores, attn_feats


def shortest(window: int) -> int:
    """Count the rows that the engine needs for one result."""
    input_size, threshold_window = MultivariateAnomalyDetector.compute_window_sizes(window)
    return int(input_size + threshold_window)


def stride_of(rows: int) -> int:
    """Choose the number of rows from one training window to the next."""
    return min(MAX_STRIDE, max(1, math.ceil(rows / FULL_ROWS)))


def train(table: pd.DataFrame, window: int, stride: int, progress: Progress | None = None) -> Detector:
    """Train on a filled table; deterministic.

    Parameters
    ----------
    table : DataFrame
        More than `window` rows, float64, columns sorted.
    window : int
    stride : int
        Rows from one training window to the next. With 1, results are closest to the hosted service's.
    progress : callable, optional
        Called with the curve so far at every tenth epoch.
    """
    detector = Detector(progress)
    input_size, _ = detector.compute_window_sizes(window)
    room = int(len(table) * 0.8) - input_size
    stride = min(stride, max(1, room // 2))
    detector.fit(
        table,
        params={
            "sliding_window": window,
            "device": "cpu",
            "seed": SEED,
            "epochs": EPOCHS,
            # The engine drops an incomplete batch; with little data it would train on nothing.
            "batch_size": min(BATCH, room // stride),
            "interval": stride,
            "save": ".",  # created but never written to
        },
    )
    return detector


def save(detector: Detector, folder: Path) -> None:
    """Write weights and settings; both are safely on disk on return."""
    config = detector.config
    facts = {
        "data_dim": config.data_dim,
        "input_size": config.input_size,
        "threshold_window": config.threshold_window,
        "seed": config.seed,
        "max_values": config.normalize_base.max_values,
        "min_values": config.normalize_base.min_values,
        "pct_weight": detector.pct_weight,
        "threshold": float(detector.threshold),
        "variables": detector.variables,
    }
    with (folder / "weights.pt").open("wb") as writer:
        torch.save(detector.model.state_dict(), writer)
        writer.flush()
        os.fsync(writer.fileno())
    with (folder / "engine.json").open("w", encoding="utf-8") as text:
        json.dump(facts, text)
        text.flush()
        os.fsync(text.fileno())


def load(folder: Path) -> Detector:
    """Read what `save` wrote; nothing is unpickled as code."""
    facts = json.loads((folder / "engine.json").read_text(encoding="utf-8"))
    detector = Detector()
    detector.config = MultiADConfig(
        data_dim=facts["data_dim"],
        input_size=facts["input_size"],
        threshold_window=facts["threshold_window"],
        seed=facts["seed"],
        normalize_base=NormalizeBase(max_values=facts["max_values"], min_values=facts["min_values"]),
    )
    detector.model = MultivariateGraphAttnDetector(detector.config)
    detector.model.load_state_dict(torch.load(folder / "weights.pt", weights_only=True))
    detector.pct_weight = facts["pct_weight"]
    detector.threshold = facts["threshold"]
    detector.variables = facts["variables"]
    return detector


def score(detector: Detector, table: pd.DataFrame, top: int) -> dict[str, dict[str, Any]]:
    """Score a filled table with the model's variables.

    Returns
    -------
    dict
        By timestamp the API's ``value``; the first rows, which have no window before them, are left out.
    """
    return {moment: value for piece in _pieces(detector, table) for moment, value in _values(detector, piece, top)}


def _pieces(detector: Detector, table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    need = detector.config.input_size + detector.config.threshold_window
    size = max(2 * need, CELLS // max(1, table.shape[1] ** 2))
    for begin in range(need - 1, len(table), size):
        yield table.iloc[begin - need + 1 : begin + size]


def _values(detector: Detector, table: pd.DataFrame, top: int) -> Iterator[tuple[str, dict[str, Any]]]:
    scores, contributions, attention = detector.predict(None, table)
    upper = max(MultiADConstants.ANOMALY_UPPER_THRESHOLD, detector.threshold)
    names = [str(name) for name in table.columns]
    for row, moment in enumerate(table.index[len(table) - len(scores) :]):
        result = float(scores[row])
        anomalous = result > upper
        yield (
            stamp(moment),
            {
                "isAnomaly": anomalous,
                "severity": result / (np.e - 1) if anomalous else 0.0,
                "score": result,
                "interpretation": _interpret(names, contributions[row], attention[row], top) if anomalous else [],
            },
        )


def _interpret(names: list[str], shares: Floats, attention: Floats, top: int) -> list[dict[str, Any]]:
    leading = np.argsort(-shares, kind="stable")[:top]
    total = shares[leading].sum()
    found = []
    for variable in leading:
        rise = attention[variable]
        order = np.argsort(-rise, kind="stable")[: MultiADConstants.TOP_ATTENTION_COUNT]
        found.append(
            {
                "variable": names[variable],
                "contributionScore": float(shares[variable] / total),
                "correlationChanges": {"changedVariables": [names[i] for i in order if rise[i] > CHANGED]},
            }
        )
    return found
