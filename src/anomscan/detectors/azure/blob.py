"""Staging of data for the service: as a uniquely named blob or a local file, always removed afterwards."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from anomscan.config import AzureSettings
from anomscan.detectors.azure.data import DataSchema, Table, files, write
from anomscan.errors import ConfigError, MissingExtraError, ServiceError
from anomscan.storage.scratch import scratch_folder

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient, ContainerClient

_FOLDER = "anomscan"
_FEATURE = "the storage account"
_CHECK = "check storage_connection_string"

#: Called at once with a sentence about what could not be removed, however the run ends.
Warn = Callable[[str], None]


class Staging(Protocol):
    """Puts data where the service can read it."""

    @contextmanager
    def placed(self, table: Table, data_schema: DataSchema) -> Iterator[str]:
        """Stage a table for the duration of the block.

        Returns
        -------
        The ``dataSource`` to give the service. It may contain a signature, which is a secret.

        Raises
        ------
        ServiceError
            If the table cannot be uploaded.
        OutputError
            If a local file cannot be written.
        """


def staging_of(settings: AzureSettings, warn: Warn, *, near: bool) -> Staging:
    """The staging area that the settings describe.

    Parameters
    ----------
    warn
        Called, from any thread, with a sentence about what could not be removed.
    near
        Whether the service runs on this machine.

    Raises
    ------
    ConfigError
        If a remote service has no storage account set, or the connection string cannot be used.
    MissingExtraError
        If the storage package is not installed.
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
    """Stages local files, for a service that runs on this machine.

    Parameters
    ----------
    folder
        Parent of the folder made for each call; the system's temporary folder by default.
    warn
        See :func:`staging_of`.
    """

    def __init__(self, folder: Path | None, warn: Warn) -> None:
        self._folder = folder
        self._warn = warn

    @contextmanager
    def placed(self, table: Table, data_schema: DataSchema) -> Iterator[str]:
        """See :meth:`Staging.placed`; gives an absolute path."""
        with scratch_folder(self._folder, warn=self._warn) as scratch:
            yield str(write(table, scratch.path, data_schema).resolve())


class BlobStaging:
    """Stages blobs in a storage account.

    Parameters
    ----------
    settings
        The container, and how the service gets access: with a short-lived, read-only SAS for a single blob, or with
        its own managed identity.
    connection_string
        The account's.
    warn
        See :func:`staging_of`.

    Raises
    ------
    ConfigError
        If the connection string is invalid, or has no key to sign a SAS with.
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
        except ValueError:  # its text may contain the string
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
    def placed(self, table: Table, data_schema: DataSchema) -> Iterator[str]:
        """See :meth:`Staging.placed`; gives the URL of a blob or of a folder of blobs."""
        if data_schema == "folder" and self._settings.access == "sas":
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
                path = write(table, scratch.path, data_schema)
                for file in files(path):
                    name = f"{prefix}{file.suffix}" if file == path else f"{prefix}/{file.name}"
                    begun.append(name)
                    with _refusals("uploading the data"):
                        try:
                            _upload(container, name, file)
                        except HttpResponseError as error:
                            if error.status_code is not None and error.status_code < 500:
                                begun.remove(name)  # nothing was stored
                            raise
            yield self._address(container, prefix if data_schema == "folder" else begun[0])
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
            with suppress(ResourceExistsError):  # somebody else has just created it
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
        except BaseException:  # interrupted again
            warn(f"blobs may be left in the container {container.container_name}: {', '.join(names[place:])}")
            raise


@contextmanager
def _refusals(what: str) -> Iterator[None]:
    """Turn the storage package's errors into one line without their texts, which may contain a signature."""
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
