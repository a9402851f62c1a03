"""What a service says about a failure, as one short line."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any
from urllib.parse import quote, quote_plus

_MOST = 200
#: Names under which services say what is wrong, the most telling first.
_NAMES = ("error_msg", "error_message", "errormessage", "message", "detail", "details", "description", "reason", "msg")
_ALSO = ("error", "errors", "fault", "title", "string", "status_message")
_TOO_LONG = re.compile(
    r"\b(range|period|interval|span|window|too (long|large|many)|exceed\w*|at most|max\w*|limit\w*)\b.*"
    r"|\b(one|\d+) (month|day|week|year)s?\b",
    re.IGNORECASE,
)


def words_of(body: bytes, secret: str = "") -> str:
    """The words of a response to a call that failed; "" where there are none.

    Parameters
    ----------
    body
        JSON or plain text; HTML is a page for people, with no words for us.
    secret
        Masked, where the service repeats it.

    Examples
    --------
    >>> words_of(b'{"error": {"code": 7, "message": "one month max"}}')
    'one month max'
    """
    text = body.decode("utf-8", "replace").strip()
    if text.startswith("<"):
        return ""
    with suppress(ValueError, RecursionError):
        text = _said(json.loads(text), 0)
    text = without(secret, text)
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return f"{line[:_MOST]}..." if len(line) > _MOST else line


def message_of(body: Any, secret: str = "") -> str:
    """What an object or a text that came in place of records says is wrong; "" if it says nothing of the kind.

    >>> message_of({"error": "unknown site"}), message_of("no data for this site"), message_of(False)
    ('unknown site', 'no data for this site', '')
    """
    said = _named(body, 0) if isinstance(body, dict) else body if isinstance(body, str) else ""
    return words_of(said.encode(errors="replace"), secret) if said else ""


def without(secret: str, text: str) -> str:
    """A text in which the secret is masked, as it is and as a URL spells it."""
    for spelt in {secret, quote(secret, safe=""), quote(secret), quote_plus(secret)} if secret else ():
        text = text.replace(spelt, "***")
    return text


def is_about_length(words: str) -> bool:
    """Whether words say that the stretch that was asked for is too long."""
    return _TOO_LONG.search(words) is not None


def advice(words: str) -> str | None:
    """The way out that words of a service suggest, where they do."""
    return "ask for a shorter stretch: lower history_days, or give --days" if is_about_length(words) else None


def _said(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _named(value, depth) or json.dumps(value, ensure_ascii=False)
    return "" if value in (None, [], {}) else json.dumps(value, ensure_ascii=False)


def _named(value: dict[str, Any], depth: int) -> str:
    lower = {str(name).lower(): each for name, each in value.items()}
    for name in (*_NAMES, *_ALSO):
        each = lower.get(name)
        if isinstance(each, list) and each:
            each = each[0]
        if isinstance(each, str) and each.strip():
            return each
        if isinstance(each, dict) and depth < 3 and (found := _named(each, depth + 1)):
            return found
    return ""
