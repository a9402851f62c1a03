from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from anomscan.config import (
    AzureSettings,
    ControlChartSettings,
    FilesSource,
    NearestSettings,
    ProfileSettings,
    RcfSettings,
    RecordedSettings,
    RestSource,
    SageMakerSettings,
    SageMakerTraining,
    Settings,
    SqlSource,
    explain,
    load,
)
from anomscan.errors import ConfigError

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "config.example.toml"


@pytest.fixture
def toml(tmp_path):
    def write(text):
        (tmp_path / "anomscan.toml").write_text(text)
        return tmp_path

    return write


def read(cwd, environ=None, flags=None, file=None):
    return load(file, flags=flags, environ=environ or {}, cwd=cwd)


def test_the_example_loads_and_names_every_key():
    settings = load(EXAMPLE, environ={}).settings
    example = tomllib.loads(EXAMPLE.read_text("utf-8"))

    def keys(model: type[BaseModel]):
        return set(model.model_fields)

    assert set(example) == keys(Settings)
    for section in ("defaults", "store", "assets", "incidents", "train", "scan", "report"):
        # The list of assets has a path in the example, and so neither a source nor a query.
        instead = {"source", "query"} if section == "assets" else set()
        assert set(example[section]) == keys(type(getattr(settings, section))) - instead
    for section, name, model in [
        ("sources", "fleet", FilesSource),
        ("sources", "database", SqlSource),
        ("sources", "inverters", RestSource),
        ("detectors", "rcf", RcfSettings),
        ("detectors", "chart", ControlChartSettings),
        ("detectors", "nearest", NearestSettings),
        ("detectors", "profile", ProfileSettings),
        ("detectors", "replay", RecordedSettings),
        ("detectors", "endpoint", SageMakerSettings),
        ("detectors", "azure", AzureSettings),
    ]:
        assert set(example[section][name]) == keys(model)
        assert isinstance(getattr(settings, section)[name], model)


def test_the_example_equals_the_defaults_wherever_there_is_one(tmp_path):
    example = tomllib.loads(EXAMPLE.read_text("utf-8"))
    bare = read(tmp_path).settings

    def compare(given, default, base):
        for key, value in given.items():
            field = type(default).model_fields[key]
            if field.is_required() or field.default is None:
                continue
            there = getattr(default, key)
            there = str(there.relative_to(base)) if isinstance(there, Path) else there
            assert (tuple(value) if isinstance(value, list) else value) == there, key

    for section in ("defaults", "store", "train", "scan", "report"):
        compare(example[section], getattr(bare, section), tmp_path)
    compare(example["detectors"]["rcf"], bare.detectors["rcf"], tmp_path)
    endpoint = example["detectors"]["endpoint"]
    training = endpoint.pop("training")
    compare(endpoint, SageMakerSettings(kind="sagemaker", endpoint=endpoint["endpoint"]), tmp_path)
    compare(training, SageMakerTraining(), tmp_path)
    assert set(training) == set(SageMakerTraining.model_fields)
    given = {("detectors", "azure"): {"kind": "azure", "endpoint": "http://127.0.0.1:5000"}}
    azure = load(flags=given, environ={}, cwd=tmp_path).settings.detectors["azure"]
    compare(example["detectors"]["azure"], azure, tmp_path)
    for name, model in (("inverters", RestSource), ("database", SqlSource)):
        given = example["sources"][name]
        needed = {name: given[name] for name, field in model.model_fields.items() if field.is_required()}
        compare({name: value for name, value in given.items() if name != "key"}, model(**needed), tmp_path)


def test_flags_win_over_environment_over_env_file_over_file_over_defaults(toml):
    cwd = toml("[scan]\nsigma = 2.0\nwindow = 100\nshingle = 5\n")
    (cwd / ".env").write_text("ANOMSCAN_SCAN__SIGMA=3\nANOMSCAN_SCAN__WINDOW=200\nOTHER=1\n")
    loaded = read(cwd, {"ANOMSCAN_SCAN__WINDOW": "300"}, {("scan", "shingle"): 3, ("scan", "gaps"): None})
    scan = loaded.settings.scan
    assert (scan.sigma, scan.window, scan.shingle, scan.gaps) == (3.0, 300, 3, "calendar")
    origins = {key: origin for key, _, origin in explain(loaded)}
    assert origins["scan.sigma"].endswith(".env ANOMSCAN_SCAN__SIGMA")
    assert origins["scan.window"] == "environment ANOMSCAN_SCAN__WINDOW"
    assert origins["scan.shingle"] == "flag"
    assert origins["scan.gaps"] == "default"


