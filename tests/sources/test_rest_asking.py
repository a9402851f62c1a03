"""What the REST source asks of a service, and which assets it asks for."""

from __future__ import annotations

import traceback
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomscan.config import RestSource, load
from anomscan.errors import ConfigError, ServiceError
from anomscan.sources.base import Request
from anomscan.sources.registry import build
from servers.rest_client import GOOD, KEY, fetch, settings_of
from servers.rest_faults import HTML, Call, Reply, serving


def test_the_notebooks_api_as_it_is() -> None:
    with serving(lambda call: Reply(body=GOOD)) as service:
        rows, failures, notices = fetch(
            service.url + "/api/", "hvac", request=Request(("hvac",), np.datetime64("2024-03-01T12", "us"))
        )
        (call,) = service.calls
    assert call.target == f"/api/hvac/8?code={KEY}"
    assert call.headers["accept-encoding"] == "gzip"
    assert (failures, notices) == ({}, [])
    assert sorted(rows) == [
        ("hvac", datetime(2024, 3, 8, 10, 0), None, 43.5, None),
        ("hvac", datetime(2024, 3, 8, 10, 10), 22.0, 44.0, None),
    ]


@pytest.mark.parametrize(
    ("template", "cadence", "keys", "target"),
    [
        ("/{asset}/{days}", "10min", {}, "/a%2Fb%20%CE%A9%3F/7"),
        (
            "/t?id={asset}&from={start}&to={end}",
            "10min",
            {},
            "/t?id=a%2Fb%20%CE%A9%3F&from=2024-03-01T23%3A50%3A00Z&to=2024-03-06T00%3A10%3A00Z",
        ),
        ("/t/{asset}?from={start}&to={end}", "1D", {}, "/t/a%2Fb%20%CE%A9%3F?from=2024-03-01&to=2024-03-07"),
        ("/t/{asset}?s={start}", "1h", {"time_format": "unix"}, "/t/a%2Fb%20%CE%A9%3F?s=1709334000"),
        ("/t/{asset}?s={start}", "1h", {"time_format": "unix-ms"}, "/t/a%2Fb%20%CE%A9%3F?s=1709334000000"),
        (
            "/t/{asset}?s={start}",
            "1h",
            {"time_format": "%d.%m.%Y %H:%M%z", "timezone": "Asia/Kolkata"},
            "/t/a%2Fb%20%CE%A9%3F?s=02.03.2024%2004%3A30%2B0530",
        ),
    ],
)
def test_placeholders_are_filled_and_quoted(template: str, cadence: str, keys: dict[str, Any], target: str) -> None:
    request = Request(("a/b Ω?",), np.datetime64("2024-03-02", "us"), np.datetime64("2024-03-06", "us"))
    with serving(lambda call: Reply(body=[])) as service:
        assert fetch(service.url + template, request=request, key="", cadence=cadence, **keys) == ([], {}, [])
        assert [call.target for call in service.calls] == [target]


def test_an_asset_begins_where_its_own_history_ends() -> None:
    since = {"a": np.datetime64("2024-03-08T10:05", "us")}
    request = Request(("a", "b"), np.datetime64("2024-02-01", "us"), since=since)
    with serving(lambda call: Reply(body=GOOD)) as service:
        rows, _, _ = fetch(service.url, request=request, key="")
        assert sorted(call.target for call in service.calls) == ["/a/1", "/b/37"]
    assert sorted(row[0] for row in rows) == ["a", "b", "b"]


def test_without_a_start_it_asks_as_far_back_as_the_settings_say() -> None:
    with serving(lambda call: Reply(body=[])) as service:
        fetch(service.url, "a", history_days=30, key="")
        assert service.calls[0].target == "/a/30"


@pytest.mark.parametrize(
    ("keys", "header", "value"),
    [
        ({"key_in": "header"}, "x-functions-key", KEY),
        ({"key_in": "header", "key_name": "Api-Key"}, "api-key", KEY),
        ({"key_in": "bearer"}, "authorization", f"Bearer {KEY}"),
    ],
)
def test_the_key_in_a_header(keys: dict[str, str], header: str, value: str) -> None:
    with serving(lambda call: Reply(body=[])) as service:
        fetch(service.url, "a", **keys)
        assert service.calls[0].headers[header] == value
        assert "?" not in service.calls[0].target


def test_the_notebooks_names_stand_in_for_url_and_key(tmp_path: Path) -> None:
    (tmp_path / "anomscan.toml").write_text(
        '[sources.s]\nkind = "rest"\ncadence = "10min"\ncolumns = { values = ["temperature"] }\n'
        '[sources.t]\nkind = "rest"\nurl = "https://elsewhere/api"\ncadence = "10min"\ncolumns = { values = ["v"] }\n'
        '[sources.u]\nkind = "rest"\nurl = "https://f.azurewebsites.net/x"\ncadence = "1h"\n'
        'columns = { values = ["v"] }\n'
    )
    url = "https://F.azurewebsites.net/api/getinferencetelemetry"
    names = {"inference_telemetry_endpoint_url": url, "inference_telemetry_endpoint_key": KEY}
    in_file = tmp_path / ".env"
    for environ, text in ((names, ""), ({}, "\n".join(f"{name}={value}" for name, value in names.items()))):
        in_file.write_text(text)
        loaded = load(environ=environ, cwd=tmp_path)
        source = loaded.settings.sources["s"]
        assert isinstance(source, RestSource)
        assert source.key is not None
        assert (source.url.get_secret_value(), source.key.get_secret_value()) == (url, KEY)
        # The key is that service's: it goes to no other host.
        assert loaded.settings.sources["t"].key is None
        assert loaded.settings.sources["u"].key.get_secret_value() == KEY
        assert KEY not in repr(loaded)
    in_file.unlink()
    with pytest.raises(ConfigError, match=r"'sources\.s\.url' is missing"):
        load(environ={}, cwd=tmp_path)


