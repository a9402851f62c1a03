"""A real browser that opens pages from the disk, without a network, and is driven as a reader would drive it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from playwright.sync_api import Page, Request, sync_playwright

INSTALL = "sh scripts/install-servers.sh"
AXE = Path(__file__).with_name("axe") / "node_modules/axe-core/axe.min.js"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SWITCHES = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND")


@dataclass(frozen=True, slots=True)
class Opened:
    """A page in a window of its own.

    Parameters
    ----------
    page
        What Playwright drives.
    complaints
        What the console says: errors, warnings, and what the page's policy forbade.
    requests
        All that was asked for, be it from the disk.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def text(self, selector: str) -> str:
        """What a reader sees of an element."""
        return self.page.locator(selector).inner_text()

    @property
    def scrolls_sideways(self) -> bool:
        """Whether the page is wider than its window."""
        script = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"
        return bool(self.page.evaluate(script))

    def cpu_s(self) -> float:
        """How much CPU time its process has taken until now."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("Performance.enable")
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(each["value"] for each in metrics if each["name"] == "ProcessTime"))

    def faults(self) -> list[str]:
        """What axe-core finds serious or critical in what is shown."""
        if not AXE.is_file():
            raise RuntimeError(f"axe-core is not installed: {INSTALL}")
        self.page.evaluate(AXE.read_text("utf-8"))
        found: dict[str, Any] = self.page.evaluate("() => axe.run()")
        return [
            f"{each['id']} ({each['impact']}): {node['html'][:200]}; {node['failureSummary']}"
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]


class Chromium:
    """A running browser; a context manager.

    Raises
    ------
    RuntimeError
        If there is none.
    """

    def __init__(self) -> None:
        self._program = next(filter(None, map(shutil.which, _NAMES)), None)
        if self._program is None:
            raise RuntimeError(f"chromium is not installed: {INSTALL}")
        self._driver = sync_playwright()

    def __enter__(self) -> Chromium:
        self._browser = self._driver.__enter__().chromium.launch(executable_path=self._program, args=list(_SWITCHES))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._browser.close()
        self._driver.__exit__(kind, error, traceback)

    @contextmanager
    def opened(
        self, page: Path, address: str = "", *, width: int = 1366, height: int = 900, dark: bool = False
    ) -> Iterator[Opened]:
        """Open a page; ``address`` is what stands behind the ``#``."""
        context = self._browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", offline=True
        )
        try:
            opened = Opened(context.new_page())
            opened.page.on("request", lambda request: opened.requests.append(_asked(request)))
            opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
            opened.page.on("console", lambda message: opened.complaints.append(f"{message.type}: {message.text}"))
            opened.page.goto(f"{page.resolve().as_uri()}{f'#{address}' if address else ''}")
            yield opened
        finally:
            context.close()


def _asked(request: Request) -> str:
    return request.url.partition("#")[0]
