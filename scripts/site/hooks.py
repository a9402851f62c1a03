"""What MkDocs does not know by itself: pages made from the code, and Markdown as GitHub reads it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import commands_page
import exit_codes_page
import records_page
import settings_page
from mkdocs.structure.files import File, Files

from anomscan.reports.schemas import NAMES, schema_text

ROOT = Path(__file__).parents[2]
#: Pages of the repository that lie outside docs/, and where the site has them.
OUTSIDE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "config.example.toml": "config.example.toml",
    **{f"examples/{name}/README.md": f"examples/{name}.md" for name in ("ci", "cron", "solar", "wind")},
}


def on_files(files: Files, *, config: Any) -> Files:
    """Add what does not lie in docs/."""
    for uri, content in _generated():
        files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: object) -> str:
    """Lead links to where the site has their targets, and part lists and tables from what stands before them."""
    origin = next((path for path, uri in OUTSIDE.items() if uri == page.file.src_uri), f"docs/{page.file.src_uri}")
    return _parted(_relinked(markdown, origin, page.file.src_uri))


def _generated() -> Iterator[tuple[str, str]]:
    yield "reference/commands.md", commands_page.page()
    yield "reference/exit-codes.md", exit_codes_page.page()
    yield "reference/records.md", records_page.page()
    yield "reference/settings.md", settings_page.page(ROOT / "config.example.toml")
    for name in NAMES:
        yield f"reference/schemas/{name}.json", schema_text(name)
    for path, uri in OUTSIDE.items():
        yield uri, (ROOT / path).read_text("utf-8")


def _relinked(markdown: str, origin: str, uri: str) -> str:
    """The links of a page: relative to where it lies in the repository; then relative to where the site has it."""

    def one(link: re.Match[str]) -> str:
        path, mark, heading = link[2].partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return link[0]
        there = os.path.normpath(Path(origin).parent / path)
        target = OUTSIDE.get(there) or (there.removeprefix("docs/") if there.startswith("docs/") else None)
        if target is None:  # code, which the site does not have
            return f"`{link[1]}`" if "`" not in link[1] else link[1]
        return f"[{link[1]}]({os.path.relpath(target, Path(uri).parent)}{mark}{heading})"

    return re.sub(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)", one, markdown)


def _parted(markdown: str) -> str:
    """With an empty line before each list and table, and four blanks where a list is within another."""
    lines: list[str] = []
    code = False
    for line in markdown.splitlines():
        before = lines[-1] if lines else ""
        code ^= line.startswith("```")
        if not code and before and not before.startswith(("#", "```")):
            starts = (re.match(r"([-*]|\d+\.) ", line), line.startswith("|"))
            goes_on = (re.match(r"([-*]|\d+\.) |  ", before), before.startswith("|"))
            if any(start and not on for start, on in zip(starts, goes_on, strict=True)):
                lines.append("")
        lines.append(line)
    return "\n".join(lines) + "\n"
