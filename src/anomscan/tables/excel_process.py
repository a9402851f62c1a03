"""Read workbooks in a process of its own: ``python excel_process.py FILE MOST_BYTES``.

The library allots memory for every cell up to the last one that a sheet names, and ends the process where there is
none; that must not be the process of who asked. It imports nothing of anomscan, so that it starts quickly.

It writes pickles: the names of the sheets, then for each line on stdin, a JSON list of a sheet's name and the most rows
wanted (null for all), lists of rows, the last of them empty. In place of any of them it writes the text of an error.
"""

from __future__ import annotations

import json
import pickle
import resource
import sys
from contextlib import suppress
from itertools import islice
from typing import Any

_BATCH_CELLS = 1 << 16


def main(path: str, most_bytes: int) -> None:
    """Serve one workbook."""
    with suppress(ValueError, OSError):  # where the system has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
    import python_calamine as calamine

    try:
        with calamine.CalamineWorkbook.from_path(path) as book:
            _say(book.sheet_names)
            for line in sys.stdin:
                sheet, most = json.loads(line)
                rows = islice(book.get_sheet_by_name(sheet).iter_rows(), most)
                first = next(rows, None)
                if first is not None:
                    _say([first])
                    size = max(_BATCH_CELLS // max(len(first), 1), 1)
                    while part := list(islice(rows, size)):
                        _say(part)
                _say([])
    except calamine.PasswordError:
        _say("password")
    except MemoryError:
        _say("memory")
    except BrokenPipeError:  # who asked has seen enough
        pass
    except BaseException as error:  # noqa: BLE001 - a panic of the library is no Exception
        _say(f"broken: {error}")


def _say(what: Any) -> None:
    pickle.dump(what, sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
