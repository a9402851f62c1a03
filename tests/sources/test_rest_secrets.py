"""The key is in what is sent, and nowhere else."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

import numpy as np
import pytest

from anomscan.errors import AnomscanError
from anomscan.jobs.fetch import fetch_into
from anomscan.sources.base import Request
from anomscan.sources.rest.source import Rest
from anomscan.store.store import Store
from servers.rest_client import GOOD, KEY, clock_of, fetch, settings_of
from servers.rest_faults import HTML, Impatient, Reply, serving


def test_the_key_is_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    also = "not-to-be-seen-either"
    replies = {
        "good": Reply(body=GOOD),
        "gone": Reply(404, KEY.encode()),
        "html": Reply(body=HTML + KEY.encode()),
        "moved": Reply(302, b"", {"Location": f"http://localhost:1/?code={KEY}"}),
        "large": Reply(body=b" " * 200_000),
        "reset": Reply(cut=-1),
        "busy": Reply(503),
        "headers": Reply(body=GOOD, headers={"Bad header": "x"}),
    }
    store = Store.create(tmp_path / "store")
    said: list[str] = []
    with serving(lambda call: replies[call.parts[1]]) as service:
        for how in ("query", "header", "bearer"):
            settings = settings_of(f"{service.url}/api/{{asset}}?also={also}", key_in=how, max_response_mb=0.1)
            source = Rest("far", settings, clock_of(Impatient()))
            said += [repr(settings), str(settings), repr(source), str(vars(source)["_settings"])]
            report = fetch_into(store, source, Request(tuple(replies)), now=np.datetime64("2024-03-09", "us"))
            assert {failure.asset for failure in report.failures} == set(replies) - {"good", "headers"}
            for failure in report.failures:
                said += [str(failure.error), repr(failure), *traceback.format_exception(failure.error)]
            said += [report.summary, *report.warnings]
        assert all(KEY in call.target or KEY in str(call.headers) for call in service.calls)
    with serving(lambda call: Reply(401)) as service, pytest.raises(AnomscanError) as caught:
        fetch(f"{service.url}?also={also}", "a")
    said += traceback.format_exception(caught.value)
    said += [caplog.text, *capfd.readouterr(), *(str(record.args) for record in caplog.records)]
    assert "urllib3" in caplog.text
    said += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    for text in said:
        assert KEY not in text
        assert also not in text
