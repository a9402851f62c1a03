"""Object storage through pyarrow: how to reach it, and what its refusals mean.

S3, and what speaks its protocol, is reached as AWS's own tools reach it: ``AWS_ENDPOINT_URL_S3``, ``AWS_ENDPOINT_URL``,
``AWS_REGION``, ``AWS_DEFAULT_REGION`` and ``AWS_CA_BUNDLE`` are obeyed, and pyarrow finds the credentials (environment,
``AWS_PROFILE``, a role of the host). Azure's storage accounts are reached with what Azure's command line reads:
``AZURE_STORAGE_KEY``, ``AZURE_STORAGE_SAS_TOKEN`` or ``AZURE_STORAGE_CONNECTION_STRING``. An identity will not do:
where pyarrow looks for one and finds none, it ends the process.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass
from typing import Any

from anomscan.errors import AnomscanError, ConfigError, ServiceError, StoreError

_ATTEMPTS = 5
_CONNECT_S, _READ_S = 10, 60
_LONGEST = 300
_KEY = r"(?P<key>(?:/[^/?]+)*)"
_S3 = re.compile(rf"s3://(?P<container>[A-Za-z0-9._-]+){_KEY}")
_ABFS = re.compile(
    rf"abfss?://(?P<container>[a-z0-9$-]+)@(?P<account>[a-z0-9]+)\.(?:dfs|blob)(?P<domain>\.[a-z0-9.-]+){_KEY}"
)
_SAS = re.compile(r"\?[\w%&=.:+/~,-]*\bsig=[\w%=+/-]+[\w%&=.:+/~,-]*", re.ASCII)
_ENDPOINT = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#@\s]+)/?(?P<path>[^?#\s]*)")
_AWS = re.compile(r"AWS Error (\w+) during \w+ operation: (.*)", re.DOTALL)
_AZURE = re.compile(r"Azure Error: \[(\w*)\] (.*)", re.DOTALL)
_BAD_CREDENTIALS = frozenset(
    {
        "AuthenticationFailed",
        "EXPIRED_TOKEN",
        "INCOMPLETE_SIGNATURE",
        "INVALID_ACCESS_KEY_ID",
        "INVALID_CLIENT_TOKEN_ID",
        "INVALID_SIGNATURE",
        "INVALID_TOKEN",
        "REQUEST_EXPIRED",
        "SIGNATURE_DOES_NOT_MATCH",
        "UNRECOGNIZED_CLIENT",
    }
)
_DENIED = frozenset({"ACCESS_DENIED", "AuthorizationFailure", "AuthorizationPermissionMismatch"})


@dataclass(frozen=True, slots=True)
class AzureAccess:
    """How to reach a storage account of Azure.

    Parameters
    ----------
    account, key, sas
        The account's name, and its key or a shared access signature without its question mark; one of them is None.
    scheme, authority
        ``https`` and what follows the account's name; an emulator's host, which has the account in its paths.
    by_path
        Whether it is such an emulator.
    """

    account: str
    key: str | None
    sas: str | None
    scheme: str
    authority: str
    by_path: bool

    @property
    def blob_endpoint(self) -> str:
        """The address of the account's blobs."""
        if self.by_path:
            return f"{self.scheme}://{self.authority}/{self.account}"
        return f"{self.scheme}://{self.account}.blob{self.authority}"


def azure_access(url: str) -> tuple[str, AzureAccess]:
    """The container that an ``abfs://`` URL names, and how to reach its account.

    Raises
    ------
    ConfigError
        The environment has no key to the account, or an invalid one.
    """
    parts = check_url(url)
    return parts["container"], _azure_access(url, parts["account"], parts["domain"])


def check_url(url: str) -> re.Match[str]:
    """The parts of a URL.

    Raises
    ------
    ConfigError
        It is not understood. It is not repeated: what is out of place may be a secret.
    """
    match = _S3.fullmatch(url.rstrip("/")) or _ABFS.fullmatch(url.rstrip("/"))
    if match is None:
        raise ConfigError(
            "the store's path is a URL that anomscan does not understand",
            hint="write s3://BUCKET/PREFIX or abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX",
        )
    return match


def connect(url: str) -> tuple[str, Any]:
    """The container and key of a URL as pyarrow wants them, and their file system; makes no request.

    Raises
    ------
    ConfigError
        The URL or the environment is not understood, there is no key to an account, or pyarrow is too old.
    """
    parts = check_url(url)
    try:
        files = _s3() if parts.re is _S3 else _abfs(url, parts["account"], parts["domain"])
    except (ImportError, TypeError):
        raise ConfigError(f"this version of pyarrow cannot reach {url}", hint="upgrade pyarrow") from None
    return parts["container"] + parts["key"], files


