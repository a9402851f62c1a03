"""Tables as the service reads them."""

from __future__ import annotations

import csv
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from anomscan.detectors.azure.data import Table, check_variables, files, iso, write
from anomscan.errors import ConfigError
from servers.mvad_client import series_of

cells = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.just(float("nan")))


def read(path) -> dict[tuple[str, str], float]:
    with path.open(newline="") as file:
        return {
            (row["timestamp"], name): float(cell)
            for row in csv.DictReader(file)
            for name, cell in row.items()
            if name != "timestamp" and cell
        }


@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=8))
def test_every_number_reads_back_and_no_other(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("data")
    series = series_of(np.array(rows), ("a, b", 'c"'.replace('"', "'")))
    table, _ = Table.of(series, "Outer")
    sent = read(write(table, folder, "table"))
    wanted = {
        (str(instant), name): value
        for instant, row in zip(iso(series.timestamps), series.values.tolist(), strict=True)
        for name, value in zip(series.variables, row, strict=True)
        if value == value
    }
    assert sent == wanted
    apart = write(table, folder, "folder")
    for file in files(apart):
        column = {(instant, file.stem): value for (instant, _), value in read(file).items()}
        assert column == {key: value for key, value in wanted.items() if key[1] == file.stem}
        with zipfile.ZipFile(write(table, folder, "zip")) as archive:
            assert archive.read(file.name) == file.read_bytes()
            assert sorted(archive.namelist()) == sorted(f"{name}.csv" for name in series.variables)


def test_a_row_is_a_timestamp_where_it_has_a_value():
    series = series_of(np.array([[1.0, 2.0], [np.nan, 3.0], [np.nan, np.nan]]))
    assert Table.of(series, "Outer")[1].tolist() == [0, 1]
    assert Table.of(series, "Inner")[1].tolist() == [0]


def test_instants_have_a_fraction_only_where_one_has():
    instants = np.array(["2026-01-01T00:00:00", "2026-01-01T00:00:01.5"], "datetime64[us]")
    assert iso(instants[:1]).tolist() == ["2026-01-01T00:00:00Z"]
    assert iso(instants).tolist() == ["2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:01.500000Z"]


@pytest.mark.parametrize("name", ["a/b", "..", "timestamp", "a\nb", "x:y", "back\\slash"])
def test_names_that_cannot_be_files(name):
    with pytest.raises(ConfigError, match="cannot be the name of a file"):
        check_variables((name,))


def test_300_variables_are_taken_and_301_are_not():
    check_variables(tuple(map(str, range(300))))
    with pytest.raises(ConfigError, match="301 variables"):
        check_variables(tuple(map(str, range(301))))
