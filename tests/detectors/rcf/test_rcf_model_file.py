"""Saving and loading."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest

from anomscan.detectors.rcf import Forest
from anomscan.errors import ModelError, OutputError


@pytest.fixture
def forest():
    points = np.random.default_rng(0).normal(size=(200, 3))
    facts = {"trained_through": "2016-12-31", "exemplars": ["Ä/7", "007"], "shingle": 3, "note": None}
    return Forest.fit(points, trees=6, sample_size=64, seed=2**63, sampling="sagemaker").with_facts(**facts)


@pytest.fixture
def saved(forest, tmp_path):
    path = tmp_path / "models" / "rcf.forest"
    forest.save(path)
    return path


def test_what_is_loaded_is_what_was_saved(forest, saved):
    queries = np.random.default_rng(1).normal(size=(50, 3))
    loaded = Forest.load(saved)
    np.testing.assert_array_equal(loaded.score(queries), forest.score(queries))
    np.testing.assert_array_equal(loaded.attribution(queries), forest.attribution(queries))
    for name in ("trees", "sample_size", "seed", "sampling", "dimension", "facts"):
        assert getattr(loaded, name) == getattr(forest, name)
    assert loaded.facts["exemplars"] == ["Ä/7", "007"]
    for name in ("roots", "left", "axis", "cut", "mass", "low", "high"):
        flags = getattr(loaded.nodes, name).flags
        assert flags.aligned
        assert flags.c_contiguous


def test_the_same_forest_gives_the_same_bytes(forest, saved):
    content = saved.read_bytes()
    Forest.load(saved).save(saved)
    assert saved.read_bytes() == content
    assert [entry.name for entry in saved.parent.iterdir()] == ["rcf.forest"]


def test_a_missing_model_says_how_to_make_one(tmp_path):
    with pytest.raises(ModelError, match=r"there is no model .*none\.forest \(run anomscan train\)"):
        Forest.load(tmp_path / "none.forest")


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        Forest.load(tmp_path)


@pytest.mark.parametrize("kept", [0, 3, 8, 12, 40, 500, -33, -1])
def test_a_model_cut_off_is_refused(saved, kept):
    saved.write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"rcf\.forest is cut off.*run anomscan train"):
        Forest.load(saved)


@pytest.mark.parametrize("place", [13, 100, 2000, -1])
def test_a_damaged_model_is_refused(saved, place):
    content = bytearray(saved.read_bytes())
    content[place] ^= 1
    saved.write_bytes(content)
    with pytest.raises(ModelError, match=r"rcf\.forest is cut off or damaged.*run anomscan train"):
        Forest.load(saved)


@pytest.mark.parametrize("content", [b"PAR1", b"asset,timestamp,score\n" * 10])
def test_another_file_is_no_model(saved, content):
    saved.write_bytes(content)
    with pytest.raises(ModelError, match=r"rcf\.forest is not a forest"):
        Forest.load(saved)


def test_a_model_of_another_version_is_named_with_the_way_out(saved):
    body = bytearray(saved.read_bytes()[:-32])
    body[8:12] = struct.pack("<I", 2)
    saved.write_bytes(bytes(body) + hashlib.sha256(body).digest())
    with pytest.raises(ModelError, match=r"format version 2, this anomscan reads version 1 \(run anomscan train"):
        Forest.load(saved)


def test_where_nothing_can_be_written_the_error_says_so(forest, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        forest.save(tmp_path / "file" / "rcf.forest")
