"""All errors of the settings at once, each with its key and its line."""

from __future__ import annotations

import json

import pytest

from anomscan.config import load
from anomscan.errors import ConfigError

BAD = """[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadnce = "1D"
late = "soon"
columns = { asset = "a", timestamp = 3, values = "v" }
skip_rows = [
  1,
  0,
]

[sources.db]
kind = "sqll"

[detectors]
x.kind = "rcf"
x.trees = 5000

[scan]
window = 1
sigmaa = 3
"""
TOLD = [
    (1, "'sources.fleet.cadence' is missing"),
    (4, "unknown key 'sources.fleet.cadnce' (did you mean 'cadence'?)"),
    (5, "'sources.fleet.late': 'soon' is not a length of time"),
    (6, "'sources.fleet.columns.timestamp' must be text (write it in quotes: \"3\")"),
    (6, "'sources.fleet.columns.values' must be a list"),
    (9, "'sources.fleet.skip_rows[1]' must be greater than or equal to 1"),
    (12, "'sources.db' needs a kind"),
    (17, "'detectors.x.trees' must be less than or equal to 1000"),
    (20, "'scan.window' must be greater than or equal to 2"),
    (21, "unknown key 'scan.sigmaa' (did you mean 'sigma'?)"),
]


def test_each_has_its_line(tmp_path):
    path = tmp_path / "anomscan.toml"
    path.write_text(BAD, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path, environ={}, cwd=tmp_path)
    said = [str(each) for each in caught.value.parts]
    assert len(said) == len(TOLD)
    for told, (line, text) in zip(said, TOLD, strict=True):
        assert told.startswith(f"{path} line {line}: {text}")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lines_are_those_of_an_editor_in_windows(tmp_path, encoding):
    path = tmp_path / "anomscan.toml"
    path.write_bytes(BAD.replace("\n", "\r\n").encode(encoding))
    with pytest.raises(ConfigError) as caught:
        load(path, environ={}, cwd=tmp_path)
    assert [f"line {line}:" in str(each) for each, (line, _) in zip(caught.value.parts, TOLD, strict=True)] == [
        True
    ] * 10


def test_what_did_not_come_from_the_file_has_no_line(tmp_path):
    (tmp_path / "anomscan.toml").write_text("[scan]\nwindow = 9\n", "utf-8")
    environ = {"ANOMSCAN_SCAN__WINDOW": "1", "ANOMSCAN_SCAN__GAPS": "x"}
    with pytest.raises(ConfigError) as caught:
        load(environ=environ, cwd=tmp_path, flags={("scan", "sigma"): -1.0})
    said = [str(each).split(": '")[0] for each in caught.value.parts]
    assert sorted(said) == ["environment ANOMSCAN_SCAN__GAPS", "environment ANOMSCAN_SCAN__WINDOW", "the command line"]


def test_the_command_line_tells_each_on_a_line(place):
    place.write("anomscan.toml", BAD)
    code, _, err = place("config", "check")
    assert code == 2
    assert [line.startswith("error: ") for line in err.splitlines()] == [True] * len(TOLD)
    code, _, err = place("fetch", "--log-format", "json")
    assert [json.loads(line)["level"] for line in err.splitlines()] == ["error"] * len(TOLD)
    assert code == 2


def test_one_error_is_one_line_and_sections_that_contradict_themselves_are_told_with_the_others(place):
    place.write(
        "anomscan.toml",
        '[scan]\nsigma = 0\n[sources.a]\nkind = "files"\npath = "a"\ncadence = "1D"\nlayout = "wide"\n'
        'columns = { asset = "a", values = ["v"] }\n',
    )
    code, _, err = place("config", "check")
    assert code == 2
    assert len(err.splitlines()) == 2
    assert "line 3: 'sources.a': layout = \"wide\" has a column each asset" in err
