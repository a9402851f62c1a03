"""What the server reads, and what it will not be talked into reading."""

import os
import struct
import sys
import time
import zipfile
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit
from xml.sax.saxutils import escape

import pytest

from anomscan_mvad import blobs, fetching, limits, tables
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
        while True:  # until the other side has had enough, long before it has all that it takes
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
        with pytest.raises(DataError) as caught:
            sources.fetch(f"http://127.0.0.1:{page.port}/{name}.csv?sig=SECRET", folder)
        assert caught.value.code == code, name
        assert "SECRET" not in caught.value.message


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
    (allowed / "round.csv").symlink_to("round.csv")
    (allowed / "lost").mkdir()
    (allowed / "lost" / "a.csv").symlink_to("nowhere.csv")
    sources = Sources(folders=(allowed,))
    for source, words in (
        ("data", "a.csv: a link is refused"),
        ("lost", "a.csv: a link is refused"),
        ("link.csv", "does not read link.csv"),
        ("round.csv", "round.csv: a link that leads to itself is refused"),
        ("pipe.csv", "pipe.csv is not a regular file"),
    ):
        with pytest.raises(DataError) as caught:
            sources.fetch(source, target)
        assert words in caught.value.message


def test_relative_paths_are_looked_for_in_every_folder(tmp_path: Path) -> None:
    first, second, target = (tmp_path / name for name in ("first", "second", "target"))
    for folder in (first, second, target):
        folder.mkdir()
    (second / "there.csv").write_text("timestamp,a\n")
    (second / "both.csv").write_text("second")
    (first / "both.csv").write_text("first")
    (first / "out.csv").symlink_to(tmp_path / "secret.csv")
    (tmp_path / "secret.csv").write_text("secret")
    (second / "out.csv").write_text("second")
    sources = Sources(folders=(first, second))
    assert sources.check("there.csv") == (second / "there.csv").as_uri()
    assert sources.check(str(second / "there.csv")) == sources.check((second / "there.csv").as_uri())
    assert sources.fetch("there.csv", target) == "there.csv"
    assert sources.check("both.csv") == (first / "both.csv").as_uri()
    assert sources.check("out.csv") == (second / "out.csv").as_uri()
    for source, code in (("nowhere.csv", "FileNotExist"), ("../secret.csv", "InvalidBlobURL")):
        with pytest.raises(ApiError) as caught:
            sources.check(source)
        assert caught.value.code == code


def test_only_csv_files_of_a_folder_are_copied(tmp_path: Path) -> None:
    folder, target = tmp_path / "folder", tmp_path / "target"
    folder.mkdir()
    target.mkdir()
    (folder / "a.CSV").write_text("timestamp,value\n")
    (folder / "large.bin").write_bytes(b"x" * 5000)
    (folder / "link.txt").symlink_to("large.bin")
    assert Sources(folders=(tmp_path,), max_bytes=1000).fetch("folder", target) == "folder"
    assert [path.name for path in (target / "folder").iterdir()] == ["a.CSV"]


@pytest.mark.skipif(sys.platform == "darwin", reason="file names are always UTF-8 there")
def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    folder, target = tmp_path / "folder", tmp_path / "target"
    folder.mkdir()
    target.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/odd\xff.csv")).write_text("timestamp,value\n2024-01-01T00:00:00Z,1\n")
    name = Sources(folders=(tmp_path,)).fetch("folder", target)
    with pytest.raises(DataError) as caught:
        tables.read(target / name, "MultiTable", 1000)
    assert (caught.value.code, caught.value.message) == ("ReadingFileError", "The name of file odd?.csv is not UTF-8.")


class Folder:
    """Lists and serves blobs as Azure does, a few a page; the account's name comes before the container's."""

    def __init__(self, page: Web, blobs: dict[str, bytes], size: int = 2) -> None:
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{page.port}/account/box/some%20folder/?sv=1&sig=SECRET"
        self._blobs = blobs
        self._size = size
        page.answers["/account/box"] = self.list
        for name, content in blobs.items():
            page.gives(f"/account/box/{quote(name)}", content)

    def list(self, handler: BaseHTTPRequestHandler) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(handler.path).query).items()}
        self.asked.append(asked.get("marker", ""))
        assert (asked["restype"], asked["comp"], asked["delimiter"]) == ("container", "list", "/")
        assert (asked["prefix"], asked["sig"]) == ("some folder/", "SECRET")
        begin = int(asked.get("marker", "0"))
        names = list(self._blobs)[begin : begin + self._size]
        entries = "".join(f"<Blob><Name>{escape(name)}</Name><Properties/></Blob>" for name in names)
        after = begin + self._size if begin + self._size < len(self._blobs) else ""
        body = (
            '\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="x"><Blobs>'
            f"<BlobPrefix><Name>some folder/sub/</Name></BlobPrefix>{entries}</Blobs>"
            f"<NextMarker>{after}</NextMarker></EnumerationResults>"
        ).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


