from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager

import numpy as np
import pytest

from anomscan.config import RcfSettings
from anomscan.config import SageMakerSettings as Settings
from anomscan.detectors.recording import digest, taped
from anomscan.detectors.registry import opened
from anomscan.errors import AssetError, ConfigError, InputError, OutputError, ServiceError


def tables(count, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(int(rng.integers(1, 30)), 3)).astype("<f4") for _ in range(count)]


class Sums:
    """Scores a point with the sum of its numbers, and fails for points that begin above ``limit``."""

    def __init__(self, limit=np.inf):
        self.limit = limit
        self.calls = 0

    def score(self, points):
        self.calls += 1
        return [
            AssetError("too high") if table[0, 0] > self.limit else table.sum(axis=1, dtype=np.float64) / 3
            for table in points
        ]


@contextmanager
def open_sums(scorer):
    yield scorer


def nobody():
    raise AssertionError("a replay reaches for nobody")


def record(path, scorer=None, detector="d", endpoint="e"):
    return taped(lambda: open_sums(scorer or Sums()), detector=detector, endpoint=endpoint, record=path, replay=None)


def replay(path, endpoint="e"):
    return taped(nobody, detector="d", endpoint=endpoint, record=None, replay=path)


@pytest.fixture
def tape(tmp_path):
    path = tmp_path / "tape.jsonl"
    with record(path) as scorer:
        scorer.score(tables(5))
    return path


def test_a_replay_answers_to_the_last_bit_however_assets_are_batched(tape):
    asked = tables(5)
    with replay(tape) as scorer:
        together = scorer.score(asked)
        alone = [scorer.score([table])[0] for table in reversed(asked)][::-1]
    for table, left, right in zip(asked, together, alone, strict=True):
        np.testing.assert_array_equal(left, Sums().score([table])[0])
        np.testing.assert_array_equal(left, right)


def test_a_line_holds_what_it_should_and_no_more(tape):
    first, *others = [json.loads(line) for line in tape.read_text().splitlines()]
    assert len(others) == 4
    assert list(first) == ["request", "count", "scores", "detector", "endpoint", "at"]
    assert first["request"] == digest(tables(1)[0])
    assert first["count"] == len(first["scores"]) == len(tables(1)[0])
    assert (first["detector"], first["endpoint"]) == ("d", "e")


def test_threads_lose_no_line_and_write_none_twice(tmp_path):
    path = tmp_path / "tape.jsonl"
    asked = tables(400)
    with record(path) as scorer:
        threads = [
            threading.Thread(target=lambda start=start: [scorer.score([t]) for t in asked[start::4] + asked[:50]])
            for start in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    requests = [json.loads(line)["request"] for line in path.read_text().splitlines()]
    assert sorted(requests) == sorted({digest(table) for table in asked})


def test_what_failed_is_not_kept_and_not_made_up(tmp_path):
    path = tmp_path / "tape.jsonl"
    asked = tables(20)
    with record(path, Sums(limit=0.0)) as scorer:
        found = scorer.score(asked)
    failed = [table for table, result in zip(asked, found, strict=True) if isinstance(result, AssetError)]
    assert 0 < len(failed) < 20
    with replay(path) as scorer, pytest.raises(InputError, match=digest(failed[0])):
        scorer.score(failed)


def test_an_unknown_request_fails_loudly_and_says_what_to_do(tape):
    asked = tables(1, seed=9)
    with replay(tape) as scorer, pytest.raises(InputError, match=rf"{digest(asked[0])}.*--record"):
        scorer.score(asked)
    with replay(tape, endpoint="other") as scorer, pytest.raises(InputError, match=r"endpoint 'other'.*some of e"):
        scorer.score(tables(1))


def test_a_run_that_breaks_leaves_the_old_recording(tape):
    before = tape.read_bytes()

    class Gone(Sums):
        def score(self, points):
            raise ServiceError("gone")

    def run():
        with record(tape, Gone()) as scorer:
            scorer.score(tables(3, seed=1))

    with pytest.raises(ServiceError, match="gone"):
        run()
    assert tape.read_bytes() == before
    assert [path.name for path in tape.parent.iterdir()] == [tape.name]


@pytest.mark.parametrize("kept", [1, 20, 100, -2])
def test_a_recording_that_is_cut_off_is_one_line(tape, kept):
    tape.write_bytes(tape.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"tape.jsonl line \d is cut off"), replay(tape):
        pass


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{}", "line 1 is cut off or not a recorded request"),
        ("\xff\xfe", "line 1 is cut off or not a recorded request"),
        ('{"request": "x", "count": 2, "scores": [1.0], "endpoint": "e"}', "line 1 does not hold 2 scores"),
        (
            '{"request": "x", "count": 1, "scores": [NaN], "endpoint": "e"}',
            "line 1 is cut off or not a recorded request",
        ),
        (f'{{"request": "x", "count": 1, "scores": [1{"0" * 400}], "endpoint": "e"}}', "line 1 is cut off or not a"),
        ('{"request": "x", "count": "1", "scores": [1.0], "endpoint": "e"}', "line 1 is cut off or not a"),
        ('{"request": "x", "count": 1, "scores": [1.0], "endpoint": ["e"]}', "line 1 is cut off or not a"),
        (f'{{"request": {"[" * 60_000 + "]" * 60_000}}}', "line 1 is cut off or not a recorded request"),
        ('{"request": "x", "count": 1, "scores": [null], "endpoint": "e"}', "line 1"),
        (
            '{"request": "x", "count": 1, "scores": [1.0], "endpoint": "e"}\n'
            '{"request": "x", "count": 1, "scores": [2.0], "endpoint": "e"}',
            "line 2 gives request x other scores",
        ),
    ],
)
def test_what_is_no_recording_is_one_line(tmp_path, line, message):
    path = tmp_path / "tape.jsonl"
    path.write_text(line + "\n", "latin-1")
    with pytest.raises(InputError, match=message), replay(path):
        pass


def test_a_pipe_is_no_recording(tmp_path):
    os.mkfifo(tmp_path / "tape.jsonl")
    with pytest.raises(InputError, match=r"tape\.jsonl cannot be read"), replay(tmp_path / "tape.jsonl"):
        pass


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.jsonl cannot be read"), replay(tmp_path / "nowhere.jsonl"):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"), record(tmp_path / "file" / "tape.jsonl"):
        pass


def test_only_remote_detectors_are_recorded(tmp_path):
    for flag in ("record", "replay"):
        with (
            pytest.raises(ConfigError, match="which cannot be recorded or replayed"),
            opened("rcf", RcfSettings(), print, **{flag: tmp_path / "tape.jsonl"}),
        ):
            pass
    both = {"record": tmp_path / "a", "replay": tmp_path / "b"}
    with (
        pytest.raises(ConfigError, match="exclude each other"),
        opened("endpoint", Settings(kind="sagemaker", endpoint="e"), print, **both),
    ):
        pass
