"""Options that several commands share, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from anomscan.errors import ConfigError


def _text(assets: list[str] | None) -> list[str] | None:
    for asset in assets or []:
        try:
            asset.encode()
        except UnicodeEncodeError:
            raise ConfigError(f"--asset {asset!a} is not UTF-8 text", hint="ids are UTF-8 text") from None
    return assets


SourceOption = Annotated[
    str | None, typer.Option("--source", metavar="NAME", help="Source to use; by default the one in the settings.")
]
DetectorOption = Annotated[
    str | None, typer.Option("--detector", metavar="NAME", help="Detector to use; by default the one in the settings.")
]
AssetOption = Annotated[
    list[str] | None,
    typer.Option("--asset", metavar="ID", callback=_text, help="Asset; may be repeated."),
]
FromOption = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="D", help="First day (2017-01-31; of the source's time zone) or instant (2017-01-31T06:00Z)."
    ),
]
ToOption = Annotated[
    str | None, typer.Option("--to", metavar="D", help="Last day (of the source's time zone) or instant, inclusive.")
]
DaysOption = Annotated[
    int | None, typer.Option("--days", metavar="N", min=1, help="Only the last N days (of the source's time zone).")
]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of", metavar="D", help="Use only what had arrived by that day (of the source's time zone) or instant."
    ),
]
OutputOption = Annotated[
    str | None,
    typer.Option(
        "-o", "--output", metavar="FILE|-|URL", help="Where to write; - is standard output, s3:// and abfs:// publish."
    ),
]
FormatOption = Annotated[
    Literal["jsonl", "table"] | None,
    typer.Option("--format", help="By default a table on a terminal, else JSON lines."),
]
WorkersOption = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Default: the number of CPUs this process may use.")
]
DetectorsOption = Annotated[
    list[str] | None, typer.Option("--detector", metavar="NAME", help="Detector to try; may be repeated.")
]
ViewsOption = Annotated[
    list[str] | None,
    typer.Option("--view", metavar="own|peers", help="Compare with the own past, or with peers; may be repeated."),
]
CutoffsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--cutoff",
        metavar="RULE:LEVEL",
        help="Cut-off to try, such as threshold, mean-std:4, median-mad:6 or rank:1/1y; may be repeated.",
    ),
]
TrialsOption = Annotated[
    int, typer.Option(metavar="N", min=1, max=1000, help="How many made-up faults of each kind and size.")
]
SeedOption = Annotated[int, typer.Option(metavar="N", min=0, help="Another seed puts the made-up faults elsewhere.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace what is already published there.")]
ThroughOption = Annotated[
    str | None,
    typer.Option(
        "--through", metavar="D", help="Use only samples up to that day (of the source's time zone) or instant."
    ),
]
RecordOption = Annotated[
    Path | None, typer.Option("--record", metavar="FILE", help="sagemaker: keep the endpoint's responses in FILE.")
]
ReplayOption = Annotated[
    Path | None,
    typer.Option("--replay", metavar="FILE", help="sagemaker: use the responses in FILE, not the endpoint."),
]
