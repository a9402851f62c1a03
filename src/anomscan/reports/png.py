"""Charts as PNG, if the exporter and a browser are installed; a report is complete without them."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import plotly.graph_objects as go

_WIDTH_PX, _SCALE, _TIMEOUT_S = 1200, 2, 60


class PngExporter:
    """Draws figures in one headless Chrome or Chromium; returns None for each once something is missing or fails.

    A context manager: the browser starts with the first figure and is closed at the end.

    Attributes
    ----------
    note
        Why there are no (more) PNGs and how to get them, one sentence; None while all is well.
    """

    def __init__(self) -> None:
        self.note: str | None = None
        self._runner = asyncio.Runner()
        self._browser: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        self._runner.close()

    def png(self, figure: go.Figure) -> bytes | None:
        """The figure as a PNG, 1200 pixels wide at double density; None if that is impossible (see ``note``)."""
        if self.note is not None:
            return None
        try:
            from choreographer.protocol import DevtoolsProtocolError
            from kaleido import Kaleido
            from kaleido.errors import ChromeNotFoundError, JavascriptError, KaleidoError
        except ImportError:
            self.note = "no PNG files: the exporter is not installed (pip install 'anomscan[png]')"
            return None
        try:
            if self._browser is None:
                # Without mathjax=False the page would load it from the internet.
                self._browser = Kaleido(n=1, timeout=_TIMEOUT_S, mathjax=False)
                self._run(self._browser.open())
            options = {"format": "png", "width": _WIDTH_PX, "height": figure.layout.height, "scale": _SCALE}
            image: bytes = self._run(self._browser.calc_fig(figure, opts=options))
        except ChromeNotFoundError:
            self.note = (
                "no PNG files: the exporter needs Chrome or Chromium on this machine (or BROWSER_PATH set to it)"
            )
        except (KaleidoError, JavascriptError, DevtoolsProtocolError, RuntimeError, OSError, ValueError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            self.note = f"PNG files are missing: the exporter failed ({reason[:200]})"
        else:
            return image
        self._close()
        return None

    def _run(self, work: Any) -> Any:
        async def within_time() -> Any:
            async with asyncio.timeout(_TIMEOUT_S):
                return await work

        return self._runner.run(within_time())

    def _close(self) -> None:
        browser, self._browser = self._browser, None
        if browser is None:
            return
        try:
            self._run(browser.close())
        except (RuntimeError, OSError) as error:
            self.note = self.note or f"the PNG exporter did not close properly ({error})"
