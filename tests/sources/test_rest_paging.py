"""Answers in pages: links, cursors and numbers, and where they lead astray."""

from __future__ import annotations

import re
from typing import Any

import pytest

from servers.rest_client import GOOD, KEY, fetch
from servers.rest_faults import Call, Reply, serving


def paged(call: Call, kind: str, nexts: dict[str, Any]) -> Reply:
    at = call.query.get("at") or call.query.get("cursor") or "1"
    rows = [{"timestamp": f"2024-03-0{at}T00:00:00Z", "temperature": int(at), "humidity": 0}]
    if kind == "header":
        return Reply(body=rows, headers={"Link": nexts[at]} if at in nexts else {})
    return Reply(body={"d": {"items": rows}, "@odata.nextLink": nexts.get(at), "meta": {"next": nexts.get(at)}})


@pytest.mark.parametrize(
    ("kind", "keys", "nexts"),
    [
        ("cursor", {"paging": "cursor", "next": "meta.next"}, {"1": 2, "2": "3"}),
        ("link", {"paging": "next-link", "next": "@odata.nextLink"}, {"1": "?at=2", "2": "/t/a?at=3"}),
        (
            "header",
            {"paging": "next-link"},
            {"1": '</t/a?at=2,x>; rel="last next", </t/a?at=9>; rel=last', "2": "</t/a?at=3>;rel=next"},
        ),
    ],
)
def test_pages_follow_one_another(kind: str, keys: dict[str, str], nexts: dict[str, Any]) -> None:
    def answer(call: Call) -> Reply:
        assert call.query["code"] == KEY  # each page is asked for with the key, whatever the link says
        call.query.update(at=call.query.get("at", "1").rstrip(",x"))
        return paged(Call(call.target.replace(",x", ""), call.headers), kind, nexts)

    with serving(answer) as service:
        path = {} if kind == "header" else {"records": "d.items"}
        rows, failures, notices = fetch(service.url + "/t/{asset}", "a", **path, **keys)
    assert (failures, notices) == ({}, [])
    assert [row[2] for row in rows] == [1.0, 2.0, 3.0]


def test_pages_by_number_end_with_an_empty_one() -> None:
    def answer(call: Call) -> Reply:
        return Reply(body=[GOOD[:1], GOOD[1:], []][int(call.query["p"])])

    with serving(answer) as service:
        rows, failures, _ = fetch(service.url, "a", paging="page", page_parameter="p", first_page=0)
    assert (len(rows), failures) == (2, {})


@pytest.mark.parametrize(
    ("keys", "body", "said"),
    [
        ({"paging": "page"}, GOOD, "page 2 of .* repeats the page before.*parameter 'page'"),
        ({"paging": "cursor", "next": "n", "records": "r"}, {"r": GOOD, "n": "same"}, "leads back to an earlier page"),
        ({"paging": "next-link", "next": "n", "records": "r"}, {"r": GOOD, "n": ""}, None),
        ({"paging": "next-link", "next": "n", "records": "r"}, {"r": GOOD, "n": "?"}, "leads back"),
        ({"paging": "next-link", "next": "n", "records": "r"}, {"r": GOOD, "n": {"a": 1}}, "next page .* is an object"),
        (
            {"paging": "next-link", "next": "n", "records": "r"},
            {"r": GOOD, "n": "http://localhost:1/x?code=1"},
            r"on another host: http://localhost:1 \(it was not called",
        ),
        (
            {"paging": "next-link", "next": "n", "records": "r"},
            {"r": GOOD, "n": "file:///etc/passwd"},
            "on another host: file://",
        ),
    ],
)
def test_pages_that_lead_astray(keys: dict[str, str], body: Any, said: str | None) -> None:
    with serving(lambda call: Reply(body=body)) as service:
        rows, failures, _ = fetch(service.url + "/{asset}", "a", **keys)
        assert len(service.calls) <= 3
    if said is None:
        assert (len(rows), failures) == (2, {})
        return
    assert rows == []
    assert re.search(said, failures["a"]), failures


def test_a_next_path_that_no_answer_has_is_told() -> None:
    with serving(lambda call: Reply(body={"r": GOOD})) as service:
        rows, _, notices = fetch(service.url, "a", paging="cursor", next="nxt", records="r")
    assert len(rows) == 2
    assert notices == ["no answer of source 'far' has 'nxt', so each was taken to be the only page"]


def test_no_half_asset_is_delivered() -> None:
    def answer(call: Call) -> Reply:
        if call.parts[0] == "bad" and call.query["page"] == "2":
            return Reply(404)
        return Reply(body=GOOD[int(call.query["page"]) - 1 :][:1])

    with serving(answer) as service:
        rows, failures, _ = fetch(service.url, "bad", "good", paging="page")
    assert {row[0] for row in rows} == {"good"}
    assert list(failures) == ["bad"]
