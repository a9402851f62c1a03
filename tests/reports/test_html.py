import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from anomscan import __version__
from anomscan.errors import ConfigError, InputError, LockedError, MissingExtraError, OutputError
from anomscan.incidents.incident import Incident
from anomscan.reports.html import Report
from anomscan.reports.links import chart_stem
from anomscan.reports.records import SCAN_SCHEMA, VERDICTS, Anomaly, Record
from anomscan.reports.scores import ScoreTable
from anomscan.telemetry.series import Series
from fleets import daily

URL = "https://example.com/assets/{asset}?a=1&b=2"
HOSTILE = [
    "../../x",
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"'><a href=javascript:alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "日本 太陽光",
    "x" * 300,
    "javascript:alert(1)",
    "-rf",
    "a\u2028b<!--",
]
DAYS = np.datetime64("2017-01-01", "us") + np.arange(20) * np.timedelta64(1, "D")


def found(asset: str, variable: str = "prt7") -> Record:
    anomaly = Anomaly("2017-01-09", {variable: 0.5}, asset, 4.0, 2.0, 5.0, False, [(variable, 3.0), ("w", 1.0)])
    counts = dict.fromkeys(VERDICTS, 0) | {"ok": 19, "anomalous": 1}
    return Record(SCAN_SCHEMA, asset, "rcf", "2017-01-01", "2017-01-20", [("2017-01-03", "2017-01-09")], [anomaly],
                  counts, None)  # fmt: skip


def quiet(asset: str) -> Record:
    return replace(found(asset), spans=[], anomalies=[], verdicts=dict.fromkeys(VERDICTS, 0) | {"ok": 20})


def failed(asset: str, reason: str) -> Record:
    return replace(quiet(asset), from_=None, to=None, verdicts=dict.fromkeys(VERDICTS, 0), error=reason)


def series_of(asset: str) -> Series:
    return daily(asset, np.ones(20), ("prt7",))


def scores_of(asset: str) -> ScoreTable:
    return ScoreTable(asset, DAYS, np.ones(20), np.full(20, 2.0), ("ok",) * 20)


def write(folder: Path, *records: Record, images=None, **options):
    settings = {"series_of": series_of, "scores_of": scores_of, "asset_url": URL, **options}
    return Report(**settings).folder(iter(records), folder, images=images)


class Page(HTMLParser):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.sources: list[str] = []
        self.scripts: list[str] = []
        self.ids: set[str] = set()
        self.text = ""
        self._within = ""
        self.feed(path.read_text("utf-8"))
        self.close()

    @property
    def views(self) -> set[str]:
        """The assets that it holds the views of."""
        return {name.removeprefix("v-") for name in self.ids if name.startswith("v-")}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.ids.update(value or "" for name, value in attrs if name == "id")
        self.links.extend(value or "" for name, value in attrs if name == "href")
        self.sources.extend(value or "" for name, value in attrs if name == "src")

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within == "script":
            self.scripts.append(data)
        elif self._within != "style":
            self.text += f"{data} "


