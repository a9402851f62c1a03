import csv as csv_format
import io
import re
from collections.abc import Iterable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomscan.errors import ConfigError, InputError
from anomscan.incidents.incident import Common, Incident, Peak
from anomscan.reports import listings
from anomscan.reports.links import asset_link, chart_stem, check_asset_url
from anomscan.reports.records import DETECT_SCHEMA, SCAN_SCHEMA, VERDICTS, Anomaly, Record, record_line
from anomscan.tables.csv_cells import guarded
from golden import hold

GOLDEN = Path(__file__).parent / "golden"
URL = "https://example.com/Solar/AssetDetails/{asset}?tab=days&from=1"


def anomaly(timestamp: str, sigma: float | None = 4.5, in_sample: bool = False) -> Anomaly:
    return Anomaly(timestamp, {"prt7": 0.25}, "Good", 3.0, 2.0, sigma, in_sample, [("prt7", 3.0)])


def record(asset: str, *days: Anomaly, spans: Iterable[tuple[str, str]] = (), error: str | None = None) -> Record:
    counts = dict.fromkeys(VERDICTS, 0) | ({} if error else {"ok": 360, "anomalous": len(days), "warming-up": 365})
    stretch = (None, None) if error else ("2016-01-01", "2017-12-31")
    return Record(SCAN_SCHEMA, asset, "rcf", *stretch, list(spans), list(days), counts, error)


def fleet() -> list[Record]:
    return [
        record("../../x", anomaly("2017-03-07"), spans=[("2017-03-01", "2017-03-07")]),
        record("007", anomaly("2017-01-07", 5.25), anomaly("2017-06-30", None), anomaly("2017-07-01", 4.125, True),
               spans=[("2017-01-01", "2017-01-07"), ("2017-06-24", "2017-07-01")]),
        record('<script>alert("1")</script>', anomaly("2017-05-05", 6.5), spans=[("2017-04-29", "2017-05-05")]),
        record('=HYPERLINK("x")|*b*', anomaly("2017-05-05", 4.25), spans=[("2017-04-29", "2017-05-05")]),
        record("broken", error="rows | contradict"),
        record("quiet"),
        Record(
            DETECT_SCHEMA, "日本 é", "rcf", "2017-01-01T00:00:00Z", "2017-01-02T00:00:00Z",
            [("2017-01-01T05:10:00Z", "2017-01-01T06:10:00Z")],
            [Anomaly("2017-01-01T06:10:00Z", {"power": 1e-7, "wind": float("nan")}, None, 3.5, 2.0, 4.0625, False,
                     [("power", 2.5), ("wind", 1.0)])],
            dict.fromkeys(VERDICTS, 0) | {"ok": 144, "anomalous": 1}, None,
        ),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("records.jsonl", lambda: (record_line(each) + "\n" for each in fleet())),
        ("spans.csv", lambda: listings.csv(fleet())),
        ("links.html", lambda: listings.links(fleet(), URL)),
        ("summary.md", lambda: listings.markdown(fleet(), title="Bad days", asset_url=URL)),
    ],
)
def test_output_is_as_in_the_golden_file(name: str, made) -> None:
    hold(GOLDEN / name, "".join(made()))


