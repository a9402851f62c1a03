"""Charts as files: what is in an SVG, that any text and number can be drawn, and that equal charts are equal bytes."""

import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from anomscan.incidents.incident import Incident
from anomscan.reports.chartdata import ChartData, chart_data
from anomscan.reports.images import chart_image
from anomscan.reports.records import DETECT_SCHEMA, SCAN_SCHEMA, VERDICTS, Anomaly, Record
from anomscan.reports.scores import ScoreTable
from anomscan.telemetry.cadence import Cadence
from anomscan.telemetry.series import Series
from fleets import daily
from reports.test_drawing import amiss

N = 800
TIMES = np.datetime64("2017-01-01", "us") + np.arange(N) * np.timedelta64(1, "D")
HOSTILE = [
    "</text><script>alert(1)</script>",
    "a&b\"'",
    "$\\frac{1}",
    "red\x1b[31m\x00",
    "日本",
    "\ufffe\U0001f600",
    "x" * 300,
]


def day(number: int) -> str:
    return str(TIMES[number])[:10]


def fleet_asset(asset: str = "a", variables: tuple[str, ...] = ("prt7",), **changes) -> ChartData:
    values = np.ones((N, len(variables)))
    values[700:710] = 0.5
    values[300:320] = np.nan
    series = Series(asset, Cadence.parse("1D"), variables, TIMES, values)
    verdicts = ["ok"] * 400
    verdicts[10:20] = ["skipped"] * 10
    columns = {
        f"{kind}_{name}": np.full(400, level)
        for name in variables
        for kind, level in {"expected": 1.0, "low": 0.9, "high": 1.1, "median": 1.0}.items()
    }
    scores = ScoreTable(asset, TIMES[400:], np.ones(400), np.full(400, 2.0), tuple(verdicts), columns)
    anomaly = Anomaly(day(703), dict.fromkeys(variables, 0.5), asset, 4.0, 2.0, 5.0, False, [(variables[0], 1.0)])
    incident = Incident(
        *(None, "dropped", day(700), day(703), day(709), False, 7, None),
        *({}, {}, {}, {}, ((variables[0], 1.0),), None),
    )
    counts = dict.fromkeys(VERDICTS, 0)
    spans = [(day(697), day(709))]
    record = Record(SCAN_SCHEMA, asset, "rcf", day(0), day(N - 1), spans, [anomaly], counts, None, [incident])
    return chart_data(series, scores, replace(record, **changes))


def texts(svg: bytes) -> list[str]:
    root = ElementTree.fromstring(svg)  # noqa: S314 # our own
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
        *(
            "svg",
            "metadata",
            "RDF",
            "Work",
            "type",
            "title",
            "creator",
            "format",
            "Agent",
            "date",
            "defs",
            "style",
            "g",
        ),
        *("path", "use", "text", "tspan", "clipPath", "rect", "image", "line"),
    }
    assert not any(name.lower().startswith("on") for element in root.iter() for name in element.attrib)
    return [text.strip() for element in root.iter() if element.tag.endswith("}text") for text in element.itertext()]


def test_a_chart_tells_the_asset_its_incident_and_every_curve() -> None:
    found = texts(chart_image(fleet_asset(), "svg"))
    assert found.index("a · rcf") >= 0
    assert any(text.startswith(f"dropped: {day(700)} to {day(709)} (7 days)") for text in found)
    assert {"prt7", "score and cut-off", "measured", "expected", "band", "cohort median"} <= {*found}
    assert {"score", "cut-off", "anomalous", "span", "warming-up", "skipped"} <= {*found}


@pytest.mark.parametrize("nasty", HOSTILE)
def test_any_text_stays_text(nasty: str) -> None:
    found = texts(chart_image(fleet_asset(nasty, (nasty, "v")), "svg"))
    plain = nasty.replace("\x1b", r"\x1b").replace("\x00", r"\x00").replace("\ufffe", "\ufffd")[:80]
    assert sum(plain in text for text in found) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("format_", ["svg", "png"])
def test_the_same_chart_gives_the_same_bytes_whatever_was_drawn_before(format_: str) -> None:
    first = chart_image(fleet_asset(), format_)
    chart_image(fleet_asset("b", ("u", "v")), format_)
    assert chart_image(fleet_asset(), format_) == first


def test_settings_of_the_user_change_nothing() -> None:
    import matplotlib

    first = chart_image(fleet_asset(), "svg")
    with matplotlib.rc_context({"lines.linewidth": 9, "svg.fonttype": "path", "axes.facecolor": "red"}):
        assert chart_image(fleet_asset(), "svg") == first
        assert matplotlib.rcParams["lines.linewidth"] == 9


def test_what_detect_found_with_a_severity_is_one_panel_of_values() -> None:
    data = fleet_asset("a", ("u", "v"), schema=DETECT_SCHEMA)
    found = texts(chart_image(replace(data, severity=data.score), "svg"))
    assert {"values", "u", "v", "top 1 contributor", "severity"} <= {*found}


def test_a_night_is_drawn_with_the_year_before_it() -> None:
    data = fleet_asset(from_=day(N - 1), to=day(N - 1), spans=[], anomalies=[], incidents=[])
    found = texts(chart_image(data, "svg"))
    assert {"May", "Sep", "2019"} <= {*found}


def test_an_asset_of_which_little_is_known_is_drawn() -> None:
    record = fleet_asset().record
    found = texts(chart_image(chart_data(None, None, record), "svg"))
    assert {"anomalous", "cut-off", "prt7"} <= {*found}
    alone = replace(record, anomalies=[], spans=[], from_=None, to=None)
    assert chart_image(chart_data(daily("a", [np.nan], ("prt7",)), None, alone), "png").startswith(b"\x89PNG")


@pytest.mark.parametrize("level", [1.7e308, 1e-308, 0.0])
def test_numbers_of_any_size_are_drawn(level: float) -> None:
    series = daily("a", np.where(np.arange(50) % 2, level, -level), ("prt7",))
    record = fleet_asset(spans=[], anomalies=[], incidents=[]).record
    assert chart_image(chart_data(series, None, record), "png").startswith(b"\x89PNG")


def test_a_long_curve_is_thinned_and_keeps_its_spikes() -> None:
    n = 200_000
    times = np.datetime64("2017-01-01", "us") + np.arange(n) * np.timedelta64(10, "m")
    values = np.ones((n, 1))
    values[123_457] = 77.0
    series = Series("a", Cadence.parse("10min"), ("v",), times, values)
    record = Record(SCAN_SCHEMA, "a", "rcf", "2017-01-01T00:00:00Z", "2020-10-20T00:00:00Z", [], [], {}, None)
    svg = chart_image(chart_data(series, None, record), "svg")
    assert "80" in texts(svg)
    assert len(svg) < 200_000


@pytest.mark.slow
def test_an_image_is_as_small_whatever_the_number_of_anomalies_and_spans() -> None:
    sizes = []
    for rows in (10_000, 40_000):
        record, series, scores = amiss(rows, 1)
        sizes.append(len(chart_image(chart_data(series, scores, record), "svg")))
    assert sizes[1] < 1.3 * sizes[0] < 1_500_000


def test_matplotlib_is_not_imported_unless_a_chart_is_drawn() -> None:
    code = "import sys, anomscan.reports.html, anomscan.reports.images; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
