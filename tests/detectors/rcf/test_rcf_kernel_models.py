"""Models with a right checksum that no training would give: refused before anything follows their indices."""

from __future__ import annotations

import hashlib
import json
import struct

import numpy as np
import pytest

from anomscan.detectors.rcf import Forest, model_file
from anomscan.detectors.rcf.trees import Trees
from anomscan.errors import ConfigError, ModelError

NAMES = ("roots", "left", "axis", "cut", "mass", "low", "high")
SETTINGS = {"sample_size": 8, "seed": 0, "sampling": "shuffled", "facts": {}}


@pytest.fixture
def arrays():
    nodes = Forest.fit(np.random.default_rng(0).normal(size=(20, 3)), trees=2, sample_size=8, seed=0).nodes
    return {name: getattr(nodes, name).copy() for name in NAMES}


def refuse(tmp_path, arrays, why):
    model_file.write(tmp_path / "m", Trees(**arrays), SETTINGS)
    with pytest.raises(ModelError, match=rf"not a sound forest: {why}.*run anomscan train"):
        Forest.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("name", "place", "value", "why"),
    [
        ("roots", 0, -1, "a root is not a node"),
        ("roots", 1, 1 << 30, "a root is not a node"),
        ("roots", 1, 1, "a node is not in one place of one tree"),
        ("left", 0, 1 << 30, "a child does not come after its parent"),
        ("left", 0, -5, "a child does not come after its parent"),
        ("left", 1, 1, "a child does not come after its parent"),
        ("left", 0, 29, "a child does not come after its parent"),
        ("axis", 0, 3, "a cut is in an invalid dimension"),
        ("axis", 0, -1, "a cut is in an invalid dimension"),
        ("mass", 0, 9, "its masses do not add up"),
        ("mass", -1, 0, "its masses do not add up"),
        ("cut", 0, np.nan, "a cut misses its box"),
        ("cut", 0, 99, "a cut misses its box"),
        ("low", (0, 1), np.nan, "a box is invalid"),
        ("high", (0, 1), np.inf, "a box is invalid"),
        ("low", (0, 1), 99, "a box is invalid"),
        ("low", (-1, 1), -99, "a leaf is not a point"),
    ],
)
def test_a_wrong_number_is_named(tmp_path, arrays, name, place, value, why):
    arrays[name][place] = value
    refuse(tmp_path, arrays, why)


def test_arrays_that_do_not_fit_together_are_refused(tmp_path, arrays):
    refuse(tmp_path, arrays | {"axis": arrays["axis"][:-1]}, "its arrays do not fit together")
    refuse(tmp_path, arrays | {"low": arrays["low"][:, :2]}, "its arrays do not fit together")
    refuse(tmp_path, arrays | {"roots": arrays["roots"][:0]}, "it has no trees")
    refuse(tmp_path, arrays | {"low": arrays["low"].ravel()}, "it has no trees")
    refuse(tmp_path, arrays | {"low": arrays["low"][:, :0], "high": arrays["high"][:, :0]}, "it has no trees")
    nodes = len(arrays["left"])
    for shape in ((nodes, 0), (nodes, 1), (0,), (0, nodes)):
        numbers = np.zeros(shape, np.int32)
        refuse(tmp_path, arrays | {"left": numbers}, "it has no trees" if not numbers.size else "its arrays do not fit")
        refuse(tmp_path, arrays | {"mass": numbers}, "its arrays do not fit together")


def test_a_node_has_one_place(tmp_path, arrays):
    """Two parents of one child: the way up from it would be that of one of them."""
    inner = np.flatnonzero(arrays["left"])
    alike = arrays["left"].copy()
    alike[inner[1]] = alike[inner[2]]
    refuse(tmp_path, arrays | {"left": alike}, "a node is not in one place of one tree")
    refuse(tmp_path, arrays | {"roots": arrays["roots"][[0, 0]]}, "a node is not in one place of one tree")


def test_the_boxes_below_a_cut_lie_on_its_sides(tmp_path, arrays):
    left = arrays["left"][0]
    at = arrays["axis"][0]
    arrays["high"][left, at] = arrays["high"][0, at] + 1
    refuse(tmp_path, arrays, "a cut misses the boxes below it")


def test_a_tree_of_more_points_than_there_is_room_for_is_refused(tmp_path):
    one = Forest.fit(np.zeros((1, 1)), trees=1, sample_size=8, seed=0).nodes
    arrays = {name: getattr(one, name).copy() for name in NAMES}
    arrays["mass"][:] = 2**31 - 1
    refuse(tmp_path, arrays, "its trees have more than 16777216 points each")
    with pytest.raises(ConfigError, match="sample_size is 16777217, a tree has at most 16777216"):
        Forest.fit(np.zeros((1, 1)), trees=1, sample_size=2**24 + 1, seed=0)


