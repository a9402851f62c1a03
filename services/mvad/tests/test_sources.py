"""What the server reads, and what it will not be talked into reading."""

import os
import struct
import time
import zipfile
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path

import pytest

from anomscan_mvad import fetching, limits, tables
from anomscan_mvad.errors import ApiError, DataError
from anomscan_mvad.fetching import Sources, without_secrets
from anomscan_mvad.hosts import AllowedHosts
from series import files, one_table, packed, rows
from serving import KEY, Served, training
from webserver import Web

REFUSED = [
    "http://127.0.0.1:1/x.csv",
    "http://localhost/x.csv",
    "http://LOCALHOST./x.csv",
    "http://2130706433/x.csv",
    "http://0x7f.1/x.csv",
    "http://127.1/x.csv",
    "http://0/x.csv",
    "http://[::1]/x.csv",
    "http://[::ffff:127.0.0.1]/x.csv",
    "http://[::ffff:7f00:1]/x.csv",
    "http://169.254.169.254/metadata/instance?api-version=2021-02-01",
    "http://metadata.google.internal/x.csv",
    "http://10.0.0.1/x.csv",
    "http://192.168.1.1/x.csv",
    "http://example.com/x.csv",
    "https://example.com/x.csv",
    "http://a.blob.core.windows.net/x.csv",
    "https://a.blob.core.windows.net.example.com/x.csv",
    "https://a.blob.core.windows.net@127.0.0.1/x.csv",
    "https://u:p@a.blob.core.windows.net/x.csv",
    "https://a.blob.core.windows.net\\@127.0.0.1/x.csv",
    "https://127.0.0.1#.blob.core.windows.net/x.csv",
    "https://127.0.0.1?.blob.core.windows.net/x.csv",
    "ftp://a.blob.core.windows.net/x.csv",
    "gopher://127.0.0.1/x",
    "http://[::1/x.csv",
    "http://127.0.0.1:99999/x.csv",
    "http://127.0.0.1\r\nHost: x/x.csv",
    "/etc/passwd",
    "/etc",
    "file:///etc/passwd",
    "../key.txt",
    "folder/../../key.txt",
    "folder/%2e%2e/%2e%2e/key.txt",
    "a\0b",
    "x" * 5000,
]


@pytest.mark.parametrize("source", REFUSED, ids=lambda s: s[:40])
def test_forbidden_sources_are_refused_at_once(server: Served, source: str) -> None:
    status, _, body = server.ask("POST", "/models", training(dataSource=source))
    assert status == 400
    assert body["code"] in ("InvalidBlobURL", "FileNotExist")
    assert body["code"] == "InvalidBlobURL" or source.startswith("folder/%")
    assert KEY not in body["message"]


def test_names_that_lead_inside_are_refused() -> None:
    def leads_to(*addresses: str) -> AllowedHosts:
        return AllowedHosts(frozenset({("named.example", None)}), lambda *_: addresses)

    azure = "https://account.blob.core.windows.net/x.csv"
    for address in ("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
                    "::1", "fe80::1%eth0", "fd00:ec2::254", "::ffff:10.0.0.1", "224.0.0.1", "nonsense"):  # fmt: skip
        with pytest.raises(ApiError, match=r"account\.blob\.core\.windows\.net leads to an address"):
            leads_to(address).check(azure)
        with pytest.raises(ApiError, match="leads to an address"):
            leads_to("20.150.1.1", address).check(azure)
    leads_to("20.150.1.1").check(azure)
    leads_to("10.1.2.3").check("http://named.example/x.csv")
    with pytest.raises(ApiError, match="leads to an address"):
        leads_to("169.254.169.254").check("http://named.example/x.csv")
    AllowedHosts(frozenset({("169.254.169.254", None)}), lambda *_: ["169.254.169.254"]).check(
        "http://169.254.169.254/"
    )


def test_the_checked_address_is_the_one_connected_to(page: Web, tmp_path: Path) -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    hosts = AllowedHosts(frozenset({("rebinding.example", page.port)}), lambda *_: next(answers))
    page.gives("/bound.csv", b"timestamp,a\n")
    url = f"http://rebinding.example:{page.port}/bound.csv"
    assert Sources(hosts).fetch(url, tmp_path) == "bound.csv"
    with pytest.raises(DataError) as caught:
        Sources(hosts).fetch(url, tmp_path)
    assert caught.value.code == "InvalidBlobURL"


@pytest.mark.parametrize(
    "entry", ["http://x", "a/b", "user@host", "host:port", "", "[::1", "a b:1"], ids=lambda e: e or "empty"
)
def test_wrong_allow_host_entries(entry: str) -> None:
    with pytest.raises(ValueError, match="write HOST or HOST:PORT"):
        AllowedHosts.parse([entry])