@pytest.mark.parametrize(
    ("listed", "keys"),
    [
        (["a", 7, "a"], {}),
        ({"items": [{"id": "a", "x": 1}, {"id": 7}]}, {"assets_records": "items", "assets_id": "id"}),
        ({"d": {"r": [{"m": {"id": "a"}}, {"m": {"id": 7}}]}}, {"assets_records": "d.r", "assets_id": "m.id"}),
    ],
)
def test_the_service_lists_its_assets(listed: Any, keys: dict[str, str]) -> None:
    with serving(lambda call: Reply(body=listed if call.parts[0] == "assets" else GOOD)) as service:
        rows, _, _ = fetch(service.url + "/t", assets_url=service.url + "/assets", **keys)
        assert service.calls[0].query == {"code": KEY}
    assert sorted(row[0] for row in rows) == ["7", "7", "a", "a"]


def test_a_list_in_pages_and_one_without() -> None:
    def answer(call: Call) -> Reply:
        page = int(call.query["page"])
        if call.parts[0] == "assets":
            return Reply(body=[["a", "b"], ["c"], []][page - 1])
        return Reply(body=["a"] if call.parts[0] == "whole" else GOOD if page == 1 else [])

    with serving(answer) as service:
        rows, _, _ = fetch(service.url + "/t", assets_url=service.url + "/assets", paging="page")
        assert {row[0] for row in rows} == {"a", "b", "c"}
        rows, _, _ = fetch(service.url + "/t", assets_url=service.url + "/whole", paging="page")
        assert {row[0] for row in rows} == {"a"}


def test_assets_of_the_request_and_of_the_settings_go_before_the_list() -> None:
    with serving(lambda call: Reply(body=[])) as service:
        fetch(service.url, assets=("a", "b"), assets_url=service.url + "/list")
        fetch(service.url, "c", assets=("a", "b"))
        assert sorted(call.parts[0] for call in service.calls) == ["a", "b", "c"]
        with pytest.raises(ConfigError, match=r"are not known.*--asset.*assets_url"):
            fetch(service.url)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(404), "is not there"),
        (Reply(body=HTML), "HTML instead of JSON"),
        (Reply(body={"items": 3}), "has an object, not an array"),
        (Reply(body=[{"id": 3}]), r"element 1 of the list has no id but an object.*its keys are: id; see assets_id"),
        (Reply(500), r"failed \(500\)"),
    ],
)
def test_a_list_that_cannot_be_had_ends_the_fetch(reply: Reply, said: str) -> None:
    with serving(lambda call: reply) as service, pytest.raises(ServiceError, match=f"cannot be listed: .*{said}"):
        fetch(service.url, assets_url=service.url + "/list")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"url": "func-pm-x.azurewebsites.net"}, "url does not begin with https://"),
        ({"url": f"https://h/{{asset}}/{{dayz}}?code={KEY}"}, "placeholder {dayz}, which is not known"),
        ({"url": "https://h/all/{days}"}, "has no {asset}"),
        ({"url": "https://{asset}.h/"}, "in its host"),
        ({"url": f"https://u:{KEY}@h/"}, "a user or password"),
        ({"url": f"https://h:{KEY}/"}, "host or port"),
        ({"url": f"https://h/a b?{KEY}"}, "a space"),
        ({"assets_url": KEY}, "assets_url does not begin"),
        ({"key": f"{KEY}\nX: y"}, "cannot be sent"),
        ({"key": f"{KEY}é", "key_in": "bearer"}, "cannot be sent"),
        ({"key_in": "header", "key_name": "a b"}, "not the name of a header"),
        ({"time_format": "iso"}, "time_format 'iso'"),
        ({"timestamp_format": "iso"}, "timestamp_format 'iso'"),
    ],
)
def test_settings_that_cannot_work(keys: dict[str, Any], said: str) -> None:
    with pytest.raises((ConfigError, ValueError)) as caught:
        build("far", settings_of(**({"url": "https://h/api"} | keys)))
    assert said in str(caught.value)
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_a_key_over_plain_http_to_another_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda call: Reply(body=GOOD)) as service:
        monkeypatch.setenv("http_proxy", service.url)
        rows, _, notices = fetch("http://far.example/api", "a")
        assert service.calls[0].target.startswith("http://far.example/api/a/366?code=")
    assert len(rows) == 2
    assert "https" in notices[0]
    assert KEY not in notices[0]