def test_lists_and_names_of_any_case_come_from_the_environment(toml):
    cwd = toml(
        '[sources.PlantA]\nkind = "sql"\nurl = "sqlite://"\nquery = "q"\ncadence = "1D"\n'
        "[sources.PlantA.columns]\nvalues = ['x']\n"
    )
    settings = read(
        cwd,
        {"ANOMSCAN_SCAN__SKIP_HEALTH": '["Unknown", "Off"]', "ANOMSCAN_SOURCES__PLANTA__URL": "sqlite:///secret.db"},
    ).settings
    assert settings.scan.skip_health == ("Unknown", "Off")
    assert settings.sources["PlantA"].url.get_secret_value().endswith("secret.db")


def test_secrets_are_masked(toml):
    cwd = toml(
        '[sources.db]\nkind = "sql"\nurl = "mysql://u:hunter2@h/d"\nquery = "q"\ncadence = "1D"\n'
        "[sources.db.columns]\nvalues = ['x']\n"
    )
    loaded = read(cwd)
    assert "hunter2" not in repr(loaded)
    assert "hunter2" not in str(explain(loaded))


NOTEBOOK = {
    "anomaly_detector_endpoint": "https://ad.example.com/",
    "anomaly_detector_key": "k",
    "anomaly_detector_model_id": "m",
    "storage_connection_string": "AccountName=a;AccountKey=b",
}


def test_the_notebooks_variables_stand_in_for_what_an_azure_section_leaves_out(toml):
    cwd = toml('[detectors.mvad]\nkind = "azure"\n')
    assert explain(read(cwd, NOTEBOOK))
    (cwd / ".env").write_text("".join(f"{name}={value}\n" for name, value in NOTEBOOK.items()))
    for environ in (NOTEBOOK, {}):
        loaded = read(cwd, environ)
        mvad = loaded.settings.detectors["mvad"]
        assert (mvad.endpoint, mvad.model_id) == ("https://ad.example.com/", "m")
        assert (mvad.key.get_secret_value(), mvad.storage_connection_string.get_secret_value()) == (
            "k",
            "AccountName=a;AccountKey=b",
        )
        assert "AccountKey" not in repr(loaded) + str(explain(loaded))


def test_key_and_model_of_the_notebooks_service_are_not_taken_elsewhere(toml):
    cwd = toml('[detectors.mvad]\nkind = "azure"\nendpoint = "http://127.0.0.1:5000"\n')
    mvad = read(cwd, NOTEBOOK).settings.detectors["mvad"]
    assert (mvad.key, mvad.model_id) == (None, None)
    assert mvad.storage_connection_string is not None
    cwd = toml('[detectors.mvad]\nkind = "azure"\nendpoint = "https://AD.example.com"\nkey = ""\n')
    mvad = read(cwd, NOTEBOOK).settings.detectors["mvad"]
    assert (mvad.key, mvad.model_id) == (None, "m")
    with pytest.raises(ConfigError, match=r"'detectors.mvad.endpoint' is missing"):
        read(toml('[detectors.mvad]\nkind = "azure"\n'))


def test_relative_paths_are_relative_to_the_file(toml, tmp_path):
    cwd = toml('[store]\npath = "data"\n[detectors.rcf]\nkind = "rcf"\nmodel = "../m.forest"\n')
    settings = read(tmp_path / "elsewhere", file=cwd / "anomscan.toml").settings
    assert settings.store.path == cwd / "data"
    assert settings.detectors["rcf"].model == cwd.parent / "m.forest"


