"""Where a run may write: not over what it reads, and by names that a file can have."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from anomscan.config import FilesSource, Loaded, Settings, files_named
from anomscan.errors import ConfigError, InputError, OutputError
from anomscan.storage.durable import file_mode, output_errors, replace_file

#: Of a file's name, in bytes, where the system does not say.
_NAME_MAX = 255
_REJECTS = re.compile(r"\.rejects(-\d{4})?\.jsonl$")


def local_path(output: str | Path) -> Path:
    """The path of a local output. A link is resolved once, so that all that a run writes lies together.

    Raises
    ------
    OutputError
        It cannot be looked at.
    """
    path = Path(output)
    with output_errors(path):
        mode = file_mode(path)
        if path.is_symlink() and (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return Path(os.path.realpath(path))
    return path


def check_names(option: str, writes: Iterable[Path]) -> None:
    """Refuse an output before the work if a file to be written cannot be called as it would be.

    Parameters
    ----------
    option
        What a user named it by.
    writes
        All that will be written.

    Raises
    ------
    ConfigError
        A name is too long.
    """
    for path in writes:
        length, most = len(os.fsencode(path.name)), _longest_name(path.parent)
        if length > most:
            raise ConfigError(
                f"{option}: the name of {path.name} has {length} bytes, and no file's has more than {most}",
                hint="choose a shorter one",
            )


def refuse_inputs(option: str, writes: Sequence[Path], settings: Settings, reads: Iterable[tuple[str, Path]]) -> None:
    """Refuse an output before the work if it would take the place of something that is read.

    Parameters
    ----------
    option
        What a user named it by.
    writes
        All files and folders that will be written.
    settings
        Of the run: the store, the ledger, and the files of its sources.
    reads
        What else is read: what each file is, and its path.

    Raises
    ------
    ConfigError
        It would.
    """
    named = {os.path.realpath(path): what for what, path in (*reads, *_ledger_files(settings))}
    if any(path.is_file() for path in writes):
        named |= {os.path.realpath(path): what for what, path in _source_files(settings)}
    known = {(found.st_dev, found.st_ino): what for path, what in named.items() if (found := _file(Path(path)))}
    for path in writes:
        found = _file(path)
        what = named.get(os.path.realpath(path)) or (known.get((found.st_dev, found.st_ino)) if found else None)
        if what is not None and not path.is_dir():
            raise ConfigError(f"{option} would overwrite {path}, which is {what}", hint="name another file")
        if _is_in_store(path, settings):
            raise ConfigError(
                f"{option} would write {path} into the telemetry store {settings.store.path}",
                hint="name a place outside it",
            )


def file_of(output: str | None, form: str | None) -> str | None:
    """What ``-o`` names beside standard output, which holds JSON lines; None where it names nothing else.

    Raises
    ------
    ConfigError
        If a table is asked for in it.
    """
    if output in (None, "-"):
        return None
    if form == "table":
        raise ConfigError("a table goes to the terminal, a file holds JSON lines", hint="leave out -o or --format")
    return output


def check_text_outputs(
    settings: Settings, outputs: Mapping[str, str | Path | None], reads: Iterable[tuple[str, Path]]
) -> None:
    """Refuse files to be written at a command's end, by option, if they cannot be or would replace what is read.

    Raises
    ------
    ConfigError, OutputError
        One cannot be written.
    """
    writes = {option: local_path(path) for option, path in outputs.items() if path is not None}
    for option, path in writes.items():
        if "://" in str(outputs[option]):
            raise ConfigError(f"{option} names a local file here", hint="write it, then copy it")
        if not path.parent.is_dir():
            raise OutputError(f"{path} cannot be written: there is no folder {path.parent}")
        if path.is_dir():
            raise OutputError(f"{path} cannot be written: it is a folder", hint="name a file in it")
        check_names(option, [path])
        refuse_inputs(option, [path], settings, reads)
    if len(set(writes.values())) < len(writes):
        raise ConfigError(f"{' and '.join(writes)} name the same file", hint="name two")


def write_text(path: str | Path, text: str) -> None:
    """Write a whole file of UTF-8 text, or nothing.

    Raises
    ------
    OutputError
        It cannot be written; the old file stays.
    """
    with replace_file(local_path(path)) as out:
        out.write(text.encode())


def refuse_model_path(loaded: Loaded, detector: str) -> None:
    """Refuse to train a detector if its model would take the place of something that is read, or cannot be called so.

    Raises
    ------
    ConfigError
        It would.
    """
    model = getattr(loaded.settings.detectors[detector], "model", None)
    if isinstance(model, Path):
        own = f"what [detectors.{detector}] model names"
        option = f"[detectors.{detector}] model"
        check_names(option, [model])
        refuse_inputs(
            option, [model], loaded.settings, [(what, path) for what, path in files_named(loaded) if what != own]
        )


def _source_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    from anomscan.sources.files.source import paths_of

    for name, source in settings.sources.items():
        if isinstance(source, FilesSource):
            try:
                found = paths_of(source)
            except (InputError, OSError):  # nothing is there, or nothing that can be read
                continue
            yield from ((f"a file of source '{name}'", path) for path in found)


def _ledger_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    folder = settings.incidents.path
    for path in (folder / "ledger.jsonl", *folder.glob("archive/*.jsonl")):
        yield "the ledger of incidents", path


def _is_in_store(path: Path, settings: Settings) -> bool:
    """Whether it is the store's folder, lies in that of a source, or is a file of rejects."""
    from anomscan.store.manifest import MANIFEST

    if not isinstance(settings.store.path, Path):
        return False
    store, real = Path(os.path.realpath(settings.store.path)), Path(os.path.realpath(path))
    if not real.is_relative_to(store) or not store.is_dir():
        return False
    parts = real.relative_to(store).parts
    return not parts or (store / parts[0] / MANIFEST).is_file() or bool(_REJECTS.search(parts[-1]))


def _file(path: Path) -> os.stat_result | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _longest_name(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError):
        return _NAME_MAX
