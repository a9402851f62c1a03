"""A report as offline pages: one file of the fleet, which holds views of assets, and a page for each in a folder.

An asset with findings or incidents has its page; one that ``detect`` looked at, or that was asked for by name, has it
without, too. An earlier report is replaced when the new one is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomscan.errors import InputError
from anomscan.reports.asset.embedded import Embedded
from anomscan.reports.asset.page import AssetPage
from anomscan.reports.chartdata import chart_data
from anomscan.reports.fleet.cells import CODES, Cells
from anomscan.reports.fleet.known import FleetFacts
from anomscan.reports.fleet.payload import AssetVerdicts, Days
from anomscan.reports.fleet.rows import Row, Rows
from anomscan.reports.folder import drafted, refuse_foreign, write
from anomscan.reports.images import ImageFormat, chart_image, check_images
from anomscan.reports.links import chart_stem, check_asset_url
from anomscan.reports.pages import Pages
from anomscan.reports.peers import against_peers
from anomscan.reports.records import DETECT_SCHEMA, Record, some
from anomscan.reports.summary import Summary

if TYPE_CHECKING:
    from anomscan.reports.scores import ScoreTable
    from anomscan.telemetry.series import Series

#: How much of the fleet's page the views of assets may take at most, and at least beside a large table.
_VIEWS, _FEWER = 2_000_000, 500_000
#: Views leave the page below ``_SMALL``, where a row of the table takes ``_ROW`` beside its days; ``_LARGE`` is told.
_SMALL, _ROW, _LARGE = 8_000_000, 100, 15_000_000
_TITLE = "Anomalous days of the fleet"


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """What was written.

    Parameters
    ----------
    index
        The page to open.
    charts, images
        How many pages of assets, in a folder or in the one file, and how many images of charts.
    removed
        How many pages of an earlier report were removed.
    notes
        What the user should know, a sentence each.
    """

    index: Path
    charts: int
    images: int
    removed: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What a report is made of.

    Parameters
    ----------
    series_of, scores_of
        The values and the scores of an asset by its id, None where there are none; asked for assets with a page only.
    asset_url
        Address of an asset's page in the user's own system, with ``{asset}`` in it.
    title
        The heading.
    run_facts
        Facts of the run to list, nested or flat; ``scan`` in them (window, shingle, sigma, baseline) is told in words.
    known
        What is known of the fleet beside the records.
    show
        Assets that have a page whatever was found.
    """

    series_of: Callable[[str], Series | None]
    scores_of: Callable[[str], ScoreTable | None]
    asset_url: str | None = None
    title: str = _TITLE
    run_facts: Mapping[str, Any] = field(default_factory=dict)
    known: FleetFacts = field(default_factory=FleetFacts)
    show: Collection[str] = ()

    def folder(self, records: Iterable[Record], folder: Path, *, images: ImageFormat | None = None) -> ReportFiles:
        """Write the page of the fleet and those of assets.

        Parameters
        ----------
        records
            Of one run; read once, one at a time; memory holds one row of the index an asset.
        folder
            Where to; made if it is missing.
        images
            Draw each chart as an image of that format, too; None for none.

        Raises
        ------
        ConfigError
            If ``asset_url`` cannot be used.
        InputError
            If the records cannot be read, there is none, an asset has two, or one to show has none.
        LockedError
            If another run writes a report into that folder.
        MissingExtraError
            If images are wanted and cannot be drawn.
        OutputError
            If a file cannot be written, or would take the place of one that is not ours.
        """
        if images is not None:
            check_images()
        writing = _Writing(self)
        with drafted(folder) as draft:
            n_images = 0
            for page, series, scores in writing.pages_of(records):
                own = page
                if images is not None:
                    own = page.with_image(f"{page.stem}.{images}")
                    draft.write_chart(str(own.image), [chart_image(chart_data(series, scores, page.record), images)])
                    n_images += 1
                draft.write_chart(f"{page.stem}.html", writing.pages.asset(own, writing.summary))
            draft.write_index(writing.index(folder=True))
            removed = draft.publish(writing.failed)
        return ReportFiles(
            draft.index, len(writing.paged), n_images, removed, tuple(writing.size_notes(draft.index, folder=True))
        )

    def file(self, records: Iterable[Record], path: Path) -> ReportFiles:
        """Write the page of the fleet alone, with the views of assets that fit.

        Raises
        ------
        ConfigError, InputError, OutputError
            As :meth:`folder`.
        """
        writing = _Writing(self)
        refuse_foreign(path)
        for _ in writing.pages_of(records):
            pass
        write(path, writing.index(folder=False))
        notes = tuple(writing.size_notes(path, folder=False))
        return ReportFiles(path, len(writing.embedded.views), 0, 0, notes)