def test_no_tag_or_attribute_comes_from_data(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain", found("a"), quiet("b"), failed("c", "why"), title="t", run_facts={"k": "v"})
    known = [Page(plain.index), Page(tmp_path / "plain" / "charts" / f"{chart_stem('a')}.html")]
    for nasty in HOSTILE:
        records = [found(nasty, nasty), quiet(nasty + "q"), failed(nasty + "f", nasty)]
        out = tmp_path / chart_stem(nasty)
        write(out, *records, title=nasty, run_facts={nasty: nasty})
        pages = [Page(out / "index.html"), Page(out / "charts" / f"{chart_stem(nasty)}.html")]
        for page, like in zip(pages, known, strict=True):
            assert page.tags == like.tags
            assert page.attributes == like.attributes
            assert len(page.scripts) == len(like.scripts)
            assert nasty in page.text
        drawing = json.loads(pages[1].scripts[0])
        assert (drawing["asset"], drawing["panels"][0]["title"], drawing["anomalous"]) == (nasty, "prt7", 1)
        own = [link for page in pages for link in page.links if link.startswith("https:")]
        assert [unquote(link.removeprefix("https://example.com/assets/").removesuffix("?a=1&b=2")) for link in own] == [
            nasty,
            nasty,
        ]


def test_pages_load_nothing_from_elsewhere_and_their_links_lead_somewhere(tmp_path: Path) -> None:
    files = write(tmp_path, found("a"), found("b"), asset_url=None)
    pages = [files.index, *(tmp_path / "charts").glob("*.html")]
    assert len(pages) == 3
    for path in pages:
        page = Page(path)
        assert not re.search(r"(src|href)\s*=\s*[\"']?\s*(https?:)?//", path.read_text("utf-8"))
        assert "@import" not in path.read_text("utf-8")
        assert "url(" not in path.read_text("utf-8")
        for link in page.links + page.sources:
            if link.startswith("#asset="):
                assert chart_stem(link.removeprefix("#asset=")) in page.views
            elif link.startswith("#"):
                assert link[1:] in {"", *page.ids}
            else:
                assert (path.parent / link).is_file()


def test_the_index_counts_ranks_and_names_the_failed(tmp_path: Path) -> None:
    worst = replace(found("worst"), anomalies=[replace(found("x").anomalies[0], score=9.0)])
    unknown = replace(found("unknown"), anomalies=[replace(found("x").anomalies[0], sigma=None)])
    facts = {"version": "1", "scan": {"window": 366, "shingle": 7, "sigma": 4.0, "baseline": "include-newest"}}
    files = write(
        tmp_path, found("a"), failed("f", "no column"), quiet("q1"), quiet("q2"), unknown, worst, run_facts=facts
    )
    page = Page(files.index)
    text = " ".join(page.text.split())
    for part in ("6 assets", "0 open at the end", "3 closed", "1 not judged", "2017-01-01 to 2017-01-20"):
        assert part in text
    assert "Coverage: 100 of 100 days were judged, 100% (ok 97, anomalous 3)" in text
    assert "mean + 4 std of the scores over the last 366 samples" in text
    assert "1: no column f" in text
    fleet = json.loads(page.scripts[0])
    assert fleet["assets"] == ["worst", "a", "unknown", "f", "q1", "q2"]
    assert fleet["state"] == ["closed"] * 3 + ["none"] * 3
    assert fleet["area"] == {"0": 3.5, "1": 1.0, "2": 1.0}
    assert (files.charts, files.images, files.removed) == (3, 0, 0)


def test_an_asset_with_an_incident_has_a_page_that_tells_it_first(tmp_path: Path) -> None:
    silent = Incident(
        *(None, "silent", "2017-01-15", "2017-01-18", "2017-01-20", True, 6, None, {}, {}, {}, {}, (), None)
    )
    lifted = replace(scores_of("a"), cutoff=np.append(np.ones(15), np.full(5, 3.0)))
    files = write(tmp_path, replace(quiet("a"), incidents=[silent] * 5), scores_of=lambda asset: lifted)
    text = " ".join(Page(tmp_path / "charts" / f"{chart_stem('a')}.html").text.split())
    before, _, after = text.partition("Incidents what since last")
    assert "a is silent: since 2017-01-15 (6 days), still so" in before
    assert "and 2 more, in the table below" in before
    assert "Hardly watched 2017-01-16 to 2017-01-20: what had happened before" in before
    assert after.count("is silent: since 2017-01-15") == 5
    assert "the spans" not in after
    assert (files.charts, "the anomalous days" in after) == (1, False)


def test_a_page_says_what_is_absent(tmp_path: Path) -> None:
    page = tmp_path / "charts" / f"{chart_stem('a')}.html"
    write(tmp_path, found("a"))
    assert "missing" not in Page(page).text
    write(tmp_path, found("a"), series_of=lambda _: None)
    assert "Values are missing" in Page(page).text
    assert "Scores are missing" not in Page(page).text
    write(tmp_path, found("a"), scores_of=lambda _: None)
    assert "Scores are missing" in Page(page).text
    empty = daily("a", [], ("prt7",))
    write(tmp_path, found("a"), series_of=lambda _: empty)
    assert "Values are missing" in Page(page).text


def test_a_page_lists_what_is_known_of_an_anomaly(tmp_path: Path) -> None:
    page = tmp_path / "charts" / f"{chart_stem('a')}.html"
    write(tmp_path, found("a"))
    text = " ".join(Page(page).text.split())
    assert "contributions 2017-01-09 0.5 a 4 2 5.00 prt7 75%, w 25% the spans: 1 2017-01-03 to 2017-01-09 " in text
    assert text.endswith(f"anomscan {__version__} · times are UTC · charts by uPlot, © Leon Sorokin, MIT licence")
    trained = replace(found("a"), anomalies=[replace(found("a").anomalies[0], in_sample=True, health=None)])
    write(tmp_path, trained)
    text = " ".join(Page(page).text.split())
    assert "0.5 \N{EN DASH} 4 2 5.00 prt7 75%, w 25% in sample" in text
    assert "the model was trained on data up to that day or later" in text


def test_of_very_many_anomalies_the_last_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomscan.reports.asset.page.MOST_LISTED", 2)
    one = found("a").anomalies[0]
    days = [replace(one, timestamp=f"2017-01-0{day}") for day in (3, 5, 7)]
    spans = [(each.timestamp, each.timestamp) for each in days]
    write(tmp_path, replace(found("a"), anomalies=days, spans=spans))
    text = " ".join(Page(tmp_path / "charts" / f"{chart_stem('a')}.html").text.split())
    assert "the anomalous days: 3 the last 2 of them" in text
    assert "the spans: 3 the last 2: 2017-01-05, 2017-01-07" in text


def test_pages_of_an_earlier_report_go_and_all_else_stays(tmp_path: Path) -> None:
    write(tmp_path, found("a"), found("b"))
    charts = tmp_path / "charts"
    image = charts / f"{chart_stem('a')}.png"
    kept = [
        tmp_path / "notes.txt",
        charts / "mine.html",
        charts / f"{chart_stem('foreign')}.html",
        charts / f"{chart_stem('foreign')}.png",
    ]
    for path in (*kept, image):
        path.write_text("mine")
    files = write(tmp_path, found("b"))
    assert files.removed == 1
    assert not image.exists()
    assert all(path.read_text() == "mine" for path in kept)
    assert sorted(path.name for path in charts.iterdir() if path not in kept) == [f"{chart_stem('b')}.html"]


def test_the_same_input_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, found("a"), quiet("b"))
    names = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in names)


