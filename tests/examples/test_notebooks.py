"""The notebooks run, and find the faults that they make."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "examples" / "notebooks"
_MOST_LINES = 16


def outputs(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What each cell of code shows last."""
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
    notebook = nbformat.read(FOLDER / name, as_version=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of Jupyter itself
        NotebookClient(
            notebook, timeout=None, kernel_name="python3", resources={"metadata": {"path": folder}}
        ).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(output.output_type != "stream" or output.name != "stderr" for cell in code for output in cell.outputs)
    return [cell.outputs[-1]["data"] if cell.outputs else {} for cell in code]


@pytest.mark.slow
def test_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, incidents, chart = outputs("machine.ipynb", tmp_path, monkeypatch)
    assert "vibration" in incidents["text/html"]
    assert "2024-02-27 12:00:00" in incidents["text/html"]
    drawn = chart["application/vnd.plotly.v1+json"]
    assert [each["text"] for each in drawn["layout"]["annotations"]] == ["value", "score", "severity"]
    marked = {trace["name"]: len(trace["x"]) for trace in drawn["data"] if trace.get("mode") == "markers"}
    assert marked["vibration, anomalous"] >= 10


@pytest.mark.slow
def test_a_fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, spans, chart = outputs("fleet.ipynb", tmp_path, monkeypatch)
    assert "2017-06-04" in spans["text/html"]  # the outage of 10 June, with the six days before it
    assert "2018-02-27" in spans["text/html"]
    assert "application/vnd.plotly.v1+json" in chart
    assert (tmp_path / "fleet.html").stat().st_size > 10_000


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_they_are_short_and_kept_without_outputs(path: Path) -> None:
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    lines = [line for cell in code for line in cell.source.splitlines() if line and not line.startswith("import")]
    assert len(lines) < _MOST_LINES
    assert path.stat().st_size < 10_000
