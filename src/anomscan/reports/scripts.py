"""The styles and scripts of pages, which lie beside this file, and the policy that admits them and nothing else."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib import resources

from markupsafe import Markup

_BASE = ("bytes.js", "dom.js", "place.js", "paint.js")
_ASSET = ("axis.js", "bars.js", "panels.js", "view.js")
_FLEET = ("fleet.js", "strip.js", "rows.js", "timeline.js", "filters.js")
_LIBRARY = "uplot.min"
LICENCE = " · charts by uPlot, © Leon Sorokin, MIT licence"


@functools.cache
def style() -> Markup:
    """The style of all pages."""
    return Markup(_text("style.css") + _text(f"{_LIBRARY}.css"))  # noqa: S704 - our own files, no data in them


@functools.cache
def script(*, fleet: bool, assets: bool) -> Markup:
    """The script of a page of the fleet, of assets, or of both; all of it in one function, so that nothing leaks."""
    names = [*_BASE, *(_ASSET if assets else ()), *(_FLEET if fleet else ()), "main.js"]
    own = "\n".join(map(_text, names))
    library = f"{_text(f'{_LIBRARY}.js')}\n" if assets else ""
    return Markup(f'{library}(() => {{\n"use strict";\n{own}}})();')  # noqa: S704 - as above


def policy(*texts: str) -> str:
    """A content security policy: these inline scripts and styles, images within the page, nothing from elsewhere."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src {hashes}; img-src data:; base-uri 'none'; "
        "form-action 'none'; object-src 'none'"
    )


def _text(name: str) -> str:
    return (resources.files("anomscan.reports") / "static" / name).read_text("utf-8")
