"""Where a URL leads, as the HTTP library that connects reads it: whether a key may go there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

_PORTS = {"http": 80, "https": 443}
#: No URL has them, and parsers do not agree on what they mean: `http://a\@b/` is on host a for one and b for another.
_DISPUTED = re.compile(r"[\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff\\]")


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port that a call goes to; the port is never 0."""

    scheme: str
    host: str
    port: int


def is_disputed(url: str) -> bool:
    r"""Whether a URL has a backslash, a blank or a control character, which parsers read differently.

    >>> is_disputed("http://a\\@b/"), is_disputed("http://a/b?c=d")
    (True, False)
    """
    return _DISPUTED.search(url) is not None


def origin_of(url: str) -> Origin | None:
    """Where a call of a URL goes; None where no key may go: no HTTP, no host, a user in it, disputed characters.

    >>> origin_of("https://Host/x")
    Origin(scheme='https', host='host', port=443)
    >>> origin_of("https://me@host/x")
    """
    if is_disputed(url):
        return None
    try:
        parts = parse_url(url)  # urllib3 and requests connect to what this says
    except LocationParseError:
        return None
    if parts.scheme not in _PORTS or not parts.host or parts.auth is not None:
        return None
    return Origin(parts.scheme, parts.host, parts.port or _PORTS[parts.scheme])
