"""A real browser that opens a page from the disk, runs it and gives back what came of it."""

from __future__ import annotations

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

from processes import PATIENCE_S

INSTALL = "apt-get install -y --no-install-recommends chromium"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Opened(HTMLParser):
    """A page as it stands after its script has run.

    Attributes
    ----------
    html
        All of it.
    console
        What the browser's console says: errors, and what the page's policy forbade.
    text
        By the id of an element of the page, all text in it that is not hidden.
    """

    def __init__(self, html: str, console: list[str]) -> None:
        super().__init__()
        self.html, self.console, self.text = html, console, dict[str, str]()
        self._open: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag in ("area", "base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"):
            return
        self._open.append((tag, given.get("id")))
        if given.get("id"):
            self.text.setdefault(str(given["id"]), "")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if any(tag in ("script", "style", "template") for tag, _ in self._open):
            return
        for _, identity in self._open:
            if identity:
                self.text[identity] += data


def opened(page: Path, address: str = "", *, width: int = 1366, folder: Path) -> Opened:
    """Open a page without a network; ``address`` is what stands behind the ``#``.

    Raises
    ------
    RuntimeError
        If there is no browser, or it fails.
    """
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        raise RuntimeError(f"chromium is not installed; as root: {INSTALL}")
    done = subprocess.run(
        [
            *(program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={folder}", f"--window-size={width},2000", "--host-resolver-rules=MAP * ~NOTFOUND"),
            *("--enable-logging=stderr", "--virtual-time-budget=10000", "--dump-dom"),
            f"{page.resolve().as_uri()}{f'#{address}' if address else ''}",
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    if done.returncode or not done.stdout.strip():
        raise RuntimeError(f"{program} failed: {done.stderr[-2000:]}")
    return Opened(done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line])
