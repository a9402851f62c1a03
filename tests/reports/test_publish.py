"""Publishing to S3: nothing is overwritten unawares, and what was written is said. Against a real S3 server."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from anomscan.errors import ConfigError, OutputError
from anomscan.reports.publish import parse_target, publish, staged
from anomscan.reports.s3 import Bucket
from anomscan.retrying import Clock
from servers import aws

pytestmark = pytest.mark.servers


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """Where files are gathered, and kept if they cannot be published."""
    folder = tmp_path / "kept"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture(scope="module")
def server():
    with aws.seaweed_server() as url:
        aws.client("s3", url).create_bucket(
            Bucket="fleet", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        yield url


@pytest.fixture(params=["seaweed", "moto"])
def either(request, monkeypatch):
    """A server of each kind, with an empty bucket."""
    if request.param == "seaweed":
        url = request.getfixturevalue("server")
        bucket = f"b{request.node.callspec.id}{id(request)}".lower().replace("_", "-")[:60]
        aws.client("s3", url).create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        aws.use(monkeypatch, url)
        yield url, bucket
        return
    with aws.moto_server() as url:
        aws.client("s3", url).create_bucket(
            Bucket="fleet", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        aws.use(monkeypatch, url)
        yield url, "fleet"


def objects(url, bucket):
    s3 = aws.client("s3", url)
    found = {}
    for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        answer = s3.get_object(Bucket=bucket, Key=item["Key"])
        found[item["Key"]] = (answer["Body"].read(), answer["ContentType"])
    return found


def run(target, text, *, overwrite=False, said=None):
    with staged(target, overwrite=overwrite, say=(said if said is not None else []).append) as path:
        path.write_text(text)
        path.with_name(path.name + ".run.json").write_text("{}")
        path.with_name(path.name + ".scores.parquet").write_bytes(b"PAR1")


def test_a_run_is_published_and_not_overwritten_unless_asked(either):
    url, bucket = either
    target = parse_target(f"s3://{bucket}/nightly/2026", "results.jsonl")
    said = []
    run(target, "one\n", said=said)
    key = "nightly/2026/results.jsonl"
    assert objects(url, bucket) == {
        key: (b"one\n", "application/x-ndjson"),
        f"{key}.run.json": (b"{}", "application/json"),
        f"{key}.scores.parquet": (b"PAR1", "application/vnd.apache.parquet"),
    }
    names = [f"s3://{bucket}/{key}.run.json", f"s3://{bucket}/{key}.scores.parquet", f"s3://{bucket}/{key}"]
    assert said == [f"published {', '.join(names)} (10 bytes)"]
    with pytest.raises(OutputError, match=rf"s3://{bucket}/{key} already exists .*--overwrite"):
        run(target, "two\n")
    assert objects(url, bucket)[key][0] == b"one\n"
    run(target, "two\n", overwrite=True)
    assert objects(url, bucket)[key][0] == b"two\n"


def test_of_writers_at_once_exactly_one_wins(server, monkeypatch, tmp_path):
    # Not against moto: it looks for the object and then writes, so that two writers at once may both be the first.
    url, bucket = server, "race"
    aws.client("s3", url).create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    aws.use(monkeypatch, url)
    for round_ in range(5):
        target = parse_target(f"s3://{bucket}/race{round_}", "results.jsonl")
        start = threading.Barrier(4)

        def writer(number, target=target, start=start):
            folder = tmp_path / f"{target.prefix.strip('/')}-{number}"
            folder.mkdir()
            for name in ("results.jsonl", "a.json", "b.json"):
                (folder / name).write_text(str(number))
            store = Bucket(bucket)
            start.wait()
            try:
                publish(folder, target, store, overwrite=False)
            except OutputError as error:
                return str(error)
            return number

        with ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(writer, range(4)))
        winners = [outcome for outcome in outcomes if isinstance(outcome, int)]
        assert len(winners) == 1
        assert all("nothing was written" in outcome for outcome in outcomes if outcome not in winners)
        found = {content for key, (content, _) in objects(url, bucket).items() if key.startswith(f"race{round_}/")}
        assert found == {str(winners[0]).encode()}


def test_a_failure_on_the_way_says_what_was_written_and_keeps_the_files(server, monkeypatch):
    aws.use(monkeypatch, server)
    target = parse_target("s3://fleet/half", "results.jsonl")
    aws.client("s3", server).put_object(Bucket="fleet", Key="half/results.jsonl.scores.parquet", Body=b"foreign")
    with pytest.raises(OutputError) as caught:
        run(target, "one\n")
    text = str(caught.value)
    assert "s3://fleet/half/results.jsonl.scores.parquet already exists" in text
    assert "written before it: s3://fleet/half/results.jsonl.run.json" in text
    folder = text.rpartition("all files are kept in ")[2].rstrip(")")
    assert (Path(folder) / "results.jsonl").read_text() == "one\n"
    assert "half/results.jsonl" not in objects(server, "fleet")


def test_a_bucket_that_is_not_there_is_named_before_the_work(either, monkeypatch):
    began = []
    with (
        pytest.raises(OutputError, match="there is no bucket 'nowhere'"),
        staged(parse_target("s3://nowhere/x", "results.jsonl"), overwrite=True, say=print) as path,
    ):
        began.append(path)
    assert not began


def test_a_conflict_is_tried_again(server, monkeypatch, tmp_path):
    file = tmp_path / "x.json"
    file.write_text("{}")
    waits = []
    clock = Clock(sleep=waits.append)
    with aws.Relay(server, ["409", "409"]) as relay:
        aws.use(monkeypatch, relay.url)
        Bucket("fleet", clock=clock).put("conflict.json", file, "application/json", overwrite=False)
    assert len(waits) == 2
    assert objects(server, "fleet")["conflict.json"][0] == b"{}"
    with aws.Relay(server, ["409"] * 10) as relay:
        aws.use(monkeypatch, relay.url)
        with pytest.raises(OutputError, match=r"s3://fleet/never.json: ConditionalRequestConflict"):
            Bucket("fleet", clock=clock).put("never.json", file, "application/json", overwrite=False)
    assert "never.json" not in objects(server, "fleet")


def test_an_object_whose_answer_was_lost_is_known_as_ours(server, monkeypatch, tmp_path):
    file = tmp_path / "x.json"
    file.write_text("{}")
    with aws.Relay(server, ["lost"]) as relay:
        aws.use(monkeypatch, relay.url)
        Bucket("fleet").put("lost.json", file, "application/json", overwrite=False)
        assert relay.seen == ["PUT /fleet/lost.json lost", "PUT /fleet/lost.json", "HEAD /fleet/lost.json"]
    assert objects(server, "fleet")["lost.json"][0] == b"{}"


def test_who_may_not_write_is_told_so(server, monkeypatch):
    aws.use(monkeypatch, server, **aws.READER)
    with pytest.raises(OutputError, match=r"s3://fleet/denied/.*access denied.*nothing was written"):
        run(parse_target("s3://fleet/denied", "results.jsonl"), "one\n")


def test_without_credentials_it_says_so_before_the_work(server, monkeypatch):
    aws.use(monkeypatch, server)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(OutputError, match="no AWS credentials"):
        run(parse_target("s3://fleet/x", "results.jsonl"), "one\n")


def test_a_server_that_is_away_is_one_line(monkeypatch):
    aws.use(monkeypatch, "http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1")
    with pytest.raises(OutputError, match=r"s3://fleet: .*127.0.0.1:9"):
        run(parse_target("s3://fleet/x", "results.jsonl"), "one\n")


def test_nothing_stays_behind_where_the_work_fails(server, monkeypatch, kept):
    aws.use(monkeypatch, server)
    work = staged(parse_target("s3://fleet/failed", "results.jsonl"), overwrite=False, say=print)
    work.__enter__().write_text("half")
    trouble = ZeroDivisionError()
    assert not work.__exit__(ZeroDivisionError, trouble, None)
    run(parse_target("s3://fleet/well", "results.jsonl"), "whole")
    assert list(kept.iterdir()) == []
    assert not any(key.startswith("failed/") for key in objects(server, "fleet"))


@pytest.mark.parametrize(
    ("url", "main", "folder", "key"),
    [
        ("s3://b", "results.jsonl", False, "results.jsonl"),
        ("s3://b/", "results.jsonl", False, "results.jsonl"),
        ("s3://b/p/q/", "results.jsonl", False, "p/q/results.jsonl"),
        ("s3://b/p/2026.11", "results.jsonl", False, "p/2026.11/results.jsonl"),
        ("s3://b/p/.jsonl", "results.jsonl", False, "p/.jsonl/results.jsonl"),
        ("s3://b/may.jsonl", "results.jsonl", False, "may.jsonl"),
        ("s3://b/p/may.html", "index.html", True, "p/may.html/index.html"),
    ],
)
def test_a_path_is_a_folder_unless_it_names_the_file(url, main, folder, key):
    target = parse_target(url, main, folder=folder)
    assert target.url(target.prefix + target.main) == f"s3://b/{key}"


@pytest.mark.parametrize(
    "url",
    [
        *("s3://", "s3:///x", "ftp://b/x", "https://b.s3.amazonaws.com/x", "abfs://", "abfs://box/x"),
        *("abfs://box@account/x", "abfs://box:secret@account.dfs.core.windows.net/x"),
    ],
)
def test_a_place_that_is_none_is_refused(url):
    with pytest.raises(ConfigError) as caught:
        parse_target(url, "results.jsonl")
    assert "secret" not in str(caught.value)


def test_latest_leads_to_the_newest_pages(either):
    url, bucket = either
    for day, text in (("2026 11", "one"), ("2026-12", "two")):
        said = []
        target = parse_target(f"s3://{bucket}/r/{day}", "index.html", folder=True)
        with staged(target, overwrite=False, say=said.append, latest=True) as path:
            path.write_text(text)
        assert said[-1] == f"s3://{bucket}/r/latest/index.html leads there"
        page, kind = objects(url, bucket)["r/latest/index.html"]
        assert f'url=../{day.replace(" ", "%20")}/index.html"'.encode() in page
        assert kind == "text/html; charset=utf-8"


@pytest.mark.parametrize("path", ["", "latest", "r/latest/"])
def test_latest_is_not_the_folder_of_a_report(path):
    with pytest.raises(ConfigError, match="has another name"):
        _ = parse_target(f"s3://b/{path}", "index.html", folder=True).latest
