"""What a person sees of a run: its anomalous samples, a summary, and what failed."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from anomscan.cli.console import TerminalConsole
from anomscan.incidents.sparkline import BLOCKS
from anomscan.telemetry.names import PREFIX
from anomscan.wording import counted, listed

if TYPE_CHECKING:
    from anomscan.jobs.job import Remedies
    from anomscan.jobs.tally import Tally
    from anomscan.reports.results import EncodedRecord

_YEAR_US = 365 * 86_400_000_000
#: Where more of what was judged is anomalous, the detector is wrong rather than the assets.
_TOO_MANY = 0.25
#: With fewer judged samples an asset, a storm or one bad asset is as likely.
_FEWEST = 30


def show_records(
    console: TerminalConsole, format_: Literal["jsonl", "table"] | None, results: Iterable[EncodedRecord], tally: Tally
) -> None:
    """Print the records: as a table if that is asked for or standard output is a terminal, else as JSON lines."""
    if format_ == "table" or (format_ is None and sys.stdout.isatty()):
        _anomalies(console, results, tally.unit)
    else:
        sys.stdout.writelines(each.line.decode() + "\n" for each in results)


def show_tally(console: TerminalConsole, tally: Tally, remedies: Remedies) -> None:
    """Print a summary of a run; ``remedies`` tells what to do where it judged nothing."""
    counts = [(verdict, count) for verdict, count in tally.verdicts.items() if count]
    console.table(tally.unit, ("verdict", tally.unit), [*counts, *([] if counts else [("none", 0)])], data=False)
    if tally.ranked:
        rows = [(asset, days, tuple(spans.split())) for days, asset, spans in tally.ranked]
        console.table("findings", ("asset", f"anomalous {tally.unit}", "spans"), rows, data=False)
        if tally.findings > len(tally.ranked):
            console.info(f"... and {counted(tally.findings - len(tally.ranked), 'more asset')} with findings")
    if tally.open:
        drawn = console.can_draw(BLOCKS)
        worst = [(asset, line if drawn else "", tuple(words.split())) for _, asset, words, line in tally.open]
        console.table("open incidents, the worst first", ("asset", "values", "what"), worst, data=False)
        if tally.unshown_open:
            console.info(f"... and {counted(tally.unshown_open, 'more open incident')}")
    if tally.stages:
        spent = [(stage, f"{seconds:,.1f} s") for stage, seconds in tally.stages.items()]
        console.table("time by stage, all workers", ("stage", "time"), spent, data=False)
    if tally.hardly_watched:
        console.info(
            f"what had happened before more than doubled the cut-off of {counted(tally.hardly_watched, 'asset')}: "
            'hardly watched since ([scan] baseline_days = "clean" leaves that out)'
        )
    for note in tally.notes:
        console.warn(note)
    if tally.unshown_notes:
        console.warn(f"... and {counted(tally.unshown_notes, 'more such note')}")
    for asset, reason in tally.failures:
        named = reason if reason.startswith(f"asset '{asset}'") else f"asset '{asset}': {reason}"
        console.error(named, asset=asset)
    if tally.failed > len(tally.failures):
        console.error(f"... and {counted(tally.failed - len(tally.failures), 'more failed asset')}")
    if tally.expected_false is not None:
        false = f"{tally.expected_false:,.{1 if tally.expected_false < 10 else 0}f}"
        console.info(
            f"{counted(tally.incidents, 'incident')} found; the cut-off allows for about {false} false ones",
            expected_false=round(tally.expected_false, 4),
        )
    if (share := _anomalous_share(tally)) > _TOO_MANY:
        console.warn(
            f"{share:.0%} of the judged {tally.unit} are anomalous: the detector does not fit these values "
            "(anomscan compare tells which does), or they want another cadence or another measure"
        )
    if tally.stale:
        console.info(tally.stale)
    if tally.judged_nothing:
        console.error(_judged_nothing(tally, remedies))
    console.info(
        f"{counted(tally.assets, 'asset')}: {tally.findings:,} with findings, {tally.failed:,} failed",
        assets=tally.assets,
        with_findings=tally.findings,
        failed=tally.failed,
        verdicts=dict(tally.verdicts),
    )


def _anomalous_share(tally: Tally) -> float:
    """The share of the judged samples that are anomalous; 0 where so few of each asset tell nothing of the detector."""
    anomalous = tally.verdicts["anomalous"]
    judged = anomalous + tally.verdicts["ok"]
    return anomalous / judged if judged >= max(_FEWEST * tally.assets, 1) else 0.0


def _judged_nothing(tally: Tally, remedies: Remedies) -> str:
    """Why no day has a verdict, and what to do."""
    warming_up, no_data = tally.verdicts["warming-up"], tally.verdicts["no-data"]
    if not warming_up and not no_data:
        return f"no {tally.unit} judged: none are stored in the stretch that was asked for (see --from, --to, --days)"
    text = f"no {tally.unit} judged: {warming_up:,} warming-up, {no_data:,} without data"
    return f"{text} ({remedies.warming_up if warming_up else remedies.no_data})"


def _anomalies(console: TerminalConsole, results: Iterable[EncodedRecord], unit: str) -> None:
    """Print the anomalous samples as a table."""
    from anomscan.reports.records import read_records

    columns = ("asset", "timestamp", "values", "health", "score", "severity", "cutoff", "sigma", "contributions")
    rows = []
    drawn: list[EncodedRecord] = []
    for each in results:
        drawn = [*drawn, each] if len(drawn) < 2 and not each.asset.startswith(PREFIX) else drawn
        (record,) = read_records([each.line.decode()])
        for anomaly, severity in zip(record.anomalies, each.severities, strict=True):
            rows.append(
                (
                    record.asset,
                    anomaly.timestamp,
                    listed(f"{variable} {value:.4g}" for variable, value in anomaly.values.items()),
                    anomaly.health or "",
                    f"{anomaly.score:.4g}",
                    "" if severity is None else f"{severity:.3f}",
                    "" if math.isnan(anomaly.cutoff) else f"{anomaly.cutoff:.4g}",
                    "" if anomaly.sigma is None else f"{anomaly.sigma:.2f}",
                    listed(f"{variable} {share:.3g}" for variable, share in anomaly.contributions[:3]),
                )
            )
    console.table(f"anomalous {unit}", columns, rows, data=True)
    if len(drawn) == 1:
        _draw_score(console, drawn[0], unit)


def _draw_score(console: TerminalConsole, each: EncodedRecord, unit: str) -> None:
    """The score of one asset's last year, on a terminal."""
    from anomscan.incidents.terminal_chart import chart

    days = each.judged
    if len(days):
        days = days[days["timestamp"] > days["timestamp"][-1] - _YEAR_US]
    console.draw(
        f"score of {each.asset}, the last year, {unit} above the cut-off marked",
        lambda width, plain: chart(days["score"], days["score"] > days["cutoff"], width, plain=plain),
    )