def test_a_tree_of_one_node_is_a_tree(tmp_path):
    forest = Forest.fit(np.ones((4, 2)), trees=1, sample_size=8, seed=0)
    forest.save(tmp_path / "m")
    assert Forest.load(tmp_path / "m").score([[1, 1]]) == forest.score([[1, 1]])


def test_numbers_at_an_odd_place_are_copied(tmp_path, arrays):
    """C may not read an integer where none can lie."""
    model_file.write(tmp_path / "m", Trees(**arrays), SETTINGS)
    content = (tmp_path / "m").read_bytes()
    _, _, length = struct.unpack_from("<8sII", content)
    body = (
        struct.pack("<8sII", b"ANOMRCF\n", 1, length + 1)
        + content[16 : 16 + length]
        + b" "
        + content[16 + length : -32]
    )
    (tmp_path / "odd").write_bytes(body + hashlib.sha256(body).digest())
    odd, even = Forest.load(tmp_path / "odd"), Forest.load(tmp_path / "m")
    assert all(getattr(odd.nodes, name).flags.aligned for name in NAMES)
    queries = np.random.default_rng(1).normal(size=(5, 3))
    np.testing.assert_array_equal(odd.attribution(queries), even.attribution(queries))


@pytest.mark.parametrize(
    "header",
    [
        b"{",
        b"[]",
        json.dumps({"settings": SETTINGS, "arrays": [["left", "<i8", [1]]]}).encode(),
        json.dumps({"settings": SETTINGS, "arrays": [["left", "<i4", [1 << 40]]]}).encode(),
        json.dumps({"settings": SETTINGS, "arrays": [["left", "<i4", [-1]]]}).encode(),
        json.dumps({"settings": SETTINGS, "arrays": []}).encode(),
        json.dumps({"settings": SETTINGS | {"facts": 1}, "arrays": []}).encode(),
        json.dumps({"settings": {}, "arrays": []}).encode(),
        json.dumps({"settings": SETTINGS, "arrays": [["left", "<i4", [0]]]}).encode()[:-1] + b', "settings": {}}',
        json.dumps({"settings": SETTINGS, "arrays": [["left", "<i4", [2**70, 0]]]}).encode(),
        json.dumps({"settings": SETTINGS, "arrays": [["left", "<i4", [2**70]]]}).encode(),
        json.dumps({"settings": SETTINGS, "arrays": [["left", "<i4", [0] * 99]]}).encode(),
        json.dumps({"settings": SETTINGS, "arrays": [["left", "<i4", None]]}).encode(),
        json.dumps({"settings": SETTINGS, "arrays": [[["left"], "<i4", [0]]]}).encode(),
        json.dumps({"settings": SETTINGS, "arrays": [["edges", "<i4", [0]]]}).encode(),
        b'{"settings": {"facts": "\\ud800"}, "arrays": []}',
        b'{"settings": NaN, "arrays": []}',
        b'{"settings": 1e999, "arrays": []}',
        b'{"settings": ' + b"9" * 5000 + b', "arrays": []}',
        b"[" * 100_000 + b"]" * 100_000,
        b"\xed\xa0\x80",
    ],
)
def test_a_header_that_says_nonsense_is_refused(tmp_path, header):
    body = struct.pack("<8sII", b"ANOMRCF\n", 1, len(header)) + header
    (tmp_path / "m").write_bytes(body + hashlib.sha256(body).digest())
    with pytest.raises(ModelError, match="not a sound forest"):
        Forest.load(tmp_path / "m")


def test_any_damage_behind_a_right_checksum_is_refused_or_scores(tmp_path, arrays):
    """Whatever the numbers, the kernel neither crashes nor hangs."""
    rng = np.random.default_rng(0)
    queries = rng.normal(size=(5, 3))
    loaded = 0
    for _ in range(400):
        name = NAMES[rng.integers(len(NAMES))]
        damaged = {key: value.copy() for key, value in arrays.items()}
        bits = damaged[name].reshape(-1).view(np.uint32)
        bits[rng.integers(len(bits))] ^= np.uint32(1 << rng.integers(32))
        model_file.write(tmp_path / "m", Trees(**damaged), SETTINGS)
        try:
            forest = Forest.load(tmp_path / "m")
        except ModelError:
            continue
        loaded += 1
        assert np.isfinite(forest.score(queries)).all()
        assert np.isfinite(forest.attribution(queries)).all()
    assert 0 < loaded < 400
