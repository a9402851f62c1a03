"""Of every export the guess is right, or it asks; it is never wrong silently."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import anomscan as an
from anomscan.errors import InputError
from anomscan.guessing.guess import Guess, guess
from anomscan.guessing.reading import sample_of_files
from anomscan.guessing.said import Said
from anomscan.guessing.unsure import UnsureError
from guessing.exports import Export, exports
from guessing.instruments import instruments
from guessing.portals import portals

ALL = [*exports(), *portals(), *instruments()]


def facts(found: Guess) -> dict[str, object]:
    roles, dialect = found.roles, found.sample.dialect
    return {
        "layout": roles.layout,
        "asset": roles.asset,
        "timestamp": roles.timestamp,
        "values": roles.values,
        "health": roles.health,
        "cohort": roles.cohort,
        "tag": roles.tag,
        "value": roles.value,
        "pattern": roles.stamps.pattern,
        "cadence": found.step.text,
        "tolerance_s": found.step.tolerance_s,
        "zone": found.zone,
        "assets": found.assets,
        "missing": found.missing,
        "detector": found.choice.kind,
        "decimal": dialect.decimal,
        "delimiter": dialect.delimiter,
        "left_out": dict(roles.left_out),
        "sums": found.sums,
    }


def test_what_is_asked_is_answered_by_the_option(tmp_path: Path) -> None:
    asked = {export.name: export for export in portals()}
    for name, said, right in (
        ("whole thousands in quotes", Said(decimal="."), {"values": ("energy",), "decimal": "."}),
        ("tags of one quantity", Said(layout="long"), {"asset": "Tag", "values": ("Value",), "assets": 3}),
    ):
        path = tmp_path / f"{name}.csv"
        path.write_text(asked[name].text, "utf-8")
        found = facts(guess(sample_of_files(path, said), said))
        assert {key: found[key] for key in right} == right


def test_there_are_thirty_and_more() -> None:
    assert len(ALL) >= 30
    assert len({export.name for export in ALL}) == len(ALL)


@pytest.mark.slow
@pytest.mark.parametrize("export", ALL, ids=lambda export: export.name)
def test_is_right_or_asks(tmp_path: Path, export: Export) -> None:
    path = tmp_path / f"export{export.suffix}"
    path.write_bytes(export.text.encode(export.encoding))
    if isinstance(export.right, str):
        with pytest.raises(InputError) as error:
            guess(sample_of_files(path, Said()), Said())
        if export.right.startswith("--"):
            assert isinstance(error.value, UnsureError)
            assert error.value.option == export.right
        assert export.right in str(error.value)
    else:
        found = facts(guess(sample_of_files(path, Said()), Said()))
        assert {name: found[name] for name in export.right} == export.right


#: How many rows of an export are none: of such the reading warns.
REJECTED = {
    "a row of totals": 1,
    "a sum after each site": 6,
    "notes below": 2,
    "longitudes below the names": 6,
    "a Campbell logger": 1,
    "psql": 2,
    "MySQL's boxes": 2,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "export",
    [each for each in ALL if not isinstance(each.right, str)],
    ids=lambda export: export.name,
)
def test_what_is_guessed_is_read(tmp_path: Path, export: Export) -> None:
    """Of each sample that the guess speaks of there is a row, with the times and values of the table."""
    path = tmp_path / f"export{export.suffix}"
    path.write_bytes(export.text.encode(export.encoding))
    found = guess(sample_of_files(path, Said()), Said())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = an.read(path)
    told = [match for each in caught if (match := re.match(r"(\d+) rows? rejected", str(each.message)))]
    assert sum(int(match[1]) for match in told) == REJECTED.get(export.name, 0)
    assert data["asset"].nunique() == found.assets
    assert set(found.variables) <= set(data.columns)


def test_columns_of_parquet_with_one_name_are_told(tmp_path: Path) -> None:
    path = tmp_path / "twice.parquet"
    column = pa.array(["2024-01-01", "2024-01-02"])
    pq.write_table(pa.Table.from_arrays([column, column, column], ["t", "x", "x"]), path)
    with pytest.raises(InputError, match=r"twice\.parquet has several columns called 'x'"):
        sample_of_files(path, Said())