class _Writing:
    """One report on its way."""

    def __init__(self, report: Report) -> None:
        asset_url = None if report.asset_url is None else check_asset_url(report.asset_url)
        self._report = report
        self._rows = Rows(report.known.memory, report.known.who)
        self.pages = Pages(report.title, asset_url, report.run_facts)
        self.summary = Summary()
        self.embedded = Embedded(_VIEWS)
        self.paged: list[str] = []
        self.failed: set[str] = set()
        self.without_values = 0

    def pages_of(self, records: Iterable[Record]) -> Iterator[tuple[AssetPage, Series | None, ScoreTable | None]]:
        """The pages of assets, which are offered to the page of the fleet on the way."""
        report = self._report
        to_show = set(report.show)
        for record, row in self._rows.watch(self.summary.watch(against_peers(some(records), report.run_facts))):
            if record.error is not None:
                self.failed.add(chart_stem(record.asset))
            if record.asset not in to_show and not _has_page(record, row):
                continue
            to_show.discard(record.asset)
            series, scores = report.series_of(record.asset), report.scores_of(record.asset)
            series = None if series is None or len(series) == 0 else series
            scores = None if scores is None or len(scores.timestamps) == 0 else scores
            page = AssetPage.of(record, row, series, scores)
            self.paged.append(record.asset)
            self.embedded.offer(self.pages.view(page, self.summary))
            yield page, series, scores
        if to_show:
            raise InputError(
                f"the results hold no asset {', '.join(repr(each) for each in sorted(to_show))}",
                hint="name assets as the results do",
            )

    def index(self, *, folder: bool) -> Iterator[bytes]:
        """The page of the fleet."""
        known = self._report.known
        ranked = [row for row in self._rows.ranked() if row.incidents or not row.is_cohort]
        begins = [each for each in (known.begin, self.summary.first) if each is not None]
        cells = Cells.of(min(begins, default=None), self.summary.last)
        days = Days(cells, ranked)
        days.judge(known.judged() if known.judged is not None else self._judged(ranked))
        days.measure(known.every_series() if known.every_series is not None else self._series(ranked))
        self.without_values = days.without_values
        self.embedded.fit(max(_SMALL - days.size - _ROW * len(ranked), _FEWER))
        until = None if known.memory is None else known.memory.until
        return self.pages.index(
            self.summary,
            ranked,
            cells,
            days,
            views=self.embedded.views,
            paged=self.paged if folder else (),
            until=until,
        )

    def size_notes(self, path: Path, *, folder: bool) -> Iterator[str]:
        """What to say of what a page left out for its size, and of one that is large all the same."""
        if self.without_values:
            yield f"for its size, the page of the fleet lacks values of the last {self.without_values:,} rows by rank"
        if self.embedded.left_out:
            where = f"their pages are in {path.parent / 'charts'}" if folder else "-o FOLDER writes a page for each"
            yield (
                f"for its size, the page of the fleet has {len(self.embedded.views):,} of {len(self.paged):,} views of "
                f"assets; {where}"
            )
        size = path.stat().st_size
        if size > _LARGE:
            yield f"{path} has {size / 1e6:.0f} MB, which browsers open slowly: report on a part of the fleet"

    def _series(self, ranked: Iterable[Row]) -> Iterator[Series]:
        for row in ranked:
            series = self._report.series_of(row.asset)
            if series is not None:
                yield series

    def _judged(self, ranked: Iterable[Row]) -> Iterator[AssetVerdicts]:
        import numpy as np

        for row in ranked:
            scores = self._report.scores_of(row.asset)
            if scores is not None:
                codes = np.array([CODES.get(verdict, 0) for verdict in scores.verdicts], np.uint8)
                yield AssetVerdicts(row.asset, scores.timestamps, codes)


def _has_page(record: Record, row: Row) -> bool:
    was_asked_for = record.schema == DETECT_SCHEMA and record.from_ is not None
    return record.has_findings or bool(row.incidents) or was_asked_for
