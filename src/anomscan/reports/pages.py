"""The text of a report's pages, made with templates that escape all data."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from anomscan import __version__
from anomscan.incidents.incident import Incident
from anomscan.reports.asset.embedded import View
from anomscan.reports.asset.page import MOST_NAMED, AssetPage
from anomscan.reports.chartdata import shares
from anomscan.reports.fleet.briefing import Briefing, lasting
from anomscan.reports.fleet.cells import Cells
from anomscan.reports.fleet.packing import script_json
from anomscan.reports.fleet.payload import Days, fleet_json
from anomscan.reports.fleet.rows import RANKING, Row
from anomscan.reports.links import asset_link, chart_stem
from anomscan.reports.rule import coverage, explanations, flat
from anomscan.reports.scripts import LICENCE, policy, script, style
from anomscan.reports.summary import Summary
from anomscan.wording import counted

_NONE = "\N{EN DASH}"


class Pages:
    """Renders pages.

    Parameters
    ----------
    title
        The report's heading.
    asset_url
        A checked template of the asset's own page, or None.
    facts
        Of the run.
    """

    def __init__(self, title: str, asset_url: str | None, facts: Mapping[str, Any]) -> None:
        self._asset_url, self._facts = asset_url, facts
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("anomscan.reports"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
        )
        self._environment.globals.update(title=title, version=__version__, style=style())
        self._environment.filters.update(
            stem=chart_stem,
            link=self.link,
            sigma=lambda sigma: _NONE if sigma is None else f"{sigma:.2f}",
            number=_number,
            day=_day,
            counted=counted,
            span=lambda span: span[0] if span[0] == span[1] else f"{span[0]} to {span[1]}",
            named=_named,
            unnamed=lambda numbers: f"; and {len(numbers) - MOST_NAMED} more" if len(numbers) > MOST_NAMED else "",
            shares=lambda contributions: ", ".join(" ".join(each) for each in shares(contributions)[:MOST_NAMED]),
        )

    def link(self, row: Row) -> str | None:
        """The address of an asset's page in the user's own system."""
        return row.url or asset_link(self._asset_url, row.asset)

    def index(
        self,
        summary: Summary,
        ranked: Sequence[Row],
        cells: Cells,
        days: Days,
        *,
        views: Sequence[View],
        paged: Collection[str],
        until: str | None,
    ) -> Iterator[bytes]:
        """The fleet's page.

        Parameters
        ----------
        views
            Of assets that are in the page.
        paged
            Assets with a page in the folder.
        until
            The end of the last run of the ledger; None without one.
        """
        briefing = Briefing.of(ranked, remembered=until is not None)
        embedded = {view.asset for view in views}
        strips, levels = days.blocks()
        content = fleet_json(
            ranked, cells, days, embedded=embedded, paged=paged, stem=chart_stem, link=self.link
        )  # fmt: skip
        code = script(fleet=True, assets=bool(views))
        self._environment.filters["lasting"] = lambda told: lasting(told, summary.last)
        return self._render(
            "index.html",
            policy=policy(style(), code),
            script=code,
            licence=LICENCE if views else "",
            summary=summary,
            briefing=briefing,
            n_unjudged=sum(len(rows) for _, rows in briefing.unjudged),
            unit=summary.unit,
            until=until,
            embedded={view.stem for view in views},
            paged={chart_stem(asset) for asset in paged},
            ranking=RANKING,
            explanations=[*explanations(self._facts, summary), *coverage(summary)],
            facts=list(flat(self._facts)),
            fleet=Markup(script_json(content)),  # noqa: S704 - escaped as JSON
            strips=strips,
            levels=levels,
            without_values=days.without_values,
            views=[(view.stem, Markup(view.html), Markup(view.drawing)) for view in views],  # noqa: S704 - rendered above
        )

    def view(self, page: AssetPage, summary: Summary) -> View:
        """The view of an asset, for the page of the fleet."""
        module = self._environment.get_template("view.html").module
        html: str = module.view(page, "#", explanations(self._facts, summary))  # type: ignore[attr-defined]
        return View(page.row.order, page.record.asset, page.stem, html, page.drawing)

    def asset(self, page: AssetPage, summary: Summary) -> Iterator[bytes]:
        """An asset's own page."""
        code = script(fleet=False, assets=True)
        return self._render(
            "asset.html",
            policy=policy(style(), code),
            script=code,
            licence=LICENCE,
            page=page,
            drawing=Markup(page.drawing),  # noqa: S704 - escaped as JSON
            explanations=explanations(self._facts, summary),
        )

    def _render(self, template: str, **context: Any) -> Iterator[bytes]:
        stream = self._environment.get_template(template).stream(**context)
        stream.enable_buffering(64)
        return (piece.encode() for piece in stream)


def _number(number: float | None) -> str:
    return _NONE if number is None or math.isnan(number) else f"{number:.4g}"


def _named(incident: Incident, field: str) -> list[tuple[str, float]]:
    """What is told of the variables of an incident, those that it shows in most first where there are many."""
    numbers: Mapping[str, float] = getattr(incident, field)
    if len(numbers) <= MOST_NAMED:
        return list(numbers.items())
    first = [name for name, _ in incident.variables if name in numbers]
    return [(name, numbers[name]) for name in list(dict.fromkeys([*first, *numbers]))[:MOST_NAMED]]


def _day(at: np.datetime64) -> str:
    text = str(at.astype("datetime64[s]"))
    return text.removesuffix("T00:00:00")
