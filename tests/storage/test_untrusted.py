"""JSON and files that anybody may have written."""

from __future__ import annotations

import os
import re

import pytest

from anomscan.storage.untrusted import DoubledKeyError, parse_json, read_regular


def test_what_is_json_is_read():
    assert parse_json('{"a": [1, -2.5, null, true, "\\ud83d\\ude00 ä"]}') == {"a": [1, -2.5, None, True, "😀 ä"]}
    assert parse_json(b'\xef\xbb\xbf{"a": 12345678901234567890}') == {"a": 12345678901234567890}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "Expecting value"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": 1e999}', "1e999 is too large a number"),
        (b'{"a": "\\ud800"}', "half a character"),
        (b'{"\\udfff": 1}', "half a character"),
        (b'"\xed\xa0\x80"', "can't decode"),
        (b'"\xff"', "can't decode"),
        ('{"a": 1}'.encode("utf-16"), "can't decode"),
        (b"[" * 65 + b"]" * 65, "nested too deeply"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b"9" * 5000, "digits"),
    ],
)
def test_what_is_not_is_a_value_error(text, why):
    with pytest.raises(ValueError, match=re.escape(why)):
        parse_json(text)


def test_a_key_stands_once():
    with pytest.raises(DoubledKeyError, match="the key 'b' stands twice"):
        parse_json('{"a": {"b": 1, "c": 2, "b": 1}}')


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is not a regular file"):
        read_regular(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is not a regular file"):
        read_regular("/dev/zero")
    with pytest.raises(IsADirectoryError):
        read_regular(tmp_path)
