"""What ``-o`` means: standard output, a local file, or a place to publish to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from anomscan.errors import ConfigError


def is_remote(output: str) -> bool:
    """Whether an output is in an object store rather than a local file.

    >>> is_remote("s3://bucket/results.jsonl"), is_remote("results.jsonl"), is_remote("-")
    (True, False, False)
    """
    return "://" in output


@contextmanager
def output_file(
    output: str | None,
    main: str,
    say: Callable[[str], None],
    *,
    overwrite: bool,
    folder: bool = False,
    latest: bool = False,
) -> Iterator[Path | None]:
    """The path to write to.

    Parameters
    ----------
    output
        As given on the command line.
    main
        The name of the file, where ``output`` is a folder or a URL that names none.
    say
        Told where the files were published.
    overwrite
        Whether objects at a URL may be overwritten; a local file always is.
    folder
        Whether ``output`` is a folder.
    latest
        Whether a page in ``latest/``, beside the folder at a URL, shall lead there.

    Yields
    ------
    The file to write, None for standard output. A URL gives a temporary one, which is published with all that lies
    beside it when the block ends well.

    Raises
    ------
    ConfigError
        A URL that nothing can be published to; ``latest`` without a URL of a folder.
    OutputError
        If it cannot be published.
    """
    if latest and not (folder and output is not None and is_remote(output)):
        raise ConfigError("--latest is for pages that are published", hint="name s3://... or abfs://... with -o")
    if output is None or output == "-":
        yield None
        return
    if is_remote(output):
        from anomscan.reports.publish import parse_target, staged

        with staged(parse_target(output, main, folder=folder), overwrite=overwrite, say=say, latest=latest) as path:
            yield path
        return
    yield Path(output) / main if folder else Path(output)
