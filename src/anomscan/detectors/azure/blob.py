"""Where the service finds our data: a blob of a unique name, or a file of this machine; removed in every case."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from anomscan.config import AzureDetector as AzureSettings
from anomscan.detectors.azure.data import Layout, Table, files, write
from anomscan.errors import ConfigError, MissingExtraError, ServiceError
from anomscan.storage.scratch import scratch_folder

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient, ContainerClient

_FOLDER = "anomscan"
_FEATURE = "the storage account"
_CHECK = "check storage_connection_string"

#: Told at once, in words, of what could not be removed: it holds whatever becomes of the run.
Warn = Callable[[str], None]


class Staging(Protocol):
    """Puts data where the service can read it."""

    @contextmanager
    def placed(self, table: Table, layout: Layout) -> Iterator[str]:
        """Have a table lie there for the length of the block.

        Returns
        -------
        What to tell the service as ``dataSource``. It may hold a signature: a secret.

        Raises
        ------
        ServiceError
            If it cannot be put there.
        OutputError
            If the disk is full.
        """


def staging_of(settings: AzureSettings, warn: Warn, *, near: bool) -> Staging:
    """The staging area that the settings describe.

    Parameters
    ----------
    warn
        Called with a sentence on what could not be removed, from any thread.
    near
        Whether the service runs on this machine.

    Raises
    ------
    ConfigError
        If there is no folder, or it cannot be used.
    MissingExtraError
        Without the storage package.
    """
    if settings.storage_connection_string is not None:
        return BlobStaging(settings, settings.storage_connection_string.get_secret_value(), warn)
    if near:
        return FolderStaging(settings.data_folder, warn)
    raise ConfigError(
        f"the service at {settings.endpoint} reads its data from a storage account, and none is set",
        hint="set storage_connection_string in the detector's settings or the environment",
    )


class FolderStaging:
    """Files of this machine, for a service that runs on it.

    Parameters
    ----------
    folder
        Where to make a folder for each call; by default that of temporary files.
    warn
        As of :func:`staging_of`.
    """

    def __init__(self, folder: Path | None, warn: Warn) -> None:
        self._folder = folder
        self._warn = warn

    @contextmanager
    def placed(self, table: Table, layout: Layout) -> Iterator[str]:
        """See :meth:`Staging.placed`: an absolute path."""
        with scratch_folder(self._folder, warn=self._warn) as scratch:
            yield str(write(table, scratch.path, layout).resolve())


class BlobStaging:
    """Blobs of a storage account.

    Parameters
    ----------
    settings
        Container, and how the service is let in: by a SAS of the one blob that can only read and soon expires, or by
        its own managed identity.
    connection_string
        Of the account.
    warn
        As of :func:`staging_of`.

    Raises
    ------
    ConfigError
        If the connection string is invalid, or cannot sign.
    """

    def __init__(self, settings: AzureSettings, connection_string: str, warn: Warn) -> None:
        try:
            from azure.storage.blob import BlobServiceClient, ExponentialRetry
        except ImportError:
            raise MissingExtraError(_FEATURE, "azure") from None
        self._settings = settings
        self._warn = warn
        try:
            self._service: BlobServiceClient = BlobServiceClient.from_connection_string(
                connection_string,
                retry_policy=ExponentialRetry(
                    initial_backoff=0, increment_base=1, retry_total=2, random_jitter_range=0
                ),
                connection_timeout=settings.connect_timeout_s,
                read_timeout=settings.read_timeout_s,
            )
        except ValueError:  # its text may hold the string
            raise ConfigError(
                "storage_connection_string is not a connection string",
                hint="copy it whole from the storage account's access keys",
            ) from None
        self._key = getattr(self._service.credential, "account_key", None)
        if settings.access == "sas" and self._key is None:
            raise ConfigError(
                "storage_connection_string has no AccountKey, so no SAS can be signed with it",
                hint='use one with the key, or let the service in by access = "managed-identity"',
            )

    @contextmanager
    def placed(self, table: Table, layout: Layout) -> Iterator[str]:
        """See :meth:`Staging.placed`: the URL of a blob, or of the folder of some."""
        if layout == "folder" and self._settings.access == "sas":
            raise ConfigError(
                "a SAS opens one blob, not a folder of them",
                hint='set data_schema = "table" or "zip", or access = "managed-identity"',
            )
        from azure.core.exceptions import HttpResponseError

        prefix = f"{_FOLDER}/{uuid.uuid4().hex}"
        container = self._service.get_container_client(self._settings.container)
        begun: list[str] = []
        try:
            with scratch_folder(warn=self._warn) as scratch:
                path = write(table, scratch.path, layout)
                for file in files(path):
                    name = f"{prefix}{file.suffix}" if file == path else f"{prefix}/{file.name}"
                    begun.append(name)
                    with _refusals("uploading the data"):
                        try:
                            _upload(container, name, file)
                        except HttpResponseError as error:
                            if error.status_code is not None and error.status_code < 500:
                                begun.remove(name)  # nothing lies there
                            raise
            yield self._address(container, prefix if layout == "folder" else begun[0])
        finally:
            _remove(container, begun, self._warn)

    def _address(self, container: ContainerClient, name: str) -> str:
        url = f"{container.url}/{quote(name)}"
        if self._settings.access == "managed-identity":
            return url
        from azure.storage.blob import BlobSasPermissions, generate_blob_sas

        sas = generate_blob_sas(
            account_name=str(self._service.account_name),
            container_name=self._settings.container,
            blob_name=name,
            account_key=self._key,
            permission=BlobSasPermissions(read=True),
            expiry=datetime.now(UTC) + timedelta(seconds=self._settings.sas_lifetime_s),
            protocol="https" if url.startswith("https:") else None,
        )
        return f"{url}?{sas}"


def _upload(container: ContainerClient, name: str, file: Path) -> None:
    from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

    with file.open("rb") as content:
        try:
            container.upload_blob(name, content, overwrite=True)
        except ResourceNotFoundError:
            with suppress(ResourceExistsError):  # someone else has just made it
                container.create_container()
            content.seek(0)
            container.upload_blob(name, content, overwrite=True)


def _remove(container: ContainerClient, names: list[str], warn: Warn) -> None:
    from azure.core.exceptions import ResourceNotFoundError

    for place, name in enumerate(names):
        try:
            with _refusals("removing it"), suppress(ResourceNotFoundError):
                container.delete_blob(name)
        except ServiceError as error:
            warn(f"the blob {name} may be left in the container {container.container_name}: {error.message}")
        except BaseException:  # interrupted once more
            warn(f"blobs may be left in the container {container.container_name}: {', '.join(names[place:])}")
            raise


@contextmanager
def _refusals(what: str) -> Iterator[None]:
    """What the storage package raises, as one line without what it quotes: its texts may hold a signature."""
    from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError

    try:
        yield
    except HttpResponseError as error:
        code: Any = getattr(error, "error_code", None)
        reason = " ".join(str(part) for part in (error.status_code, getattr(code, "value", code)) if part)
        raise ServiceError(f"{what}: the storage account refuses ({reason})", hint=_CHECK) from None
    except ServiceRequestError:
        raise ServiceError(f"{what}: the storage account cannot be reached", hint=_CHECK) from None
    except AzureError as error:
        raise ServiceError(f"{what}: the storage account failed ({type(error).__name__})", hint=_CHECK) from None