def test_the_variable_names_the_file(toml, tmp_path):
    cwd = toml("[scan]\nsigma = 2.5\n")
    loaded = read(tmp_path / "elsewhere", {"ANOMSCAN_CONFIG": str(cwd / "anomscan.toml")})
    assert loaded.settings.scan.sigma == 2.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[scan]\nwindw = 3\n", r"unknown key 'scan.windw'.*did you mean 'window'"),
        ("[scam]\nwindow = 3\n", r"unknown section 'scam'.*did you mean 'scan'"),
        ('[detectors.a]\nkind = "rcf"\ntreees = 3\n', r"unknown key 'detectors.a.treees'.*did you mean 'trees'"),
        (
            '[detectors.a]\nkind = "rfc"\n',
            r"'detectors.a' needs a kind: one of 'rcf', 'control-chart', 'nearest'",
        ),
        (
            "[detectors.a]\ntrees = 3\n",
            r"'detectors.a' needs a kind: one of 'rcf', 'control-chart', 'nearest'",
        ),
        ('[detectors.a]\nkind = "recorded"\n', r"'detectors.a.path' is missing"),
        (
            '[detectors.a]\nkind = "sagemaker"\nendpoint = "e"\ntrained_through = "yesterday"\n',
            r"yesterday",
        ),
        ('[scan]\nsigma = "much"\n', r"'scan.sigma'.*number"),
        ("[scan]\nsigma = -1\n", r"'scan.sigma'.*greater than 0"),
        (
            '[sources.s]\nkind = "files"\npath = "x"\ncadence = "1D"\ncolumns = { values = ["v"], helth = "h" }\n',
            r"unknown key 'sources.s.columns.helth'.*did you mean 'health'",
        ),
        (
            '[sources.s]\nkind = "files"\npath = "x"\ncadence = "daily"\ncolumns = { values = ["v"] }\n',
            "cadence 'daily'",
        ),
        (
            '[sources.s]\nkind = "files"\npath = "x"\ncadence = "1D"\ntimezone = "Mars"\n'
            "columns = { values = ['v'] }\n",
            "time zone 'Mars'",
        ),
        ("[scan\n", "is not valid TOML"),
        ("scan = 3\n", "'scan'"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(toml, text, message):
    cwd = toml(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read(cwd)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_wrong_variable_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"unknown key 'scan.sigme'.*did you mean 'sigma'"):
        read(tmp_path, {"ANOMSCAN_SCAN__SIGME": "3"})


def test_no_file_where_one_was_named(tmp_path):
    with pytest.raises(ConfigError, match="there is no configuration file"):
        read(tmp_path, file=Path("nowhere.toml"))


def test_unknown_names_offer_the_nearest(toml):
    settings = read(
        toml('[sources.fleet]\nkind = "files"\npath = "x"\ncadence = "1D"\ncolumns = { values = ["v"] }\n')
    ).settings
    assert settings.source(None)[0] == "fleet"
    with pytest.raises(ConfigError, match="did you mean 'fleet'"):
        settings.source("flet")
    with pytest.raises(ConfigError, match="did you mean 'rcf'"):
        settings.detector("rcff")


@pytest.mark.parametrize(
    ("environ", "flags", "place"),
    [
        ({"ANOMSCAN_SCAN__SIGMAA": "3"}, {}, "environment ANOMSCAN_SCAN__SIGMAA: unknown key 'scan.sigmaa'"),
        ({"ANOMSCAN_SCAN__SIGMA": "four"}, {}, "environment ANOMSCAN_SCAN__SIGMA: 'scan.sigma'"),
        ({}, {("scan", "sigma"): -1.0}, "the command line: 'scan.sigma'"),
    ],
)
def test_an_error_names_who_gave_the_value_rather_than_the_file(toml, environ, flags, place):
    with pytest.raises(ConfigError, match=f"^{re.escape(place)}"):
        read(toml("[scan]\nwindow = 30\n"), environ, flags)


def test_settings_without_a_source_say_where_to_write_one(tmp_path):
    with pytest.raises(ConfigError, match="have no source") as raised:
        read(tmp_path).settings.source(None)
    assert "anomscan.toml" in raised.value.hint
    assert "--config" in raised.value.hint


SOURCE = '[sources.f]\nkind = "files"\npath = "t.csv"\ncadence = "1D"\ncolumns = { values = ["v"] }\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SOURCE + 'timezone = "Europe"\n', "time zone 'Europe' is not known"),
        (SOURCE.replace("1D", "9" * 17 + "D"), "cadence '9{17}D' is not valid"),
        (SOURCE.replace("1D", "40000D"), "cadence '40000D' is not valid"),
        ("[scan]\nsigma = 1e308\n", "less than or equal to 1000000"),
        ("x = " + "[" * 20_000 + "]" * 20_000, "nested too deeply"),
        ('[store]\npath = "a\\u0000b"\n', "NUL character"),
        ('[detectors.rcf]\nkind = "rcf"\nmodel = "\\u0000"\n', "NUL character"),
        (SOURCE.replace('["v"]', '"v"'), "'sources.f.columns.values' must be a list"),
        ('[store]\npath = "C:\\data\\x"\n', "write a Windows path with / or in single quotes"),
    ],
)
def test_settings_out_of_any_range_are_one_line(toml, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read(toml(text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_is_read_as_windows_saves_it(tmp_path, encoding):
    (tmp_path / "anomscan.toml").write_bytes("[scan]\r\nsigma = 3.5\r\n".encode(encoding))
    assert read(tmp_path).settings.scan.sigma == 3.5


@pytest.mark.parametrize(
    ("content", "message"), [(b"PASSWORD=caf\xe9\n", "not UTF-8 text"), (b"A=b\0c\n", "'A' holds a NUL character")]
)
def test_an_env_file_that_cannot_be_read_is_named(tmp_path, content, message):
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"\.env.*{message}"):
        read(tmp_path)


def test_a_working_directory_that_has_gone(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigError, match="the working directory cannot be used"):
        load(tmp_path / "anomscan.toml", environ={})


@pytest.mark.parametrize("text", ['"2010-01-01"', "2010-01-01", "2010-01-01T00:00:00Z"])
def test_earliest_is_a_day_or_an_instant(toml, text):
    section = '[sources.f]\nkind = "files"\npath = "t.csv"\ncadence = "1D"\ncolumns = { values = ["x"] }\n'
    section += f"earliest = {text}\n"
    assert read(toml(section)).settings.sources["f"].earliest.startswith("2010-01-01")
    with pytest.raises(ConfigError, match="'2010' is not a date or an instant"):
        read(toml(section.replace(text, '"2010"')))
