"""What every sink is: something that takes a digest to where it belongs, or says why it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from anomscan.incidents.notify.digest import Digest


class Sink(Protocol):
    """Where a target is told. Built from its settings; nothing is sent before :meth:`send`."""

    #: Whether it wants to hear at every run what is open, rather than of changes alone.
    tells_open: bool

    def send(self, digest: Digest) -> Sequence[str]:
        """Deliver a digest; when it returns, all of it has arrived.

        Returns
        -------
        Recipients that refused it where others took it: they are owed it, the others are not to get it again.

        Raises
        ------
        ServiceError
            It was not delivered, or nobody knows.
        ConfigError
            It cannot be, as the settings are.
        """

    def shown(self, digest: Digest) -> str:
        """What would be sent, for people."""
