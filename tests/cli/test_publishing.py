"""Results and reports go to S3 by ``-o s3://...``, through the command line and to a real S3 server."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from servers import aws

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def server():
    with aws.seaweed_server() as url:
        yield url


@pytest.fixture
def bucket(server, monkeypatch, request):
    """The name of an empty bucket and a client; the command line finds its server."""
    aws.use(monkeypatch, server)
    s3 = aws.client("s3", server)
    name = request.node.name.replace("_", "-")[:50].strip("-")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name, s3


def keys(s3, name):
    return [item["Key"] for item in s3.list_objects_v2(Bucket=name).get("Contents", [])]


def test_scan_publishes_what_it_would_write(fetched, bucket, tmp_path):
    name, s3 = bucket
    fetched.good("scan", "--all", "-o", "results.jsonl")
    code, out, err = fetched("scan", "--all", "-o", f"s3://{name}/nightly/")
    assert (code, out) == (0, "")
    key = "nightly/results.jsonl"
    assert f"published s3://{name}/{key}.run.json, s3://{name}/{key}.scores.parquet, s3://{name}/{key} (" in err
    assert keys(s3, name) == [key, f"{key}.run.json", f"{key}.scores.parquet"]
    there = s3.get_object(Bucket=name, Key=key)
    assert there["Body"].read() == (fetched.folder / "results.jsonl").read_bytes()
    assert there["ContentType"] == "application/x-ndjson"
    s3.download_file(name, f"{key}.scores.parquet", str(tmp_path / "scores.parquet"))
    assert pq.read_table(tmp_path / "scores.parquet").equals(pq.read_table("results.jsonl.scores.parquet"))
    assert json.loads(s3.get_object(Bucket=name, Key=f"{key}.run.json")["Body"].read())["assets"] == 2


def test_a_second_scan_is_refused_unless_it_may_overwrite(fetched, bucket):
    name, s3 = bucket
    arguments = ("scan", "--all", "-o", f"s3://{name}/results.jsonl")
    fetched.good(*arguments)
    before = s3.head_object(Bucket=name, Key="results.jsonl")["LastModified"]
    code, out, err = fetched(*arguments, "--sigma", 2)
    assert (code, out) == (7, "")
    assert f"error: s3://{name}/results.jsonl already exists" in err
    assert "--overwrite" in err
    assert s3.head_object(Bucket=name, Key="results.jsonl")["LastModified"] == before
    fetched.good(*arguments, "--days", 5, "--overwrite")
    assert b'"from":"2016-04-25"' in s3.get_object(Bucket=name, Key="results.jsonl")["Body"].read().replace(b" ", b"")


def test_detect_and_report_publish_too(fetched, bucket):
    name, s3 = bucket
    fetched.good("detect", "--asset", "a", "-o", f"s3://{name}/a.jsonl")
    fetched.good("scan", "--all", "-o", "results.jsonl")
    code, out, err = fetched("report", "results.jsonl", "-o", f"s3://{name}/pages")
    assert (code, out) == (0, "")
    assert "open " not in err
    pages = {key: s3.head_object(Bucket=name, Key=key)["ContentType"] for key in keys(s3, name)}
    assert pages["a.jsonl"] == "application/x-ndjson"
    assert pages["pages/index.html"] == "text/html; charset=utf-8"
    assert sum(key.startswith("pages/charts/a-") and key.endswith(".html") for key in pages) == 1
    assert f"s3://{name}/pages/index.html" in err
    code, _, err = fetched("report", "results.jsonl", "-o", f"s3://{name}/pages")
    assert code == 7
    assert f"s3://{name}/pages/index.html already exists" in err
    for format_, file in (("csv", "report.csv"), ("markdown", "report.md"), ("links", "links.txt")):
        fetched.good("report", "results.jsonl", "--format", format_, "-o", f"s3://{name}/lists")
        local = fetched.good("report", "results.jsonl", "--format", format_)
        assert s3.get_object(Bucket=name, Key=f"lists/{file}")["Body"].read().decode() == local


def test_a_missing_bucket_stops_a_scan_before_it_begins(fetched, bucket):
    code, out, err = fetched("scan", "--all", "-o", "s3://no-such-bucket/results.jsonl")
    assert (code, out) == (7, "")
    assert [line for line in err.splitlines() if line.startswith("error: ")] == [
        "error: there is no bucket 'no-such-bucket' (create it, or check its name)"
    ]


@pytest.mark.parametrize("where", ["ftp://host/x", "s3:///x"])
def test_a_place_that_is_none_is_2(fetched, where):
    code, _, err = fetched("scan", "--all", "-o", where)
    assert code == 2
    assert "s3://" in err
