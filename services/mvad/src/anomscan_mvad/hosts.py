"""Which hosts the server may read from, so that no request can make it read from others."""

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from anomscan_mvad.errors import ApiError

BLOB_SUFFIXES = (
    ".blob.core.windows.net",
    ".blob.core.usgovcloudapi.net",
    ".blob.core.chinacloudapi.cn",
    ".blob.storage.azure.net",
)
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_ENTRY = re.compile(r"(?:(?P<name>[A-Za-z0-9._-]+)|\[(?P<six>[0-9A-Fa-f:.]+)\])(?::(?P<port>[0-9]{1,5}))?")
Resolver = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> list[str]:
    """Look up the addresses of a host; OSError if there are none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def refused(message: str) -> ApiError:
    """The error for a data source that may not be read."""
    return ApiError(400, "InvalidBlobURL", message)


def address_of(text: str) -> Address | None:
    """Parse an IP address; None if it is a name."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address


@dataclass(frozen=True)
class AllowedHosts:
    """Azure's blob endpoints over https, and the hosts named when the server was started.

    A named host may be on loopback or in a private network; a link-local address (where clouds serve their metadata)
    must be named as the address itself. The addresses are checked, not only the names, and the caller connects to the
    address that was checked.
    """

    named: frozenset[tuple[str, int | None]] = frozenset()
    resolver: Resolver = resolve

    @classmethod
    def parse(cls, entries: Sequence[str]) -> "AllowedHosts":
        """Parse ``HOST`` or ``HOST:PORT`` entries; ValueError if one is neither."""
        named: set[tuple[str, int | None]] = set()
        for entry in entries:
            bare = address_of(entry)
            match = _ENTRY.fullmatch(entry)
            if bare is not None:
                named.add((str(bare), None))
            elif match and int(match["port"] or 0) < 65536 and (not match["six"] or address_of(match["six"])):
                named.add((_canonical(match["name"] or match["six"]), int(match["port"]) if match["port"] else None))
            else:
                raise ValueError(f"--allow-host {entry}: write HOST or HOST:PORT")
        return cls(frozenset(named))

    def split(self, url: str) -> tuple[SplitResult, str, int]:
        """Split a URL and check its scheme and host, without a look-up.

        Returns
        -------
        tuple
            The parts, the canonical host, and the port.

        Raises
        ------
        ApiError
            400 InvalidBlobURL: not a URL, or a host that is not allowed. The message never contains the query.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise refused("dataSource is not a URL") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise refused("dataSource must be an http or https URL, or a path that this server may read")
        if parts.username is not None or parts.password is not None:
            raise refused("dataSource must not carry a user name or password")
        if any(c <= " " or c == "\x7f" for c in url):
            raise refused("dataSource holds a space or a control character")
        host = _canonical(parts.hostname)
        port = port or (443 if parts.scheme == "https" else 80)
        if not self._is_named(host, port) and not (parts.scheme == "https" and host.endswith(BLOB_SUFFIXES)):
            raise refused(
                f"this server does not read from {parts.scheme}://{host}:{port}; "
                f"whoever runs it can start it with --allow-host {host}"
            )
        return parts, host, port

    def addresses(self, host: str, port: int) -> list[str]:
        """Look the host up and return the addresses that may be connected to.

        Raises
        ------
        ApiError
            400 InvalidBlobURL: one of the addresses is not allowed, so none is used.
        OSError
            If the name has no address.
        """
        found = self.resolver(host, port)
        for text in found:
            address = address_of(text)
            if address is None or not self._may_connect(address, host, port):
                raise refused(f"{host} leads to an address that this server does not read from")
        return list(found)

    def check(self, url: str) -> None:
        """Refuse a URL that must not be fetched; a name without an address passes now and fails when fetched."""
        _, host, port = self.split(url)
        try:
            self.addresses(host, port)
        except OSError:
            return

    def _is_named(self, host: str, port: int) -> bool:
        return (host, None) in self.named or (host, port) in self.named

    def _may_connect(self, address: Address, host: str, port: int) -> bool:
        if self._is_named(str(address), port):
            return True
        if address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved:
            return False
        return address.is_global or self._is_named(host, port)


def _canonical(host: str) -> str:
    host = host.lower().rstrip(".")
    address = address_of(host)
    return host if address is None else str(address)
