"""The targets of a report's links: the asset's page in the user's own system, and the file name of its chart page."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from urllib.parse import quote, urlsplit

from anomscan.errors import ConfigError
from anomscan.telemetry.names import PREFIX

_PLACE = "{asset}"
_SLUG_CHARS = 40


def check_asset_url(template: str) -> str:
    """The template of ``[report] asset_url``, if it can be used.

    Raises
    ------
    ConfigError
        If it is not http(s), lacks ``{asset}``, or holds characters that no address has.
    """
    hint = f"write it as https://example.com/assets/{_PLACE}"
    try:
        parts = urlsplit(template)
    except ValueError:
        raise ConfigError("[report] asset_url is not an address", hint=hint) from None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigError("[report] asset_url does not begin with http:// or https:// and a host", hint=hint)
    if _PLACE not in template.removeprefix(f"{parts.scheme}://{parts.netloc}"):
        raise ConfigError(f"[report] asset_url does not contain {_PLACE} after the host", hint=hint)
    if re.search(r"[\s<>\"'`\\\x00-\x1f\x7f]", template):
        raise ConfigError("[report] asset_url contains a space, quote or bracket", hint="percent-encode it")
    return template


def asset_link(template: str | None, asset: str) -> str | None:
    """The address of an asset's page, its id percent-encoded; None without a template, and for a cohort.

    >>> asset_link("https://example.com/{asset}?tab=1", "a/b ü")
    'https://example.com/a%2Fb%20%C3%BC?tab=1'
    """
    if template is None or asset.startswith(PREFIX):
        return None
    return template.replace(_PLACE, quote(asset, safe=""))


def chart_stem(asset: str) -> str:
    """A file name for any id: its readable part and a hash that distinguishes equal slugs.

    >>> chart_stem("../../etc/Passwd")
    'etc-passwd-834799dbfa16'
    """
    plain = unicodedata.normalize("NFKD", asset).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_SLUG_CHARS].rstrip("-")
    return f"{slug or 'asset'}-{hashlib.sha256(asset.encode()).hexdigest()[:12]}"
