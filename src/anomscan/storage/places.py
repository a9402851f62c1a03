"""Where a store is: in a folder, or on object storage, where it is only read.

Both kinds of place join names with ``/``, give their bytes by ``read_bytes`` and are text by ``str``; the functions
here do the rest. What is gone is a FileNotFoundError in both, for there may be a newer manifest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomscan.errors import AnomscanError, ServiceError, StoreError
from anomscan.storage.untrusted import check_regular, read_regular

if TYPE_CHECKING:
    import pyarrow as pa

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class ObjectPlace:
    """An object, or a common prefix of objects.

    Parameters
    ----------
    url
        What a person calls it.
    key
        The container and the key, as pyarrow wants them.
    files
        The file system of pyarrow.
    """

    url: str
    key: str
    files: Any = field(repr=False, compare=False)

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> ObjectPlace:
        return ObjectPlace(f"{self.url}/{name}", f"{self.key}/{name}", self.files)

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process connects with the credentials of its own environment: none travel.
        return place_of, (self.url,)

    def read_bytes(self) -> bytes:
        """The object's content.

        Raises
        ------
        FileNotFoundError
            The file is missing.
        ServiceError
            The storage cannot be reached, or refuses us.
        """
        try:
            with self.files.open_input_file(self.key) as file:
                return bytes(file.readall())
        except OSError as error:
            raise self.meaning(error) or error from None

    def open(self) -> pa.NativeFile:
        """Open the object; errors are pyarrow's own, for ``meaning``."""
        return self.files.open_input_file(self.key)

    def names(self, *, folders: bool) -> list[str]:
        """The names directly below it, of folders or of objects; none if there is nothing.

        Raises
        ------
        StoreError
            There is no such bucket.
        ServiceError
            The storage cannot be reached, or refuses us.
        """
        from pyarrow.fs import FileSelector, FileType

        from anomscan.storage.object_storage import refusal

        kind = FileType.Directory if folders else FileType.File
        try:
            return [entry.base_name for entry in self.files.get_file_info(FileSelector(self.key)) if entry.type == kind]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise refusal(self.url, error) or error from None

    def meaning(self, error: OSError) -> AnomscanError | FileNotFoundError | None:
        """The error to raise instead of an error of pyarrow on reading; None if it is not about the storage."""
        from pyarrow.fs import FileType

        from anomscan.storage.object_storage import refusal

        meaning = refusal(self.url, error)
        if isinstance(meaning, ServiceError):
            # A request for part of an object does not learn why it is refused.
            try:
                if self.files.get_file_info(self.key).type == FileType.NotFound:
                    return FileNotFoundError(self.url)
            except OSError as again:
                return refusal(self.url, again) or meaning
        return meaning


#: A folder or file of a store.
Place = Path | ObjectPlace


def is_url(text: str) -> bool:
    """Whether a store's path is a URL.

    >>> is_url("s3://telemetry/store"), is_url("data/store")
    (True, False)
    """
    return _URL.match(text) is not None


def place_of(path: str | PathLike[str] | ObjectPlace) -> Place:
    """The place of a path or URL.

    Raises
    ------
    ConfigError
        A URL that is not understood, or something is missing to connect with.
    """
    if isinstance(path, ObjectPlace) or not isinstance(path, str) or not is_url(path):
        return path if isinstance(path, ObjectPlace) else Path(path)
    from anomscan.storage.object_storage import connect

    url = path.rstrip("/")
    return ObjectPlace(url, *connect(url))


def folders_in(place: Place) -> list[str]:
    """The names of the folders in a folder; none if that does not exist.

    Raises
    ------
    StoreError
        It cannot be read.
    ServiceError
        The storage cannot be reached, or refuses us.
    """
    if isinstance(place, ObjectPlace):
        return place.names(folders=True)
    try:
        return [entry.name for entry in place.iterdir() if entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StoreError(f"{place} cannot be read: {error.strerror}") from None


def files_in(folder: Place) -> list[str]:
    """The names of the Parquet files in a folder; none if that does not exist."""
    if isinstance(folder, ObjectPlace):
        return folder.names(folders=False)
    return [entry.name for entry in folder.glob("*.parquet")]


def content_of(place: Place) -> bytes:
    """All of a file.

    Raises
    ------
    OSError, ServiceError
        As for ``ObjectPlace.read_bytes``; a local file must be one, not a pipe.
    """
    return read_regular(place) if isinstance(place, Path) else place.read_bytes()


def opened(place: Place) -> pa.NativeFile:
    """A file, open; an open local file can be read even after it has been removed."""
    if isinstance(place, ObjectPlace):
        return place.open()
    import pyarrow as pa

    check_regular(place)
    return pa.OSFile(str(place))


def local(place: Place) -> Path:
    """A place that can be written to.

    Raises
    ------
    StoreError
        It is on object storage, where no lock keeps two writers apart.
    """
    if isinstance(place, ObjectPlace):
        raise read_only(str(place))
    return place


def read_only(url: str) -> StoreError:
    """The refusal to write to object storage."""
    return StoreError(
        f"a store on object storage can only be read: {url}",
        hint="fetch into a local store and copy its folder there, each manifest.json last",
    )