def test_allow_host_entries() -> None:
    hosts = AllowedHosts.parse(["Blob.Example", "127.0.0.1:10000", "::1", "[::1]:80"])
    assert hosts.named == {("blob.example", None), ("127.0.0.1", 10000), ("::1", None), ("::1", 80)}


def test_redirects_are_checked_again(server: Served, page: Web) -> None:
    base = f"http://127.0.0.1:{page.port}"
    table = one_table(rows(400)).encode()
    page.gives("/kept.csv", table)
    page.gives("/moved.csv", b"", 302, Location="/kept.csv")
    page.gives("/inside.csv", b"", 302, Location="http://169.254.169.254/latest/meta-data/")
    page.gives("/loopback.csv", b"", 307, Location=f"http://localhost:{page.port}/kept.csv")
    page.gives("/file.csv", b"", 301, Location="file:///etc/passwd")
    page.gives("/nowhere.csv", b"", 302, Location="http://[")
    page.gives("/round.csv", b"", 302, Location="/round.csv")
    expected = {"moved": None, "inside": "InvalidBlobURL", "loopback": "InvalidBlobURL", "file": "InvalidBlobURL",
                "nowhere": "StorageReadError", "round": "StorageReadError", "absent": "FileNotExist"}  # fmt: skip
    keys = {name: server.train(dataSource=f"{base}/{name}.csv?sig=SECRET%2Bsig") for name in expected}
    for name, code in expected.items():
        body = server.wait(f"/models/{keys[name]}")
        errors = body["modelInfo"]["errors"]
        assert [e["code"] for e in errors] == ([code] if code else []), name
        assert body["modelInfo"]["dataSource"] == f"{base}/{name}.csv"
        assert "SECRET" not in str(body)
        server.ask("DELETE", f"/models/{keys[name]}")
    assert page.paths.count("/round.csv?sig=SECRET%2Bsig") == 1
    assert page.paths.count("/round.csv") == fetching.MAX_REDIRECTS


def test_faulty_transfers(page: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)

    def cut(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "500")
        handler.end_headers()
        handler.wfile.write(b"short")

    page.answers["/slow.csv"] = trickle
    page.answers["/cut.csv"] = cut
    page.gives("/big.csv", b"x" * 3000)
    page.gives("/forbidden.csv", b"", 403)
    page.gives("/broken.csv", b"", 500)
    sources = Sources(AllowedHosts.parse([f"127.0.0.1:{page.port}"]), (), 2000)
    monkeypatch.setattr(limits, "FETCH_TIMEOUT_S", 0.5)
    for number, (name, code) in enumerate(
        [("slow", "StorageReadError"), ("cut", "StorageReadError"), ("big", "FileSizeTooLarge"),
         ("forbidden", "StorageReadError"), ("broken", "StorageReadError")]
    ):  # fmt: skip
        folder = tmp_path / str(number)
        folder.mkdir()
        began = time.monotonic()
        with pytest.raises(DataError) as caught:
            sources.fetch(f"http://127.0.0.1:{page.port}/{name}.csv?sig=SECRET", folder)
        assert caught.value.code == code, name
        assert "SECRET" not in caught.value.message
        assert time.monotonic() - began < 4


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("timestamp,value\n")
    allowed = tmp_path / "allowed"
    (allowed / "data").mkdir(parents=True)
    (allowed / "data" / "a.csv").symlink_to(secret)
    (allowed / "link.csv").symlink_to(secret)
    os.mkfifo(allowed / "pipe.csv")
    target = tmp_path / "target"
    target.mkdir()
    sources = Sources(folders=(allowed,))
    for source in ("data", "link.csv", "pipe.csv"):
        with pytest.raises(DataError):
            sources.fetch(source, target)


def bomb(size: int) -> bytes:
    return packed({"bomb.csv": b"0" * size})


def lying_bomb() -> bytes:
    """Say in both headers that 16 MB are 100 bytes."""
    raw = bytearray(bomb(16 * 1024 * 1024))
    real = struct.pack("<I", 16 * 1024 * 1024)
    return bytes(raw.replace(real, struct.pack("<I", 100)))


def encrypted() -> bytes:
    raw = bytearray(packed(files(rows(10))))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        where = raw.find(mark)
        while where >= 0:
            raw[where + at] |= 1
            where = raw.find(mark, where + 4)
    return bytes(raw)


def exotic() -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.csv", "timestamp,value\n")
    return out.getvalue()