def sources_of(page: Web, max_bytes: int = 10_000) -> Sources:
    return Sources(AllowedHosts.parse([f"127.0.0.1:{page.port}"]), (), max_bytes)


def test_a_folder_of_blobs(page: Web, tmp_path: Path) -> None:
    wanted = {"a & b.csv": b"1", "100%.CSV": b"2", "\u00e4.csv": b"3"}
    others = {"notes.txt": b"no", ".csv": b"no", "sub/deep.csv": b"no"}
    folder = Folder(page, {f"some folder/{name}": content for name, content in (wanted | others).items()})
    name = sources_of(page).fetch(folder.url, tmp_path)
    assert name == "some folder"
    assert {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} == wanted
    assert folder.asked == ["", "2", "4"]
    assert all(path.endswith("sv=1&sig=SECRET") for path in page.paths if path.startswith("/account/box"))


def test_folders_of_blobs_are_bounded(page: Web, tmp_path: Path) -> None:
    for number, (listed, code) in enumerate(
        [
            ({f"some folder/{i}.csv": b"" for i in range(1001)}, "ReadingFileError"),
            ({f"some folder/{i}.csv": b"x" * 400 for i in range(3)}, "FileSizeTooLarge"),
            ({"some folder/a\\..\\b.csv": b""}, "ReadingFileError"),
        ]
    ):
        folder = Folder(page, listed, size=600)
        target = tmp_path / str(number)
        target.mkdir()
        with pytest.raises(DataError) as caught:
            sources_of(page, 1000).fetch(folder.url, target)
        assert caught.value.code == code
        assert "SECRET" not in caught.value.message


@pytest.mark.parametrize(
    "answer",
    [
        b"timestamp,a\n",
        b"<html></html>",
        b"<EnumerationResults>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><EnumerationResults><Blobs/></EnumerationResults>',
        b"\xff\xfe",
        b"",
        b"<EnumerationResults><Blobs/></EnumerationResults>",
    ],
    ids=range(7),
)
def test_what_is_not_listed_is_read_as_a_file(page: Web, tmp_path: Path, answer: bytes) -> None:
    page.gives("/account/box", answer)
    page.gives("/account/box/download", b"timestamp,a\n")
    assert sources_of(page).fetch(f"http://127.0.0.1:{page.port}/account/box/download?sig=S", tmp_path) == "download"
    assert (tmp_path / "download").read_bytes() == b"timestamp,a\n"


def test_a_list_that_leads_elsewhere(page: Web, tmp_path: Path) -> None:
    page.gives("/account/box", b"", 302, Location="http://169.254.169.254/?restype=container&comp=list")
    with pytest.raises(DataError) as caught:
        sources_of(page).fetch(f"http://127.0.0.1:{page.port}/account/box/folder?sig=S", tmp_path)
    assert caught.value.code == "InvalidBlobURL"


@pytest.mark.parametrize(
    ("url", "path", "prefix"),
    [
        ("https://a.blob.core.windows.net/box/x/y?sig=S", "/box", "x%2Fy%2F"),
        ("https://a.blob.core.windows.net/box", "/box", ""),
        ("https://a.blob.core.windows.net/box/?sig=S", "/box", ""),
        ("http://localhost:10000/account/box/x", "/account/box", "x%2F"),
        ("http://[::1]:10000/account/box/x/", "/account/box", "x%2F"),
        ("http://127.0.0.1:10000/account/box", "/account/box", ""),
        ("http://azurite:10000/account/box/x", "/account/box", "x%2F"),
        ("https://blobs.example/box/x", "/box", "x%2F"),
    ],
)
def test_where_a_folder_is_listed(url: str, path: str, prefix: str) -> None:
    asked = urlsplit(blobs.list_url(url, ""))
    assert asked.path == path
    assert f"&prefix={prefix}&" in asked.query
    assert ("sig=S" in url) == asked.query.endswith("&sig=S")


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
