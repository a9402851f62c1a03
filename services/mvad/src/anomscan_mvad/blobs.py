"""Listing a folder of blobs: the request and its answer. Source: Azure's List Blobs operation."""

import xml.etree.ElementTree as ET
from urllib.parse import quote, unquote, urlencode, urlsplit

from anomscan_mvad import limits
from anomscan_mvad.hosts import address_of


def list_url(url: str, marker: str) -> str:
    """The URL that lists a folder's own blobs from a marker on, with the folder's signature."""
    parts = urlsplit(url)
    container, prefix = _split(url)
    query = {
        "restype": "container",
        "comp": "list",
        "delimiter": "/",
        "prefix": prefix,
        "maxresults": str(limits.MAX_FILES),
    }
    if marker:
        query["marker"] = marker
    asked = urlencode(query, quote_via=quote)
    return parts._replace(path=container, query=f"{asked}&{parts.query}" if parts.query else asked).geturl()


def blob_url(url: str, name: str) -> str:
    """The URL of a blob in a folder, with the folder's signature."""
    parts = urlsplit(url)
    return parts._replace(path=f"{parts.path.rstrip('/')}/{quote(name, safe='')}").geturl()


def csv_names(url: str, body: bytes) -> tuple[list[str], str] | None:
    """Parse a list.

    Returns
    -------
    tuple or None
        The names of the folder's CSV files, and the marker of the next page (empty at the end); None if the body is
        not a list of blobs.
    """
    _, prefix = _split(url)
    try:
        text = body.decode("utf-8-sig")
        if "<!DOCTYPE" in text:  # declares entities, which lists never do
            return None
        root = ET.fromstring(text)  # noqa: S314 - without declared entities nothing expands
    except (ValueError, ET.ParseError):
        return None
    if root.tag != "EnumerationResults":
        return None
    found = []
    for blob in root.iterfind("Blobs/Blob"):
        full = blob.findtext("Name", "")
        name = full.removeprefix(prefix)
        if full.startswith(prefix) and "/" not in name and name.lower().endswith(".csv") and name.lower() != ".csv":
            found.append(name)
    return found, root.findtext("NextMarker") or ""


def _split(url: str) -> tuple[str, str]:
    """Split the path into the container's and the folder's; an emulator puts the account's name first."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    segments = parts.path.strip("/").split("/")
    count = 2 if "." not in host or address_of(host) is not None else 1
    folder = unquote("/".join(segments[count:]))
    return "/" + "/".join(segments[:count]), f"{folder}/" if folder else ""
