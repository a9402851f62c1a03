"""Errors that cross from one process to another."""

from __future__ import annotations

import copy
import pickle

import pytest

from anomscan.errors import AnomscanError, MissingExtraError, ServiceError
from anomscan.guessing.unsure import UnsureError

#: They compose their own hint.
COMPOSED = (MissingExtraError, UnsureError)


def _all(kind: type[AnomscanError]) -> list[type[AnomscanError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in _all(child))]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_errors_keep_all_they_say(protocol: int) -> None:
    errors = [
        MissingExtraError("the PNG charts", "png"),
        UnsureError("the zone is not known", "--timezone", ["UTC"]),
        *(kind("store 'a'\nis torn", hint="fetch again") for kind in _all(AnomscanError) if kind not in COMPOSED),
        ServiceError("no answer"),
    ]
    for error in errors:
        error.add_note("seen by worker 7")
        back = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301
        assert type(back) is type(error)
        assert (str(back), back.message, back.hint, back.args) == (str(error), error.message, error.hint, error.args)
        assert back.exit_code == error.exit_code
        assert back.__notes__ == ["seen by worker 7"]


def test_a_copied_error_keeps_its_hint() -> None:
    assert str(copy.copy(ServiceError("no answer", hint="wait"))) == "no answer (wait)"
