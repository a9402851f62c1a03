"""``anomscan-mvad serve``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from anomscan_mvad import __version__, app, limits, records, server
from anomscan_mvad.errors import StartError
from anomscan_mvad.fetching import Sources
from anomscan_mvad.hosts import AllowedHosts
from anomscan_mvad.service import Service
from anomscan_mvad.store import Store


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 0 after an orderly stop, 2 if it cannot start."""
    options = _parser().parse_args(arguments)
    try:
        return _serve(options)
    except StartError as error:
        print(f"anomscan-mvad: {error}", file=sys.stderr)
        return 2


def _serve(options: argparse.Namespace) -> int:
    keys = _keys(options.key_file)
    try:
        hosts = AllowedHosts.parse(options.allow_host)
    except ValueError as error:
        raise StartError(str(error)) from None
    folders = tuple(path.resolve() for path in options.allow_path)
    for folder in folders:
        if not folder.is_dir():
            raise StartError(f"--allow-path {folder} is not a folder")
    with server.listen(options.host, options.port, keys) as listener:
        store = Store(options.data, records.read_model, records.read_result)
        sources = Sources(hosts, (store.folder / "sources", *folders), options.max_source_mb * 1024 * 1024)
        service = Service(store, sources, options.stride)
        try:
            host, port = listener.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            print(f"anomscan-mvad {__version__} listens on http://{shown}:{port}", file=sys.stderr, flush=True)
            for line in store.left_out:
                print(f"anomscan-mvad: {line}", file=sys.stderr, flush=True)
            server.run(app.build(service, keys), listener, verbose=options.verbose)
        finally:
            service.close()
    return 0


def _keys(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        keys = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"--key-file {path}: {getattr(error, 'strerror', 'not a text file')}") from None
    if not keys or min(len(key) for key in keys) < 16:
        raise StartError(f"--key-file {path}: write a key of at least 16 characters into it, one a line")
    return keys


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="anomscan-mvad", description="Azure Anomaly Detector's multivariate API, here."
    )
    parser.add_argument("--version", action="version", version=__version__)
    serve = parser.add_subparsers(required=True, metavar="COMMAND").add_parser("serve", help="start the server")
    serve.add_argument("--host", default="127.0.0.1", help="another than loopback needs --key-file")
    serve.add_argument("--port", type=int, default=5000, help="0 takes a free one (default: 5000)")
    serve.add_argument(
        "--data", type=Path, default=Path("anomscan-mvad-data"), help="where models and results are kept"
    )
    serve.add_argument("--key-file", type=Path, help="keys that clients must send, one a line")
    serve.add_argument(
        "--allow-host", action="append", default=[], metavar="HOST[:PORT]",
        help="read data from this host too; Azure's blob endpoints are always allowed",
    )  # fmt: skip
    serve.add_argument(
        "--allow-path", action="append", default=[], type=Path, metavar="DIR",
        help="read data from below this folder too; DATA/sources is always allowed",
    )  # fmt: skip
    serve.add_argument(
        "--max-source-mb", type=_positive, default=limits.MAX_SOURCE_BYTES // 1024**2, metavar="MB",
        help="the most that a data source may be, packed or unpacked (default: %(default)s)",
    )  # fmt: skip
    serve.add_argument(
        "--stride", type=_positive, default=0, metavar="ROWS",
        help="rows between training windows; 1 is nearest to the hosted service (default: 1 up to 3,000 rows)",
    )  # fmt: skip
    serve.add_argument("-v", "--verbose", action="store_true", help="log each request")
    return parser
