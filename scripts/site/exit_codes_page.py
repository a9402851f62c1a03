"""The reference of the exit codes, from the code."""

from __future__ import annotations

from schema_tables import table

from anomscan.errors import PRECEDENCE, ExitCode


def page() -> str:
    """The whole page."""
    order = ", ".join(str(int(code)) for code in PRECEDENCE)
    rows = ((str(int(code)), code.meaning) for code in ExitCode)
    return "\n".join(
        [
            "# Exit codes",
            f"If several apply, the first of {order} wins. `check --nagios` has the codes of Nagios, 0 to 3.",
            "",
            *table(("exit", "when"), rows),
        ]
    )