def test_a_page_that_is_not_ours_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<h1>mine</h1>")
    with pytest.raises(OutputError, match="not written by anomscan"):
        write(tmp_path, found("a"))
    assert (tmp_path / "index.html").read_text() == "<h1>mine</h1>"


def test_a_bad_address_or_record_leaves_the_old_index(tmp_path: Path) -> None:
    files = write(tmp_path, found("a"))
    before = files.index.read_bytes()
    with pytest.raises(ConfigError):
        write(tmp_path, found("b"), asset_url="javascript:{asset}")
    with pytest.raises(InputError, match="two records"):
        write(tmp_path, found("b"), found("b"))
    assert files.index.read_bytes() == before


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write(tmp_path / "file", found("a"))


def test_results_without_a_record_are_no_report(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the results hold no record"):
        write(tmp_path)
    assert not (tmp_path / "index.html").exists()


@pytest.mark.parametrize(("images", "head"), [("png", b"\x89PNG\r\n"), ("svg", b"<?xml ")])
def test_images_lie_beside_the_pages_that_link_to_them_when_asked_for(tmp_path: Path, images: str, head: bytes) -> None:
    files = write(tmp_path, found("a"), quiet("b"), images=images)
    page = tmp_path / "charts" / f"{chart_stem('a')}.html"
    image = page.with_suffix(f".{images}")
    assert image.read_bytes().startswith(head)
    assert image.name in Page(page).links
    assert (files.charts, files.images) == (1, 1)
    write(tmp_path, failed("a", "no column"), images=images)
    assert image.exists()
    assert write(tmp_path, found("a")).images == 0
    assert not image.exists()
    assert image.name not in Page(page).links


def test_without_the_extra_no_report_with_images_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'anomscan\[charts\]'"):
        write(tmp_path / "R", found("a"), images="svg")
    assert not (tmp_path / "R").exists()


def test_two_reports_into_one_folder_do_not_meet(tmp_path):
    folder = tmp_path / "R"

    def also(asset: str) -> Series:
        with pytest.raises(LockedError, match=r"the report in .* is being written by process"):
            write(folder, found("other"))
        return series_of(asset)

    write(folder, *map(found, HOSTILE[:3]), series_of=also)
    pages = {path.name for path in (folder / "charts").iterdir()}
    assert pages == {f"{chart_stem(asset)}.html" for asset in HOSTILE[:3]}
    assert not any(path.name.startswith(".") for path in folder.iterdir())


def test_a_lock_that_is_not_ours_is_in_the_way(tmp_path):
    (tmp_path / "R").mkdir()
    (tmp_path / "R" / ".anomscan.lock").write_text("not ours")
    with pytest.raises(OutputError, match="is in the way"):
        write(tmp_path / "R", found("a"))
    assert (tmp_path / "R" / ".anomscan.lock").read_text() == "not ours"
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write(tmp_path / "file" / "R", found("a"))
