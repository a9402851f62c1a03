"""What a reader needs to know of a run to read its pages, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from anomscan.detectors.registry import words_of
from anomscan.reports.summary import Summary
from anomscan.wording import counted


def explanations(facts: Mapping[str, Any], summary: Summary) -> list[str]:
    """The detector, the view, the rule and what sigma means, a sentence each; those that the facts do not tell lack.

    Parameters
    ----------
    facts
        Of the run.
    summary
        Of its records, as far as they were read.
    """
    told = (_detector(facts), rule(facts, summary.command), _sigma(facts))
    return [each for each in told if each is not None]


def coverage(summary: Summary) -> list[str]:
    """How many of the samples were judged, in a sentence, if there are any."""
    if not summary.samples:
        return []
    judged = summary.verdicts["ok"] + summary.verdicts["anomalous"]
    counts = ", ".join(f"{name} {count:,}" for name, count in summary.verdicts.items() if count)
    return [
        f"Coverage: {judged:,} of {counted(summary.samples, summary.unit)} were judged, "
        f"{judged / summary.samples:.0%} ({counts})."
    ]


def rule(facts: Mapping[str, Any], command: str) -> str | None:
    """The cut-off in words, if the facts of the run contain it."""
    scan, threshold = facts.get("scan"), facts.get("threshold")
    if isinstance(threshold, (int, float)):
        return f"Anomalous: a score above {threshold:g}, the threshold of the detector."
    if isinstance(severity := facts.get("min_severity"), (int, float)):
        return f"Anomalous: what the detector calls so, with a severity above {severity:g}."
    if not isinstance(scan, Mapping):
        return None
    if not all(isinstance(scan.get(name), (int, float)) for name in ("window", "shingle", "sigma")):
        return None
    widened = f"a score sees {counted(scan['shingle'], 'sample')}, and spans are widened to them."
    if scan.get("cutoff") == "rank":
        return f"Anomalous: a score above the asset's earlier ones, by a budget of {scan.get('budget')}; {widened}"
    over = "the whole stretch" if command == "detect" else f"the last {scan['window']} samples"
    middle, spread = ("median", "scaled MAD") if scan.get("cutoff") == "median-mad" else ("mean", "std")
    newest = ", the newest left out" if command == "scan" and scan.get("baseline") == "exclude-newest" else ""
    return (
        f"Anomalous: a score above {middle} + {scan['sigma']:g} {spread} of the scores over {over}{newest}; {widened}"
    )


def flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The facts one by one: dotted names and texts."""
    for name, fact in facts.items():
        if isinstance(fact, Mapping):
            yield from flat(fact, f"{prefix}{name}.")
        elif isinstance(fact, list | tuple):
            yield f"{prefix}{name}", ", ".join(str(each) for each in fact)
        elif fact is not None:
            yield f"{prefix}{name}", str(fact)


def _detector(facts: Mapping[str, Any]) -> str | None:
    chosen = facts.get("detector_settings")
    if not isinstance(chosen, Mapping):
        return None
    words = words_of(str(chosen.get("kind")))
    if words is None:
        return None
    views = {
        "peers": "Each asset is compared with the median of its cohort.",
        "own": "Each asset is compared with its own past.",
        "auto": "Each asset is compared with the median of its cohort where that tells more, else with its own past.",
    }
    view = views.get(str(chosen.get("view")))
    return f"Detector: {words}.{f' {view}' if view else ''}"


def _sigma(facts: Mapping[str, Any]) -> str | None:
    scan = facts.get("scan")
    others = any(isinstance(facts.get(name), (int, float)) for name in ("threshold", "min_severity"))
    if others or not isinstance(scan, Mapping):
        return None
    if scan.get("cutoff") not in (None, "mean-std", "median-mad"):
        return None
    return "Sigma: how many times the scores' usual spread a score lies above their usual level."
