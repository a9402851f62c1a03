"""The program's own options stand before the command or after it."""

from __future__ import annotations

import json

import pytest

from anomscan.cli.commands import COMMANDS

LEAVES = [
    ("fetch",),
    ("train", "--detector", "rcf"),
    ("scan", "--all"),
    ("detect", "--asset", "a"),
    ("compare",),
    ("inject",),
    ("tune", "--alerts", "1"),
    ("report",),
    ("models", "list"),
    ("models", "show", "rcf"),
    ("models", "delete", "rcf"),
    ("store", "drop", "--all"),
    ("night",),
    ("incidents", "list"),
    ("incidents", "show", "0123456789ab"),
    ("incidents", "ack", "0123456789ab", "--by", "me", "--reason", "known"),
    ("notify", "send"),
    ("doctor",),
    ("config", "show"),
    ("config", "check"),
]


#: These read no settings; they make them.
WITHOUT_SETTINGS = ("quick", "init")


def test_every_command_is_tried():
    # What check says of its settings is for a monitor: tests/cli/test_check.py.
    assert {"check", *WITHOUT_SETTINGS, *(leaf[0] for leaf in LEAVES)} == set(COMMANDS)


@pytest.mark.parametrize("command", WITHOUT_SETTINGS)
def test_a_command_without_settings_takes_them_after_its_name(place, command):
    code, _, err = place(command, "nowhere.csv", "-q", "-v", "--log-format", "json")
    assert (code, json.loads(err)["level"]) == (2, "error")


@pytest.mark.parametrize("leaf", LEAVES, ids=" ".join)
def test_every_command_takes_them_after_its_name(place, leaf):
    place.write("bad.toml", "[scan]\nwindow = 0\n")
    code, _, err = place(*leaf, "--config", "bad.toml", "-q", "-v", "--log-format", "json")
    assert code == 2
    assert "scan.window" in json.loads(err)["message"]


def test_a_group_takes_them_too(place):
    assert place("config", "-q", "check") == (0, "", "")
    assert "scan.window" in place("models", "--config", place.write("bad.toml", "[scan]\nwindow = 0\n"), "list")[2]


def test_what_stands_nearest_to_the_end_wins(place):
    assert place("-q", "config", "check")[2] == ""
    assert place("-q", "config", "check", "-v")[2] != ""
    assert place("config", "-v", "check", "-q")[2] == ""
    code, _, err = place("--log-format", "json", "scan", "--log-format=text")
    assert (code, err.startswith("error: ")) == (2, True)


def test_the_value_of_another_option_is_none_of_them(fetched):
    code, _, err = fetched("scan", "--asset", "--log-format", "-q", "--through")
    assert (code, err) == (2, "error: Option '--through' requires an argument.\n")
    code, _, err = fetched("fetch", "--asset", "-q")
    assert code == 4
    assert "asset '-q'" in err
