"""Of every export the guess is right, or it asks; it is never wrong silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomscan.errors import InputError
from anomscan.guessing.guess import Guess, guess
from anomscan.guessing.reading import sample_of_files
from anomscan.guessing.said import Said
from anomscan.guessing.unsure import UnsureError
from guessing.exports import Export, exports
from guessing.portals import portals

ALL = [*exports(), *portals()]


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
