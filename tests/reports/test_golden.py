"""What a run writes beside its records, and the pages made of it, held to golden files."""

import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from anomscan import __version__
from anomscan.cli.app import run
from golden import hold

GOLDEN = Path(__file__).parent / "golden"
EXAMPLE = Path(__file__).parents[2] / "examples" / "ci"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The smoke run's fleet of made-up numbers, scanned and reported."""
    folder = tmp_path_factory.mktemp("golden") / "ci"
    shutil.copytree(EXAMPLE, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(["-q", "fetch"]) == 0
        assert run(["-q", "scan", "--all", "-o", "results.jsonl"]) == 0
        assert run(["-q", "report", "results.jsonl", "-o", "pages"]) == 0
    return folder


def _read(path):
    """A file, with words in place of what differs from run to run and from release to release."""
    text = path.read_text("utf-8").replace(__version__, "VERSION")
    text = re.sub(r"<(style|script)>.*?</\1>", r"<\1>CODE</\1>", text, flags=re.DOTALL)
    text = re.sub(r"'sha256-[^']*'", "HASH", text)
    text = re.sub(r"\b[0-9a-f]{32,64}\b", "HASH", text)
    text = re.sub(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\+00:00|\.\d{6}Z)", "TIME", text)
    return re.sub(r"\b(read|scan|explain|record)(\": |</dt><dd>)[0-9][0-9.e-]*", r"\1\2SECONDS", text)


def test_the_facts_of_a_run(folder):
    hold(GOLDEN / "run.json", _read(folder / "results.jsonl.run.json"))


def test_the_schema_of_the_scores(folder):
    schema = pq.read_schema(folder / "results.jsonl.scores.parquet")
    hold(GOLDEN / "scores-schema.txt", "".join(f"{field.name}: {field.type}\n" for field in schema))


def test_the_page_of_the_fleet(folder):
    hold(GOLDEN / "index.html", _read(folder / "pages" / "index.html"))


def test_the_page_of_an_asset(folder):
    (page,) = (folder / "pages" / "charts").glob("twice-*.html")
    hold(GOLDEN / "chart.html", _read(page))
