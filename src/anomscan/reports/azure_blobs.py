"""Blobs in a container of Azure storage."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anomscan.errors import MissingExtraError, OutputError
from anomscan.reports.s3 import there_already
from anomscan.storage.durable import output_errors
from anomscan.storage.object_storage import azure_access

_RUN = "anomscan_run"
_RETRIES = 4
_CONNECT_S, _READ_S = 10, 60


class Container:
    """A container to publish to.

    Not overwriting is the server's business (``If-None-Match: *``): looking first and then writing would let two
    writers through.

    Parameters
    ----------
    place
        ``CONTAINER@ACCOUNT.dfs.core.windows.net``.

    Raises
    ------
    ConfigError
        If the place is not understood, or the environment has no key to the account.
    MissingExtraError
        Without the storage package.
    """

    def __init__(self, place: str) -> None:
        try:
            from azure.storage.blob import ContainerClient, ExponentialRetry
        except ImportError:
            raise MissingExtraError("publishing to abfs://", "azure") from None
        self._url = f"abfs://{place}"
        self._name, access = azure_access(self._url)
        self._run = secrets.token_hex(16)
        self._client = ContainerClient(
            access.blob_endpoint,
            self._name,
            credential={"account_name": access.account, "account_key": access.key} if access.key else access.sas,
            retry_policy=ExponentialRetry(initial_backoff=1, increment_base=2, retry_total=_RETRIES),
            connection_timeout=_CONNECT_S,
            read_timeout=_READ_S,
        )

    def check(self, key: str) -> bool:
        """Whether the blob exists, as far as we may see.

        Raises
        ------
        OutputError
            If there is no such container, or no way there.
        """
        from azure.core.exceptions import HttpResponseError

        with self._refusals(self._url):
            try:
                self._client.get_blob_client(key).get_blob_properties()
            except HttpResponseError as error:
                if error.status_code == 404 and _code(error) != "ContainerNotFound":
                    return False
                if error.status_code == 403 and _code(error) != "AuthenticationFailed":
                    return False  # permission to write need not include reading
                raise
            return True

    def put(self, key: str, file: Path, content_type: str, *, overwrite: bool) -> None:
        """Put a file.

        Raises
        ------
        OutputError
            If the blob is there and ``overwrite`` is not wanted, or it cannot be written.
        """
        from azure.core.exceptions import ResourceExistsError
        from azure.storage.blob import ContentSettings

        url = f"{self._url}/{key}"
        blob = self._client.get_blob_client(key)
        settings = ContentSettings(content_type=content_type)
        with output_errors(file), file.open("rb") as body, self._refusals(url):
            try:
                blob.upload_blob(body, overwrite=overwrite, content_settings=settings, metadata={_RUN: self._run})
            except ResourceExistsError:
                # A request whose response was lost is sent again.
                if blob.get_blob_properties().metadata.get(_RUN) != self._run:
                    raise there_already(url) from None

    @contextmanager
    def _refusals(self, thing: str) -> Iterator[None]:
        """Turn the storage package's errors into one line without their texts, which may contain a signature."""
        from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError

        try:
            yield
        except HttpResponseError as error:
            if _code(error) == "ContainerNotFound":
                raise OutputError(
                    f"there is no container '{self._name}'", hint="create it, or check its name"
                ) from None
            reason = " ".join(str(part) for part in (error.status_code, _code(error)) if part)
            raise OutputError(
                f"{thing}: the storage account refuses ({reason})", hint="check its key and what that permits"
            ) from None
        except ServiceRequestError:
            raise OutputError(f"{thing}: the storage account cannot be reached", hint="check its name") from None
        except AzureError as error:
            raise OutputError(f"{thing}: the storage account failed ({type(error).__name__})") from None


def _code(error: Any) -> str | None:
    code = getattr(error, "error_code", None)
    return getattr(code, "value", code)
