"""Guesses as a configuration file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

from anomscan.config.toml import toml_value
from anomscan.guessing.guess import Guess
from anomscan.guessing.reading import quoted_name
from anomscan.guessing.unsure import UnsureError

#: The name that the detector gets, by its kind.
_NAMES = {"control-chart": "chart"}


def source_of(guess: Guess) -> dict[str, tuple[object, str]]:
    """What ``[sources.NAME]`` says of a table beside where it is: each value, and a remark on it."""
    roles, dialect = guess.roles, guess.sample.dialect
    columns: dict[str, object] = {"timestamp": roles.timestamp, "values": list(guess.variables)}
    if roles.asset is not None:
        columns = {"asset": roles.asset, **columns}
    columns |= {
        key: name for key, name in (("health", roles.health), ("tag", roles.tag), ("value", roles.value)) if name
    }
    if roles.layout == "wide":
        columns["ignore"] = [name for name in roles.left_out if name]
        if not columns["ignore"]:
            del columns["ignore"]
    found: dict[str, tuple[object, str]] = {
        key: (value, "") for key, value in guess.sample.said.items() if key in ("sheet", "format")
    }
    if roles.layout != "long":
        found["layout"] = (roles.layout, roles.why)
    if dialect.delimiter not in (None, ","):
        found["delimiter"] = (dialect.delimiter, "")
    for key in ("decimal", "thousands", "encoding"):
        value = getattr(dialect, key)
        if value not in (None, ".", "utf-8"):
            found[key] = (value, "")
    found["cadence"] = (guess.step.text, "the step between samples")
    if guess.step.tolerance_s:
        found |= {
            "align": ("nearest", "samples lie beside the grid"),
            "align_tolerance": (f"{guess.step.tolerance_s}s", ""),
        }
    if guess.zone is not None:
        found["timezone"] = (guess.zone, guess.zone_why)
    if roles.stamps.pattern is not None:
        found["timestamp_format"] = (roles.stamps.pattern, "")
    if guess.missing:
        found["missing"] = (list(guess.missing), "these stand for no value")
    found["columns"] = (columns, "")
    return found


def query_of(guess: Guess, backend: str, table: str) -> tuple[str, dict[str, object]]:
    """The query of a table in a database, and the columns as the query gives them.

    Raises
    ------
    UnsureError
        Where a query must be written by hand.
    """
    roles = guess.roles
    if roles.layout != "long" or roles.stamps.pattern is not None:
        raise UnsureError(
            f"table '{table}' is {roles.layout}, its times {roles.stamps.pattern or 'ISO 8601'}: "
            "its query is one to write yourself (docs/how-to/mysql.md)",
            "--table",
        )

    def quoted(name: str) -> str:
        return quoted_name(name, backend)

    wanted = [roles.timestamp, *roles.values, *([roles.health] if roles.health else [])]
    asset = quoted(roles.asset) if roles.asset else f"'{_plain(table)}' AS {quoted('asset')}"
    query = f"SELECT {', '.join([asset, *map(quoted, wanted)])} FROM {quoted(table)} "  # noqa: S608 - quoted
    query += f"WHERE {quoted(roles.timestamp)} >= :start AND {quoted(roles.timestamp)} <= :end"
    if roles.asset:
        query += f" AND (:asset IS NULL OR {quoted(roles.asset)} = :asset)"
    return query, {"asset": roles.asset or "asset"}


def _plain(table: str) -> str:
    return re.sub(r"[^\w.-]", "_", table)


def configuration(
    guess: Guess, origin: Mapping[str, object], *, title: str, assets: Mapping[str, object] | None = None
) -> str:
    """The text of ``anomscan.toml``.

    Parameters
    ----------
    origin
        Where the table is: ``kind`` and ``path``, or ``url`` and ``query``.
    title
        The first line, a comment.
    assets
        What ``[assets]`` says; None where nothing is known of them.
    """
    source = source_of(guess)
    columns = dict(source["columns"][0])  # type: ignore[call-overload]
    if origin.get("kind") == "sql":
        columns = {"asset": guess.roles.asset or "asset", **columns}
        source = {
            key: value
            for key, value in source.items()
            if key not in ("delimiter", "decimal", "thousands", "encoding", "sheet")
        }
    lines = [f"# {title}", "# config.example.toml explains every setting.", "[sources.fleet]"]
    lines += [_line(key, value) for key, value in origin.items()]
    lines += [_line(key, value, remark) for key, (value, remark) in source.items() if key != "columns"]
    lines += [_line("columns", columns)]
    if assets is not None:
        lines += ["", "[assets] # who belongs together", *(_line(key, value) for key, value in assets.items())]
    name = _NAMES.get(guess.choice.kind, guess.choice.kind)
    lines += ["", f"[detectors.{name}]", _line("kind", guess.choice.kind, guess.choice.why)]
    lines += [_line(key, value) for key, value in guess.choice.settings.items()]
    lines += ["", "[defaults]", _line("detector", name)]
    if guess.choice.scan:
        lines += ["", "[scan]", *(_line(key, value, _SCAN.get(key, "")) for key, value in guess.choice.scan.items())]
    return "\n".join(lines) + "\n"


_SCAN = {
    "cutoff": "anomalous: so high a score was rarer before than the budget",
    "budget": "false days of an asset",
    "window": "so many samples before the first verdict",
}


def _line(key: str, value: object, remark: str = "") -> str:
    text = f"{key} = {toml_value(value)}"
    return f"{text:<28} # {remark}" if remark else text


def asset_list(guess: Guess) -> str:
    """The list of assets with their cohorts, as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("asset", "cohort"))
    writer.writerows(sorted(guess.cohorts.items()))
    return out.getvalue()


def shown_path(path: Path, base: Path) -> str:
    """A path as the configuration in a folder names it: relative to it where it lies below."""
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)
