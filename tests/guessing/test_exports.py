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

ALL = list(exports())


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
    }


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
