"""A store copied to object storage, read there: against servers of S3 and of Azure's protocol on this machine."""

from __future__ import annotations

import pickle
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from anomscan.cli.app import run
from anomscan.config import explain, load
from anomscan.errors import AssetError, ConfigError, ServiceError, StoreError
from anomscan.storage import places
from anomscan.store.store import Store
from servers import aws
from servers.azurite import ACCOUNT, KEY, Azurite
from servers.certificates import write_certificates

pytestmark = pytest.mark.servers

CONTAINER = "telemetry"


class Remote(NamedTuple):
    """Object storage with one container, as a test uses it."""

    url: str
    put: Callable[[str, bytes], None]
    delete: Callable[[str], None]

    def copy(self, folder: Path, prefix: str) -> str:
        """Copy a folder, the manifests last; the URL of the copy."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        for path in sorted(files, key=lambda path: path.name == "manifest.json"):
            self.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())
        return f"{self.url}/{prefix}"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with aws.moto_server() as url:
        _make_bucket(url)
        yield url


@pytest.fixture(scope="module")
def seaweed() -> Iterator[str]:
    with aws.seaweed_server() as url:
        _make_bucket(url)
        yield url


@pytest.fixture(scope="module")
def azurite() -> Iterator[Azurite]:
    with Azurite() as server:
        with _blobs(server) as blobs:
            blobs.create_container(CONTAINER)
        yield server


@pytest.fixture
def s3(seaweed: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    with _s3(seaweed, monkeypatch) as remote:
        yield remote


@pytest.fixture(params=["moto", "seaweed", "azurite"])
def remote(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    server = request.getfixturevalue(request.param)
    with _abfs(server, monkeypatch) if request.param == "azurite" else _s3(server, monkeypatch) as remote:
        yield remote


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """A prefix for this test alone."""
    return f"{request.node.name.replace('[', '/').rstrip(']')}/store"


@pytest.fixture
def fleet(commit: Any) -> None:
    """A fleet of 50 assets in the local store, some of it revised and one batch compacted."""
    commit([(f"asset {n}", f"2020-01-{day:02d}", n + day / 10, "Ok") for n in range(50) for day in range(1, 9)])
    commit([(f"asset {n}", "2020-01-08", 99.5, None) for n in range(0, 50, 7)], "2020-01-10")


class TestReading:
    def test_everything_is_as_in_the_folder(self, remote: Remote, store: Store, fleet: None, prefix: str) -> None:
        store.compact("fleet")
        day = np.datetime64("2020-01-20")
        store.drop("fleet", assets=["asset 3"], start=None, end=None, now=day, late=np.timedelta64(0, "D"))
        there = Store.open(remote.copy(store.path, prefix) + "/")
        assert there.sources() == ["fleet"]
        assert there.layout("fleet") == store.layout("fleet")
        assert there.revision("fleet") == store.revision("fleet")
        assert there.assets("fleet") == store.assets("fleet")
        assert there.last_timestamps("fleet") == store.last_timestamps("fleet")
        assert "asset 3" not in there.assets("fleet")
        assert "asset 3" in there.assets("fleet", as_of=np.datetime64("2020-01-15"))
        for as_of in (None, np.datetime64("2020-01-05"), np.datetime64("2020-01-15")):
            _assert_same(there.snapshot("fleet").stream(as_of=as_of), store.snapshot("fleet").stream(as_of=as_of))
        assert there.read("fleet", "asset 7").values[-1, 0] == 99.5
        with pytest.raises(AssetError, match="asset 'none' is not in the store"):
            there.read("fleet", "none")

    def test_a_whole_container_is_a_store(self, remote: Remote, store: Store, fleet: None) -> None:
        for path in store.path.rglob("*"):
            if path.is_file():
                remote.put(path.relative_to(store.path).as_posix(), path.read_bytes())
        assert Store.open(remote.url).assets("fleet") == store.assets("fleet")
        for path in store.path.rglob("*"):
            if path.is_file():
                remote.delete(path.relative_to(store.path).as_posix())

    def test_another_process_reads_it_with_its_own_credentials(
        self, remote: Remote, store: Store, fleet: None, prefix: str
    ) -> None:
        there = Store.open(remote.copy(store.path, prefix))
        sent = pickle.dumps(there)
        assert KEY.encode() not in sent
        assert aws.CREDENTIALS["AWS_SECRET_ACCESS_KEY"].encode() not in sent
        program = "import pickle, sys; print(len(pickle.load(sys.stdin.buffer).read('fleet', 'asset 3')))"
        done = subprocess.run([sys.executable, "-c", program], input=sent, capture_output=True, check=True)
        assert done.stdout == b"8\n"

    def test_nothing_is_there(self, remote: Remote, prefix: str) -> None:
        with pytest.raises(StoreError, match=r"there is no telemetry in .*copy the store's folder there"):
            Store.open(f"{remote.url}/{prefix}")
        assert Store(f"{remote.url}/{prefix}").last_timestamps("fleet") == {}

    def test_a_torn_manifest(self, remote: Remote, store: Store, fleet: None, prefix: str) -> None:
        url = remote.copy(store.path, prefix)
        whole = (store.path / "fleet" / "manifest.json").read_bytes()
        remote.put(f"{prefix}/fleet/manifest.json", whole[: len(whole) // 2])
        with pytest.raises(StoreError, match=r"fleet/manifest\.json is damaged"):
            Store.open(url)

    def test_no_manifest_beside_data(self, remote: Remote, store: Store, fleet: None, prefix: str) -> None:
        url = remote.copy(store.path, prefix)
        remote.delete(f"{prefix}/fleet/manifest.json")
        with pytest.raises(StoreError, match=r"fleet holds data but no manifest\.json"):
            Store.open(url)

    def test_a_damaged_file(self, remote: Remote, store: Store, fleet: None, prefix: str) -> None:
        url = remote.copy(store.path, prefix)
        part = next(store.path.glob("fleet/batch-*.parquet"))
        data = bytearray(part.read_bytes())
        data[200] ^= 0xFF
        remote.put(f"{prefix}/fleet/{part.name}", bytes(data))
        with pytest.raises(StoreError, match=rf"{part.name} is damaged"):
            list(Store.open(url).snapshot("fleet").stream())


class TestFilesThatGoAway:
    def test_before_they_are_read(self, remote: Remote, store: Store, fleet: None, prefix: str) -> None:
        url = remote.copy(store.path, prefix)
        part = next(store.path.glob("fleet/batch-*.parquet"))
        remote.delete(f"{prefix}/fleet/{part.name}")
        with pytest.raises(StoreError, match=rf"lacks a file that its manifest lists: .*{part.name}"):
            list(Store.open(url).snapshot("fleet").stream())
        with pytest.raises(StoreError, match="lacks a file"):
            [Store.open(url).read("fleet", asset) for asset in store.assets("fleet")]

    def test_while_they_are_read(self, remote: Remote, store: Store, fleet: None, prefix: str) -> None:
        url = remote.copy(store.path, prefix)
        chunks = Store.open(url).snapshot("fleet").stream(20)
        next(chunks)
        for path in store.path.glob("fleet/batch-*.parquet"):
            remote.delete(f"{prefix}/fleet/{path.name}")
        with pytest.raises(StoreError, match="lacks a file"):
            list(chunks)

    def test_for_the_same_rows_compacted(self, remote: Remote, store: Store, fleet: None, prefix: str) -> None:
        url = remote.copy(store.path, prefix)
        before = list(store.snapshot("fleet").stream(20))
        chunks = Store.open(url).snapshot("fleet").stream(20)
        first = next(chunks)
        batches = [path.name for path in store.path.glob("fleet/batch-*.parquet")]
        store.compact("fleet")
        remote.copy(store.path, prefix)
        for name in batches:
            remote.delete(f"{prefix}/fleet/{name}")
        _assert_same(iter([first, *chunks]), iter(before))

    def test_for_other_rows(self, remote: Remote, store: Store, fleet: None, commit: Any, prefix: str) -> None:
        url = remote.copy(store.path, prefix)
        chunks = Store.open(url).snapshot("fleet").stream(20)
        next(chunks)
        batches = [path.name for path in store.path.glob("fleet/batch-*.parquet")]
        commit([("asset 1", "2020-01-20", 1.0, "Ok")], "2020-01-20")
        store.compact("fleet")
        remote.copy(store.path, prefix)
        for name in batches:
            remote.delete(f"{prefix}/fleet/{name}")
        with pytest.raises(StoreError, match="was replaced while it was being read"):
            list(chunks)

    def test_under_a_snapshot(self, remote: Remote, store: Store, fleet: None, commit: Any, prefix: str) -> None:
        there = Store.open(remote.copy(store.path, prefix)).snapshot("fleet")
        partitions = there.cut().partitions(40)
        first = there.read(partitions[0])
        batches = [path.name for path in store.path.glob("fleet/batch-*.parquet")]
        store.compact("fleet")
        buckets = [path.name for path in store.path.glob("fleet/bucket-*.parquet")]
        remote.copy(store.path, prefix)
        for name in batches:
            remote.delete(f"{prefix}/fleet/{name}")
        rest = [there.read(partition) for partition in partitions[1:]]
        _assert_same(iter([first, *rest]), store.snapshot("fleet").stream())
        commit([("asset 1", "2020-01-20", 1.0, "Ok")], "2020-01-20")
        store.compact("fleet")
        remote.copy(store.path, prefix)
        for name in buckets:
            remote.delete(f"{prefix}/fleet/{name}")
        with pytest.raises(StoreError, match="was replaced while it was being read"):
            there.read(partitions[0])

    def test_one_read_goes_on_with_the_next_manifest(
        self, s3: Remote, store: Store, fleet: None, prefix: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = s3.copy(store.path, prefix)
        there = Store.open(url)
        batches = [path.name for path in store.path.glob("fleet/batch-*.parquet")]
        opened = places.ObjectPlace.open
        opens = []

        def open_after_a_copy(place: places.ObjectPlace) -> Any:
            if not opens:
                store.compact("fleet")
                s3.copy(store.path, prefix)
                for name in batches:
                    s3.delete(f"{prefix}/fleet/{name}")
                    s3.delete(f"{prefix}/fleet/superseded/{name}")
            opens.append(place.url)
            return opened(place)

        monkeypatch.setattr(places.ObjectPlace, "open", open_after_a_copy)
        assert there.read("fleet", "asset 3").values[:, 0].tolist() == [3 + day / 10 for day in range(1, 9)]
        assert "batch-" in opens[0]
        assert "bucket-" in opens[-1]

    def test_a_manifest_swapped_while_it_is_read_is_read_again(
        self, s3: Remote, store: Store, fleet: None, prefix: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = s3.copy(store.path, prefix)
        read, cuts = places.ObjectPlace.read_bytes, [100, 50]
        monkeypatch.setattr(
            places.ObjectPlace, "read_bytes", lambda place: read(place)[: cuts.pop()] if cuts else read(place)
        )
        assert Store.open(url).sources() == ["fleet"]
        assert not cuts


class TestWriting:
    def test_is_refused(self, remote: Remote, store: Store, fleet: None, layout: Any, prefix: str) -> None:
        url = remote.copy(store.path, prefix)
        there, arrived = Store.open(url), np.datetime64("2020-02-01")
        for write in (
            lambda: Store.create(url),
            lambda: there.writer("fleet", layout, arrived_at=arrived),
            lambda: there.compact("fleet"),
        ):
            with pytest.raises(
                StoreError, match=r"can only be read: .*copy its folder there, each manifest\.json last"
            ):
                write()


class TestRefusals:
    def test_no_such_bucket(self, s3: Remote) -> None:
        with pytest.raises(StoreError, match="s3://no-such-bucket/store: there is no such bucket"):
            Store.open("s3://no-such-bucket/store")

    def test_wrong_credentials(self, s3: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANOBODY")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-to-be-seen")
        with pytest.raises(ServiceError, match=r"our credentials are not accepted \(INVALID_ACCESS_KEY_ID\)") as caught:
            Store.open(f"{s3.url}/store")
        assert "not-to-be-seen" not in str(caught.value)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws.CREDENTIALS["AWS_ACCESS_KEY_ID"])
        with pytest.raises(ServiceError, match="our credentials are not accepted"):
            Store.open(f"{s3.url}/store")

    def test_no_credentials(self, s3: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        with pytest.raises(ServiceError, match="access denied"):
            Store.open(f"{s3.url}/store")

    def test_nobody_listens(self, monkeypatch: pytest.MonkeyPatch) -> None:
        aws.use(monkeypatch, "http://127.0.0.1:9")
        with pytest.raises(ServiceError, match=r"^s3://telemetry/store cannot be reached: Could not connect"):
            Store.open("s3://telemetry/store")

    def test_credentials_that_go_bad_on_the_way(
        self, s3: Remote, store: Store, fleet: None, prefix: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        there = Store.open(s3.copy(store.path, prefix))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANOBODY")
        there = Store(str(there.path))
        with pytest.raises(ServiceError, match="access denied"):
            there.read("fleet", "asset 3")

    def test_a_server_with_a_certificate_of_ones_own(
        self, s3: Remote, seaweed: str, store: Store, fleet: None, prefix: str, tmp_path: Path, monkeypatch: Any
    ) -> None:
        url = s3.copy(store.path, prefix)
        write_certificates(tmp_path, "localhost")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")

        class Tls(aws.Relay):
            def get_request(self) -> tuple[Any, Any]:
                connection, address = super().get_request()
                return context.wrap_socket(connection, server_side=True), address

        with Tls(seaweed, []) as relay:
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", relay.url.replace("http://127.0.0.1", "https://localhost"))
            with pytest.raises(ServiceError, match="cannot be reached"):
                Store.open(url)
            monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
            assert Store.open(url).assets("fleet") == store.assets("fleet")

    @pytest.mark.parametrize("endpoint", ["127.0.0.1:1", "http://me:secret@127.0.0.1:1", "http://127.0.0.1:1/s3"])
    def test_an_endpoint_that_is_none(self, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
        aws.use(monkeypatch, endpoint)
        with pytest.raises(ConfigError, match=r"^AWS_ENDPOINT_URL is not a valid address") as caught:
            Store.open("s3://telemetry/store")
        assert "secret" not in str(caught.value)

    def test_a_wrong_account_key(self, azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
        with _abfs(azurite, monkeypatch) as remote:
            wrong = "d3Jvbmcga2V5IHRoYXQgbXVzdCBub3QgYmUgc2Vlbg=="
            monkeypatch.setenv("AZURE_STORAGE_KEY", wrong)
            with pytest.raises(ServiceError, match=r"access denied \(AuthorizationFailure\)") as caught:
                Store.open(f"{remote.url}/store")
            assert wrong not in str(caught.value)

    def test_a_signature_is_not_repeated(self, azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
        string = (
            f"AccountName={ACCOUNT};BlobEndpoint={azurite.endpoint};SharedAccessSignature=sv=2020-02-10&sig=c2VjcmV0"
        )
        with _abfs(azurite, monkeypatch) as remote:
            monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", string)
            with pytest.raises(ServiceError, match="access denied") as caught:
                Store.open(f"{remote.url}/store")
            assert "c2VjcmV0" not in str(caught.value)

    def test_an_account_that_cannot_be_reached(self, azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
        with _abfs(azurite, monkeypatch) as remote:
            string = azurite.connection_string.replace(str(azurite.port), "9")
            monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", string)
            with pytest.raises(ServiceError, match="cannot be reached: ") as caught:
                Store.open(f"{remote.url}/store")
            assert KEY not in str(caught.value)

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("AZURE_STORAGE_KEY", "", "there is no key for the storage account"),
            ("AZURE_STORAGE_KEY", "c2VjcmV", "the key of the storage account is invalid"),
            ("AZURE_STORAGE_KEY", "sécret", "the key of the storage account is invalid"),
            ("AZURE_STORAGE_SAS_TOKEN", "secret", "the shared access signature of the storage account is invalid"),
            (
                "AZURE_STORAGE_SAS_TOKEN",
                "sig=c2 VjcmV",
                "the shared access signature of the storage account is invalid",
            ),
            (
                "AZURE_STORAGE_CONNECTION_STRING",
                f"AccountName=another;AccountKey={KEY}",
                "there is no key for the storage account",
            ),
        ],
    )
    def test_what_would_end_the_process_in_pyarrow(
        self, name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _no_azure_keys(monkeypatch)
        monkeypatch.setenv(name, value)
        with pytest.raises(ConfigError, match=said) as caught:
            Store.open("abfs://telemetry@account.dfs.core.windows.net/store")
        assert not value or value not in str(caught.value)

    @pytest.mark.parametrize(
        "url",
        [
            "s3://key:secret@bucket/store",
            "s3://bucket/store?secret_key=secret",
            "s3://bucket//secret",
            "s3:///secret",
            "gs://secret/store",
            "file:///secret",
            "abfs://secret/store",
            "abfs://container:secret@account.dfs.core.windows.net/store",
        ],
    )
    def test_a_url_that_is_not_understood(self, url: str) -> None:
        with pytest.raises(ConfigError, match=r"does not understand \(write s3://BUCKET/PREFIX") as caught:
            Store(url)
        assert "secret" not in str(caught.value)


class TestSettings:
    def test_a_url_stays_a_url(self, tmp_path: Path) -> None:
        file = tmp_path / "anomscan.toml"
        file.write_text('[store]\npath = "s3://telemetry/store"\n')
        loaded = load(file, environ={})
        assert loaded.settings.store.path == "s3://telemetry/store"
        assert ("store.path", '"s3://telemetry/store"', str(file)) in explain(loaded)
        from_environment = load(file, environ={"ANOMSCAN_STORE__PATH": "s3://telemetry/other"})
        assert from_environment.settings.store.path == "s3://telemetry/other"

    @pytest.mark.parametrize(
        ("path", "said"),
        [
            ("3", r"'store.path': it must be a path, as text, or a URL"),
            ('"s3://key:secret@telemetry/store"', "URL that anomscan does not understand"),
        ],
    )
    def test_what_is_no_path(self, tmp_path: Path, path: str, said: str) -> None:
        file = tmp_path / "anomscan.toml"
        file.write_text(f"[store]\npath = {path}\n")
        with pytest.raises(ConfigError, match=said) as caught:
            load(file, environ={})
        assert "secret" not in str(caught.value)


CONFIG = """
[store]
path = "{path}"
[sources.fleet]
kind = "files"
path = "telemetry.csv"
cadence = "1D"
columns = {{ asset = "asset", timestamp = "date", values = ["x"] }}
[detectors.replay]
kind = "recorded"
path = "scores.csv"
[scan]
window = 60
shingle = 3
"""


class TestCommands:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Where commands run: 6 assets of 120 days in a local store, and recorded scores with a spike in each."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        days = np.arange("2020-01-01", "2020-04-30", dtype="datetime64[D]")
        rows = [(n, place, day) for n in range(6) for place, day in enumerate(days)]
        telemetry = [f"a{n},{day},{n + place % 7}" for n, place, day in rows if (n, place) != (1, 2)]
        scores = [f"a{n},{day},{9 if place == 100 else 1 + place % 5 / 100}" for n, place, day in rows]
        tmp_path.joinpath("telemetry.csv").write_text("\n".join(["asset,date,x", *telemetry]))
        tmp_path.joinpath("scores.csv").write_text("\n".join(["asset,timestamp,score", *scores]))
        self.configure(tmp_path, "data")
        assert run(["fetch"]) == 0
        return tmp_path

    def configure(self, folder: Path, path: str) -> None:
        folder.joinpath("anomscan.toml").write_text(CONFIG.format(path=path))

    @pytest.mark.parametrize("wanted", [["--all"], ["--asset", "a1", "--asset", "a4"]])
    def test_scan_gives_the_same_bytes(self, remote: Remote, folder: Path, prefix: str, wanted: list[str]) -> None:
        arguments = ["scan", *wanted, "--detector", "replay", "-o"]
        assert run([*arguments, "local.jsonl"]) == 0
        self.configure(folder, remote.copy(folder / "data", prefix))
        folder.joinpath("data").rename(folder / "away")
        assert run([*arguments, "remote.jsonl"]) == 0
        local, there = (folder.joinpath(name).read_bytes() for name in ("local.jsonl", "remote.jsonl"))
        assert local == there
        assert b'"2020-04-10"' in there
        scores = [folder.joinpath(f"{name}.jsonl.scores.parquet").read_bytes() for name in ("local", "remote")]
        assert scores[0] == scores[1]

    def test_fetch_is_refused(
        self, remote: Remote, folder: Path, prefix: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        url = remote.copy(folder / "data", prefix)
        self.configure(folder, url)
        capsys.readouterr()
        assert run(["fetch"]) == 2
        (said,) = capsys.readouterr().err.splitlines()
        assert f"a store on object storage can only be read: {url}" in said
        assert "fetch into a local store and copy its folder there" in said

    def test_the_doctor_looks_there(
        self, s3: Remote, folder: Path, prefix: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.configure(folder, s3.copy(folder / "data", prefix))
        capsys.readouterr()
        run(["doctor"])
        assert "ok   store: fleet: 6 assets, the newest sample from 2020-04-29" in capsys.readouterr().out
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANOBODY")
        run(["doctor"])
        assert "FAIL store: path: s3://telemetry/" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("name", "value", "code"),
        [("AWS_ENDPOINT_URL", "http://127.0.0.1:9", 5), ("AWS_SECRET_ACCESS_KEY", "unseen", 5), ("", "", 2)],
    )
    def test_exit_codes(
        self,
        s3: Remote,
        folder: Path,
        name: str,
        value: str,
        code: int,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.configure(folder, f"{s3.url}/store" if name else "s3://no-such-bucket/store")
        if name:
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        assert run(["scan", "--all", "--detector", "replay"]) == code
        (said,) = capsys.readouterr().err.splitlines()
        assert "s3://" in said
        assert "unseen" not in said

    def test_what_reaches_object_storage_is_loaded_for_urls_only(self, folder: Path) -> None:
        program = (
            "import sys; from anomscan.cli.app import run;"
            "code = run(['scan', '--all', '--detector', 'replay', '-o', 'local.jsonl']);"
            "sys.exit(code or 'anomscan.storage.object_storage' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", program], check=False, cwd=folder).returncode == 0


def _assert_same(one: Any, other: Any) -> None:
    """The same assets with the same samples, however they were chunked."""
    ours, theirs = ({series.asset: series for chunk in chunks for series in chunk} for chunks in (one, other))
    assert ours.keys() == theirs.keys()
    assert ours
    for asset, series in ours.items():
        np.testing.assert_array_equal(series.timestamps, theirs[asset].timestamps)
        np.testing.assert_array_equal(series.values, theirs[asset].values)
        places = range(len(series))
        assert [*map(series.health, places)] == [*map(theirs[asset].health, places)]


def _make_bucket(url: str) -> None:
    with closing(aws.client("s3", url)) as client:
        client.create_bucket(Bucket=CONTAINER, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})


@contextmanager
def _s3(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    aws.use(monkeypatch, url)
    with closing(aws.client("s3", url)) as client:
        yield Remote(
            f"s3://{CONTAINER}",
            lambda key, data: client.put_object(Bucket=CONTAINER, Key=key, Body=data),
            lambda key: client.delete_object(Bucket=CONTAINER, Key=key),
        )


@contextmanager
def _abfs(server: Azurite, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    _no_azure_keys(monkeypatch)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", server.connection_string)
    with _blobs(server) as blobs:
        container = blobs.get_container_client(CONTAINER)
        yield Remote(
            f"abfs://{CONTAINER}@{ACCOUNT}.dfs.core.windows.net",
            lambda key, data: container.upload_blob(key, data, overwrite=True),
            container.delete_blob,
        )


def _blobs(server: Azurite) -> Any:
    from azure.storage.blob import BlobServiceClient

    return BlobServiceClient.from_connection_string(server.connection_string)


def _no_azure_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCOUNT", "KEY", "SAS_TOKEN", "CONNECTION_STRING"):
        monkeypatch.delenv(f"AZURE_STORAGE_{name}", raising=False)
