"""A report as a folder of offline pages: an index of the fleet, a chart page for each asset with findings or incidents.

An asset that ``detect`` looked at has its page with or without findings: it was asked for by name.

The folder is written file by file, each whole or not at all, the index last. Chart pages of an earlier report are then
removed; whatever else lies in the folder stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomscan.errors import OutputError
from anomscan.reports.chartdata import chart_data
from anomscan.reports.charts import asset_chart
from anomscan.reports.images import ImageFormat, chart_image, check_images
from anomscan.reports.links import chart_stem, check_asset_url
from anomscan.reports.pages import Pages
from anomscan.reports.peers import against_peers
from anomscan.reports.records import DETECT_SCHEMA, Record, some
from anomscan.reports.summary import Summary
from anomscan.storage import lock
from anomscan.storage.durable import output_errors, remove_unfinished, replace_file
from anomscan.storage.untrusted import open_regular

if TYPE_CHECKING:
    from anomscan.reports.scores import ScoreTable
    from anomscan.telemetry.series import Series

PLOTLY = "plotly.min.js"
_CHARTS, _LOCK = "charts", ".anomscan.lock"
_MARKER = b'<meta name="generator" content="anomscan'
_IMAGES = (".svg", ".png")
_PAGE = "[a-z0-9]*-" + "[0-9a-f]" * 12 + ".html"


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """What was written.

    Parameters
    ----------
    index
        The page to open.
    charts, images
        How many chart pages and how many images of charts.
    removed
        How many chart pages of an earlier report were removed.
    """

    index: Path
    charts: int
    images: int
    removed: int


def write_report(
    records: Iterable[Record],
    folder: Path,
    *,
    series_of: Callable[[str], Series | None],
    scores_of: Callable[[str], ScoreTable | None],
    asset_url: str | None = None,
    title: str = "Anomalous days of the fleet",
    run_facts: Mapping[str, Any] | None = None,
    images: ImageFormat | None = None,
) -> ReportFiles:
    """Write the report of one run.

    Parameters
    ----------
    records
        Read once, one at a time; memory holds one row of the index an asset.
    folder
        Where to; made if it is missing.
    series_of, scores_of
        The values and the scores of an asset by its id, None where there are none; asked for assets with a page only.
    asset_url
        Address of an asset's page in the user's own system, with ``{asset}`` in it.
    title
        The heading.
    run_facts
        Facts of the run to list, nested or flat; ``scan`` in them (window, shingle, sigma, baseline) is told in words.
    images
        Draw each chart as an image of that format, too.

    Raises
    ------
    ConfigError
        If ``asset_url`` cannot be used.
    InputError
        If the records cannot be read, there is none, or an asset has two.
    LockedError
        If another run writes a report into that folder.
    MissingExtraError
        If images are wanted, and the package that draws them is not installed.
    OutputError
        If a file cannot be written, or would take the place of one that is not ours.
    """
    if images is not None:
        check_images()
    pages = Pages(title, None if asset_url is None else check_asset_url(asset_url))
    with _alone(folder):
        return _write_pages(records, folder, pages, series_of, scores_of, run_facts or {}, images)


def _write_pages(
    records: Iterable[Record],
    folder: Path,
    pages: Pages,
    series_of: Callable[[str], Series | None],
    scores_of: Callable[[str], ScoreTable | None],
    run_facts: Mapping[str, Any],
    images: ImageFormat | None,
) -> ReportFiles:
    summary = Summary()
    charts = folder / _CHARTS
    index = folder / "index.html"
    _refuse_foreign(index, _MARKER)
    _write_plotly(folder / PLOTLY)
    written: set[str] = set()
    pictured: set[str] = set()
    failed: set[str] = set()
    for record in summary.watch(against_peers(some(records), run_facts)):
        if record.error is not None:
            failed.add(chart_stem(record.asset))
        if not (record.has_findings or record.incidents) and not (
            record.schema == DETECT_SCHEMA and record.from_ is not None
        ):
            continue
        stem = chart_stem(record.asset)
        series, scores = series_of(record.asset), scores_of(record.asset)
        series = None if series is None or len(series) == 0 else series
        scores = None if scores is None or len(scores.timestamps) == 0 else scores
        figure = asset_chart(series, scores, record)
        image = None
        if images is not None:
            image = f"{stem}.{images}"
            _write(charts / image, [chart_image(chart_data(series, scores, record), images)])
            pictured.add(image)
        page = pages.chart(record, figure, scores, values=series is not None, image=image)
        _write(charts / f"{stem}.html", page)
        written.add(stem)
    _write(index, pages.index(summary, run_facts, written))
    removed = _remove_stale(charts, written, pictured, failed)
    return ReportFiles(index, len(written), len(pictured), removed)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Be the only one that writes a report into a folder, which is made if it is missing."""
    with output_errors(folder):
        is_new = not folder.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with lock.hold(folder / _LOCK, f"the report in {folder}", remove=True):
            for each in (folder, folder / _CHARTS):
                remove_unfinished(each)
            yield
    except BaseException:
        if is_new:
            with suppress(OSError):  # unless something is in it by now
                folder.rmdir()
        raise


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    with replace_file(path, follow=False, sweep=False) as file:
        for piece in pieces:
            file.write(piece)


def _write_plotly(path: Path) -> None:
    from plotly.offline import get_plotlyjs

    script = get_plotlyjs().encode()
    _refuse_foreign(path, b"plotly.js v")
    if _head(path, len(script) + 1) != script:
        _write(path, [script])


def _refuse_foreign(path: Path, marker: bytes) -> None:
    head = _head(path, 512)
    if head is not None and marker not in head:
        raise OutputError(f"{path} already exists and was not written by anomscan", hint="name another folder with -o")


def _head(path: Path, size: int) -> bytes | None:
    """The first bytes of a file, None if there is no such file."""
    with output_errors(path):
        try:
            with open_regular(path) as file:
                return file.read(size)
        except FileNotFoundError:
            return None


def _remove_stale(charts: Path, written: set[str], pictured: set[str], failed: set[str]) -> int:
    """Remove the pages of assets that no longer have findings, and images that were not drawn this time.

    Of an asset that failed nothing is known, so what an earlier run found stays.
    """
    removed = 0
    for page in list(_our_pages(charts)):
        with output_errors(page):
            if page.stem in failed:
                continue
            for image in (page.with_suffix(suffix) for suffix in _IMAGES):
                if image.name not in pictured:
                    image.unlink(missing_ok=True)
            if page.stem not in written:
                page.unlink()
                removed += 1
    return removed


def _our_pages(charts: Path) -> Iterator[Path]:
    return (page for page in charts.glob(_PAGE) if page.is_file() and _MARKER in (_head(page, 512) or b""))