GOOD = files(rows(400))
LONG = files(rows(1500))["flow.csv"]
ARCHIVES: list[tuple[str, bytes, str | None]] = [
    ("good", packed(GOOD), None),
    ("sub-folders and other files are left out", packed({**GOOD, "sub/x.csv": "no", "readme.txt": "no"}), None),
    ("bomb", bomb(16 * 1024 * 1024), "FileSizeTooLarge"),
    ("lying bomb", lying_bomb(), "ReadingFileError"),
    ("many", packed({f"v{i}.csv": LONG for i in range(290)}), "FileSizeTooLarge"),
    ("traversal", packed({**GOOD, "../../evil.csv": "x"}), "ReadingFileError"),
    ("absolute", packed({**GOOD, "/evil.csv": "x"}), "ReadingFileError"),
    ("windows", packed({**GOOD, "C:\\evil.csv": "x"}), "ReadingFileError"),
    ("backslashes", packed({**GOOD, "..\\evil.csv": "x"}), "ReadingFileError"),
    ("too many files", packed({f"{i}.txt": "" for i in range(1001)}), "ReadingFileError"),
    ("too many variables", packed({f"v{i}.csv": "timestamp,value\n" for i in range(301)}), "DataExceedsLimit"),
    ("encrypted", encrypted(), "ReadingFileError"),
    ("lzma", exotic(), "ReadingFileError"),
    ("cut off", packed(GOOD)[:-40], "ReadingFileError"),
    ("rubbish", b"PK\x03\x04" + b"\0" * 100, "ReadingFileError"),
    ("empty", packed({}), "NoVariablesFound"),
    ("nested", packed({"inner.zip": packed(GOOD)}), "NoVariablesFound"),
    ("other columns", packed({**GOOD, "x.csv": "time,value\n1,2\n"}), "FileColumnsNotExist"),
    ("three columns", packed({**GOOD, "x.csv": "timestamp,value,more\n"}), "FileColumnsNotExist"),
    ("empty file", packed({**GOOD, "x.csv": ""}), "ReadingFileError"),
    ("words", packed({**GOOD, "x.csv": "timestamp,value\n2024-01-01T00:00:00Z,high\n"}), "VariableParseError"),
    ("infinite", packed({**GOOD, "x.csv": "timestamp,value\n2024-01-01T00:00:00Z,inf\n"}), "VariableParseError"),
    ("no time", packed({**GOOD, "x.csv": "timestamp,value\n,1\n"}), "VariableParseError"),
    ("bad time", packed({**GOOD, "x.csv": "timestamp,value\nMonday,1\n"}), "VariableParseError"),
    ("twice", packed({**GOOD, "x.csv": "timestamp,value\n" + "2024-01-01T00:00:00Z,1\n" * 2}), "VariableParseError"),
    ("binary", packed({**GOOD, "x.csv": b"\xff\xfe\0\0" * 50}), "ReadingFileError"),
]


@pytest.mark.parametrize(("content", "code"), [a[1:] for a in ARCHIVES], ids=[a[0] for a in ARCHIVES])
def test_archives(tmp_path: Path, content: bytes, code: str | None) -> None:
    path = tmp_path / "source.zip"
    path.write_bytes(content)
    if code is None:
        assert list(tables.read(path, "MultiTable", 8_000_000).columns) == ["flow", "heat", "load"]
        return
    with pytest.raises(DataError) as caught:
        tables.read(path, "MultiTable", 8_000_000)
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == [path]


def test_a_bomb_fails_its_model_and_nothing_else(server: Served, data: Path, model: str) -> None:
    (data / "sources" / "bomb.zip").write_bytes(bomb(64 * 1024 * 1024))
    key = server.train(dataSource="bomb.zip", dataSchema="MultiTable")
    info = server.wait(f"/models/{key}")["modelInfo"]
    assert (info["status"], info["errors"][0]["code"]) == ("FAILED", "FileSizeTooLarge")
    assert server.ask("GET", f"/models/{model}")[2]["modelInfo"]["status"] == "READY"
    assert server.ask("DELETE", f"/models/{key}")[0] == 204


def test_batch_of_other_variables_fails(server: Served, data: Path, model: str) -> None:
    short = [(moment, values[:2]) for moment, values in rows(200)]
    (data / "sources" / "short.csv").write_text(one_table(short, ("flow", "heat")))
    body = {"dataSource": "short.csv", "startTime": "2024-01-01T01:00:00Z", "endTime": "2024-01-01T02:00:00Z"}
    _, _, answer = server.ask("POST", f"/models/{model}:detect-batch", body)
    done = server.wait(f"/detect-batch/{answer['resultId']}")
    assert done["summary"]["status"] == "FAILED"
    assert done["summary"]["errors"][0]["code"] == "ColumnNotFound"
    assert done["results"] == []


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://a.blob.core.windows.net/c/x.zip?sv=1&sig=S", "https://a.blob.core.windows.net/c/x.zip"),
        ("https://u:S@host/x?S#S", "https://host/x"),
        ("http://[bad?S", ""),
        ("folder/x.csv", "folder/x.csv"),
    ],
)
def test_what_is_kept_of_a_source(given: str, shown: str) -> None:
    assert without_secrets(given) == shown
