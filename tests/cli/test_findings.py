"""What a person is told of a run as a whole."""

from __future__ import annotations

from collections import Counter

import pytest

from anomscan.cli.console import TerminalConsole
from anomscan.cli.findings import show_tally
from anomscan.jobs.job import Remedies
from anomscan.jobs.tally import SPANS, Tally
from anomscan.reports.records import SCAN_SCHEMA, VERDICTS, Record


@pytest.mark.parametrize(("anomalous", "assets", "warned"), [(26, 1, True), (25, 1, False), (26, 4, False)])
def test_where_much_is_anomalous_the_detector_is_called_in_question(
    capsys: pytest.CaptureFixture[str], anomalous: int, assets: int, *, warned: bool
) -> None:
    tally = Tally(assets=assets, verdicts=Counter({"anomalous": anomalous, "ok": 100 - anomalous, "warming-up": 900}))
    show_tally(TerminalConsole(), tally, Remedies("", ""))
    assert ("26% of the judged days are anomalous" in " ".join(capsys.readouterr().err.split())) == warned


def test_of_very_many_spans_the_last_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    spans = [(f"{year}-01-01", f"{year}-01-02") for year in range(1000, 3000)]
    counts = dict.fromkeys(VERDICTS, 0) | {"anomalous": 4_000, "ok": 400_000}
    tally = Tally()
    tally.add(Record(SCAN_SCHEMA, "a", "rcf", "1000-01-01", "2999-12-31", spans, [], counts, None))
    show_tally(TerminalConsole(), tally, Remedies("", ""))
    told = " ".join(capsys.readouterr().err.split())
    assert f"{2_000 - SPANS:,} earlier, 2980-01-01..2980-01-02, " in told
    assert "2979-01-01" not in told