def refusal(url: str, error: OSError) -> AnomscanError | FileNotFoundError | None:
    """An error of pyarrow as one line; None if it is about the content rather than the storage."""
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(url)
    match = _AWS.search(str(error)) or _AZURE.search(str(error))
    if match is None:
        return None
    code, said = match[1], _plain(match[2])
    if code == "NO_SUCH_BUCKET":
        return StoreError(f"{url}: there is no such bucket", hint="check its name")
    if code in _BAD_CREDENTIALS:
        return ServiceError(f"{url}: our credentials are not accepted ({code})", hint="renew them")
    if code in _DENIED:
        return ServiceError(
            f"{url}: access denied ({code})", hint="check the credentials and their permission to list and read"
        )
    if code in ("", "NETWORK_CONNECTION"):
        return ServiceError(f"{url} cannot be reached: {said}", hint="check the endpoint and the network")
    return ServiceError(f"{url}: {code}{f': {said}' if said else ''}")


def _s3() -> Any:
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or None
    options: dict[str, Any] = {}
    if endpoint is not None:
        match = _ENDPOINT.fullmatch(endpoint)
        if match is None or match["path"]:
            raise ConfigError("AWS_ENDPOINT_URL is not a valid address", hint="write it as https://HOST:PORT")
        options = {"scheme": match["scheme"], "endpoint_override": match["host"]}
        # Without one the library asks a service of Amazon's own network for it, which may not exist.
        region = region or "us-east-1"
    if bundle := os.environ.get("AWS_CA_BUNDLE"):
        options["tls_ca_file_path"] = bundle
    return S3FileSystem(
        region=region,
        connect_timeout=_CONNECT_S,
        request_timeout=_READ_S,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        **options,
    )


def _abfs(url: str, account: str, domain: str) -> Any:
    from pyarrow.fs import AzureFileSystem

    access = _azure_access(url, account, domain)
    options: dict[str, Any] = {"account_key": access.key} if access.key else {"sas_token": f"?{access.sas}"}
    for service in ("blob", "dfs"):
        authority = access.authority if access.by_path else f".{service}{access.authority}"
        options[f"{service}_storage_authority"] = authority
        options[f"{service}_storage_scheme"] = access.scheme
    return AzureFileSystem(account, **options)


def _azure_access(url: str, account: str, domain: str) -> AzureAccess:
    pairs, match = _connection_string(account)
    own = os.environ if os.environ.get("AZURE_STORAGE_ACCOUNT", account) == account else {}
    key = own.get("AZURE_STORAGE_KEY") or pairs.get("AccountKey")
    sas = own.get("AZURE_STORAGE_SAS_TOKEN") or pairs.get("SharedAccessSignature")
    if key:
        _check_key(key)
    elif sas:
        # An invalid one would become part of the address.
        if not _SAS.fullmatch(f"?{sas.removeprefix('?')}"):
            raise ConfigError("the shared access signature of the storage account is invalid", hint="copy it again")
    else:
        raise ConfigError(
            f"{url}: there is no key for the storage account",
            hint="set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING",
        )
    sas = sas.removeprefix("?") if sas and not key else None
    if match is not None and match["path"].rstrip("/") == account:  # as in emulators
        return AzureAccess(account, key, sas, match["scheme"], match["host"], by_path=True)
    return AzureAccess(account, key, sas, "https", domain, by_path=False)


def _connection_string(account: str) -> tuple[dict[str, str], re.Match[str] | None]:
    """The parts of the environment's connection string and its endpoint; nothing if it is for another account."""
    given = os.environ.get("AZURE_STORAGE_CONNECTION_STRING", "")
    pairs = dict(part.strip().split("=", 1) for part in given.split(";") if "=" in part)
    match = _ENDPOINT.fullmatch(pairs.get("BlobEndpoint", ""))
    named = pairs.get("AccountName") or (match["host"].partition(".")[0] if match else None)
    return (pairs, match) if named == account else ({}, None)


def _check_key(key: str) -> None:
    """Check a key, because an invalid one makes pyarrow end the process."""
    try:
        if len(base64.b64decode(key, validate=True)) > 0:
            return
    except (binascii.Error, ValueError):
        pass
    raise ConfigError("the key of the storage account is invalid", hint="copy it again")


def _plain(said: str) -> str:
    """The first line of a message, without request ids and without secrets that an address may contain."""
    said = (said.splitlines() or [""])[0]
    said = re.sub(r"\(Request ID: [^)]*\)|curlCode: \d+, |; Details:.*|No response body\.", "", said)
    said = re.sub(r"\?\S*", "", re.sub(r"//[^/\s]*@", "//***@", said))
    return said.strip(" .")[:_LONGEST]
