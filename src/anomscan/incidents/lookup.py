"""What the ledger has of the incidents in a file of results, for whoever shows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from anomscan.errors import InputError
from anomscan.incidents.archive import Archive
from anomscan.incidents.ledger import Entry
from anomscan.incidents.ledger_file import LedgerFile

_ID = re.compile(rb'"id": "([0-9a-f]{12})"')


def entries_of(results: Path, folder: Path) -> Mapping[str, Entry]:
    """The entries of a ledger whose incidents some results name, by id: their states and marks as they are now.

    Parameters
    ----------
    results
        A file of records.
    folder
        The ledger's; nothing is found where there is no ledger.

    Raises
    ------
    InputError
        If the ledger cannot be used, or the results cannot be read.
    """
    ledger = LedgerFile(folder)
    if not ledger.exists():
        return {}
    try:
        with results.open("rb") as file:
            named = {one.decode() for line in file for one in _ID.findall(line)}
    except OSError as error:
        raise InputError(f"{results} cannot be read: {error.strerror}") from None
    if not named:
        return {}
    found = ledger.read()
    if not named <= found.entries.keys():
        found = Archive(folder).with_all_of(found)
    return {id_: each for id_, each in found.entries.items() if id_ in named}