class Anchors(HTMLParser):
    """Collects (attributes, text) of every element."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.found:
            tag, attributes, text = self.found[-1]
            self.found[-1] = (tag, attributes, text + data)


ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), min_size=1)


@given(ids)
def test_a_link_leads_back_to_its_id_whatever_it_is(asset: str) -> None:
    (line,) = listings.links([record(asset, anomaly("2017-03-07"))], URL)
    parser = Anchors()
    parser.feed(line)
    parser.close()
    ((tag, attributes, text),) = parser.found
    address = urlsplit(attributes["href"] or "")
    assert (tag, attributes["target"], attributes["rel"]) == ("a", "_new", "noopener")
    assert (address.netloc, address.query) == ("example.com", "tab=days&from=1")
    assert unquote(address.path.removeprefix("/Solar/AssetDetails/")) == asset
    assert text == asset + "\n\n"


@given(ids)
def test_csv_keeps_ids_exactly_but_for_formulas(asset: str) -> None:
    text = "".join(listings.csv([record(asset, anomaly("2017-03-07"), spans=[("2017-03-01", "2017-03-07")])]))
    header, row = csv_format.reader(io.StringIO(text, newline=""))
    assert tuple(header) == listings.CSV_COLUMNS
    assert row == [guarded(asset), "2017-03-01", "2017-03-07", "1", "4.5", "3.0", "0", "rcf"]
    assert guarded(asset) in (asset, f"'{asset}")
    assert (guarded(asset) == asset) == (re.match(r"[\s']*[=+\-@\t\n\uff1d\uff0b\uff0d\uff20]", asset) is None)


@given(ids, ids)
def test_a_guard_against_formulas_keeps_different_ids_different(asset: str, other: str) -> None:
    assert (guarded(asset) == guarded(other)) == (asset == other)


@pytest.mark.parametrize(
    "asset", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\rx", "\n=1", " =1", "'=1", "\uff1d1", '=HYPERLINK("x")']
)
def test_no_cell_of_a_listing_is_a_formula(asset: str) -> None:
    hostile = replace(record(asset, anomaly("2017-03-07"), spans=[("2017-03-01", "2017-03-07")]), detector=asset)
    hostile = replace(hostile, incidents=[incident(asset)])
    for made in (listings.csv, listings.incidents_csv):
        _, row = csv_format.reader(io.StringIO("".join(made([hostile])), newline=""))
        assert not [cell for cell in row if cell.lstrip().startswith(tuple("=+@\uff1d"))]
        assert row.count(f"'{asset}") >= 2


def incident(variable: str) -> Incident:
    return Incident(
        *("ab12", "dropped", "2017-03-01", "2017-03-04", "2017-03-07", True, 2, Peak("2017-03-07", 3.0, 4.5)),
        *({variable: 0.5}, {variable: 0.75}, {variable: -1 / 3}, {variable: 1.5}, ((variable, 1.0),)),
        Common("cohort:R1", "2017-02-28"),
    )


def test_incidents_are_rows() -> None:
    nameless = replace(incident("v"), id=None, kind="silent", open=False, peak=None, variables=(), common=None)
    found = [replace(record("007"), incidents=[incident("v"), nameless]), record("quiet")]
    rows = [*csv_format.DictReader(io.StringIO("".join(listings.incidents_csv(found))))]
    assert [row["asset"] for row in rows] == ["007", "007"]
    assert tuple(rows[0]) == listings.INCIDENT_COLUMNS
    assert [*rows[0].values()][1:8] == ["ab12", "dropped", "2017-03-01", "2017-03-04", "2017-03-07", "true", "2"]
    assert [*rows[0].values()][8:17] == ["2017-03-07", "3.0", "4.5", "v", "1.0", "0.5", "0.75", str(-1 / 3), "1.5"]
    assert [*rows[0].values()][17:20] == ["cohort:R1", "2017-02-28", "rcf"]
    assert rows[0]["words"].startswith("dropped: 33 % below expected since 2017-03-01")
    assert {name for name, cell in rows[1].items() if not cell} == {
        *("id", "peak", "peak_score", "peak_sigma", "variable", "share", "observed", "expected", "deviation", "loss"),
        *("common", "common_since"),
    }
    assert rows[1]["open"] == "false"


@given(ids, ids)
def test_a_file_name_is_safe_short_and_its_ids_own(asset: str, other: str) -> None:
    stem = chart_stem(asset)
    assert set(stem) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert len(stem) <= 60
    assert not stem.startswith("-")
    assert (stem == chart_stem(other)) == (asset == other)


def test_what_commands_a_terminal_is_shown_as_an_escape() -> None:
    found = [record("a\x1b[2J\x9b31m\u202eb", anomaly("2017-03-07"))]
    text = "".join(listings.markdown(found, title="t"))
    assert not {"\x1b", "\x9b", "\u202e"} & set(text)
    assert r"a\\x1b" in text


def test_markdown_of_a_hostile_id_stays_one_row_of_text() -> None:
    rows = "".join(listings.markdown([record("a|b\n| <b> [x](y)", anomaly("2017-03-07"))], title="t")).splitlines()
    assert rows[-1] == "| a\\|b \\| &lt;b&gt; \\[x\\](y) | 0 | 1 | 4.50 |  |"


@pytest.mark.parametrize(
    "template",
    [
        "javascript:alert({asset})",
        "ftp://example.com/{asset}",
        "example.com/{asset}",
        "https://example.com/",
        "https://{asset}.example.com/",
        "https:///{asset}",
        "https://[/{asset}",
        'https://example.com/{asset}"onclick="x',
        "https://example.com/a b/{asset}",
    ],
)
def test_an_address_that_cannot_be_used_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match="asset_url") as caught:
        check_asset_url(template)
    assert "{asset}" in str(caught.value) or "percent-encode" in str(caught.value)


def test_links_need_an_address() -> None:
    with pytest.raises(ConfigError, match="asset_url"):
        list(listings.links(fleet(), None))
    assert asset_link(None, "a") is None
    assert asset_link("https://example.com/{asset}", "cohort:R1") is None


def test_an_asset_that_comes_twice_is_refused() -> None:
    with pytest.raises(InputError, match="'a' has two records"):
        list(listings.markdown([record("a"), record("a")], title="t"))
