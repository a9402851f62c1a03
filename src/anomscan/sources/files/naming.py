"""The asset of each file, where no column holds it: what differs among the files' paths."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from anomscan.errors import InputError
from anomscan.tables.opening import unpacked_name

#: A folder as Hive and many exports name it: the name of a column, and its value in all files below.
_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.+)")
_OTHERWISE = "set columns.asset, or choose a path in which only the asset's part differs"


def has_key(path: Path, name: str) -> bool:
    """Whether a folder of a path below the source's says the value of a column, as ``column=value``.

    >>> has_key(Path("asset_id=A/year=2024/part-0.parquet"), "asset_id")
    True
    """
    return name in _keys(path)


def asset_ids(paths: Sequence[Path], base: Path, key: str | None = None) -> list[str]:
    """The asset id of each file.

    It is the file's name without its extensions. If these are alike for several files, it is the one part of their
    paths that differs: a folder, of which ``column=value`` stands for the value.

    Parameters
    ----------
    paths
        Of the files.
    base
        The folder that holds them all; its own name says nothing.
    key
        The column whose value is the id, where folders are called so and several say something.

    Examples
    --------
    >>> asset_ids([Path("d/A.csv"), Path("d/B.csv.gz")], Path("d"))
    ['A', 'B']
    >>> asset_ids([Path("d/A/x.csv"), Path("d/B/x.csv")], Path("d"))
    ['A', 'B']
    >>> asset_ids([Path("d/asset_id=A/part-0.parquet"), Path("d/asset_id=A/part-1.parquet")], Path("d"))
    ['A', 'A']

    Raises
    ------
    InputError
        If files would become one asset although more than one part differs; a name that is not UTF-8 text.
    """
    stems = [_stem(path) for path in paths]
    below = [path.relative_to(base) for path in paths]
    keyed = [_keys(path) for path in below]
    if all(keyed):
        return [_by_key(path, keys, key) for path, keys in zip(paths, keyed, strict=True)]
    if len(set(stems)) == len(stems):
        return stems
    parts = [(*path.parts[:-1], stem) for path, stem in zip(below, stems, strict=True)]
    if len({len(each) for each in parts}) == 1:
        differing = [place for place, each in enumerate(zip(*parts, strict=True)) if len(set(each)) > 1]
        ids = [each[differing[0]] for each in parts] if len(differing) == 1 else stems
        if len(set(ids)) == len(ids):
            return ids
    name, _ = Counter(stems).most_common(1)[0]
    first, second, *_ = (path for path, stem in zip(paths, stems, strict=True) if stem == name)
    raise InputError(f"{first} and {second} would both be asset '{name}'", hint=_OTHERWISE)


def _keys(path: Path) -> dict[str, str]:
    found = (_KEY.fullmatch(part) for part in path.parts[:-1])
    return {each[1]: each[2] for each in found if each}


def _by_key(path: Path, keys: dict[str, str], chosen: str | None) -> str:
    """The value of the chosen key, of the only one, or of the one whose name says asset."""
    if chosen is not None:
        keys = {chosen: keys[chosen]}
    named = {key: value for key, value in keys.items() if "asset" in key.lower()} if len(keys) > 1 else keys
    if len(named) != 1:
        raise InputError(
            f"which of {', '.join(keys)} is the asset, in {path}?", hint=f'set columns.asset = "{next(iter(keys))}"'
        )
    return unquote(next(iter(named.values())))  # as Hive writes what a folder cannot be called


def is_text(path: Path, base: Path) -> bool:
    """Whether the name of a file in a folder is UTF-8 text, as an id is."""
    try:
        str(path.relative_to(base)).encode()
    except UnicodeEncodeError:
        return False
    return True


def escaped(path: Path) -> str:
    r"""A name for a file whose own is not text.

    >>> escaped(Path("site\udcff.csv"))
    'site\\xff.csv'
    """
    return os.fsencode(path.name).decode("utf-8", "backslashreplace")


def _stem(path: Path) -> str:
    """The name without its extension, and without what says how it is packed.

    >>> _stem(Path("site.7.csv.gz")), _stem(Path("T1.txt"))
    ('site.7', 'T1')
    """
    name = unpacked_name(path)
    stem = Path(name).stem or name
    try:
        stem.encode()
    except UnicodeEncodeError:
        raise nameless(path) from None
    return stem


def nameless(path: Path) -> InputError:
    """What is wrong with a file whose name is not text."""
    return InputError(
        f"the file name '{escaped(path)}' is not UTF-8 text, so it cannot give an asset id", hint="rename the file"
    )
