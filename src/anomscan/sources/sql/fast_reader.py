"""The process of the fast path: reads an order on stdin, writes rows on stdout as an Arrow stream.

The order holds the password, so it comes by a pipe, not as an argument.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any


def main() -> None:
    """Read with connectorx. A failure is a traceback on stderr; silence of the server is an end by SIGALRM."""
    # The rows go where stdout was, and whatever is printed goes to stderr.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    # By their default action, as connectorx lets no Python code run while it waits.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    order = json.load(sys.stdin)

    import connectorx
    import pyarrow as pa

    from anomscan.sources.sql.decimals import float_schema, with_floats

    def watched(wait: bool) -> None:
        signal.setitimer(signal.ITIMER_REAL, order["timeout_s"] if wait else 0)

    watched(True)
    reader: Any = connectorx.read_sql(
        order["url"],
        order["query"],
        return_type="arrow_stream",
        batch_size=order["rows"],
        pre_execution_query=order["first"],
    )
    schema = float_schema(pa.schema([reader.schema.field(name) for name in order["columns"]]))
    with output, pa.ipc.new_stream(output, schema) as writer:
        for batch in reader:
            watched(False)
            writer.write_batch(with_floats(batch.select(order["columns"])))
            watched(True)
    watched(False)


if __name__ == "__main__":
    main()
