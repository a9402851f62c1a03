"""Object storage through pyarrow: how to reach it, and what it means when it refuses."""

from __future__ import annotations

import os
import re
from typing import Any

from anomscan.errors import AnomscanError, ConfigError, ServiceError, StoreError

_ATTEMPTS = 5
_CONNECT_S, _READ_S = 10, 60
_LONGEST = 300
_S3 = re.compile(r"s3://([A-Za-z0-9._-]+)((?:/[^/?]+)*)")
_AWS = re.compile(r"AWS Error (\w+) during \w+ operation: (.*)", re.DOTALL)
_BAD_CREDENTIALS = frozenset(
    {
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


def connect(url: str) -> tuple[str, Any]:
    """The container and key of a URL as pyarrow wants them, and the file system they are in; nothing is asked yet.

    ``AWS_ENDPOINT_URL_S3``, ``AWS_ENDPOINT_URL``, ``AWS_CA_BUNDLE``, ``AWS_REGION`` and ``AWS_DEFAULT_REGION`` are
    obeyed; credentials are found by pyarrow itself where AWS's other tools find them.

    Raises
    ------
    ConfigError
        The URL is not understood, or its query or user could be a secret; the endpoint is no URL.
    """
    match = _S3.fullmatch(url)
    if match is None:
        # It is not repeated: what is out of place may be a secret.
        raise ConfigError("the store's path is a URL that is not understood", hint="write s3://BUCKET/PREFIX")
    return match[1] + match[2], _s3()


def refusal(url: str, error: OSError) -> AnomscanError | FileNotFoundError | None:
    """What an error of pyarrow says, as one line; None where it is not the storage's but of what is stored."""
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(url)
    match = _AWS.search(str(error))
    if match is None:
        return None
    code, said = match[1], match[2]
    said = re.sub(r"\(Request ID: [^)]*\)|curlCode: \d+, |; Details:.*|No response body\.", "", said).strip(" .")
    if code == "NO_SUCH_BUCKET":
        return StoreError(f"{url}: there is no such bucket", hint="check its name")
    if code in _BAD_CREDENTIALS:
        return ServiceError(f"{url}: AWS does not accept our credentials ({code})", hint="renew them")
    if code == "ACCESS_DENIED":
        return ServiceError(f"{url}: access denied", hint="set AWS_PROFILE, or allow reading and listing to our role")
    if code == "NETWORK_CONNECTION":
        return ServiceError(f"{url} cannot be reached: {_plain(said)}", hint="check AWS_ENDPOINT_URL and the network")
    return ServiceError(f"{url}: {code}{f': {_plain(said)}' if said else ''}")


def _s3() -> Any:
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or None
    options: dict[str, Any] = {}
    if endpoint is not None:
        match = re.fullmatch(r"(https?)://([^/?#@\s]+)/?", endpoint)
        if match is None:
            raise ConfigError("AWS_ENDPOINT_URL is not understood", hint="write it as https://HOST:PORT")
        options = {"scheme": match[1], "endpoint_override": match[2]}
        # Else the library would look for it in a network that need not be there.
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


def _plain(said: str) -> str:
    """Without what an address may hold beside the host."""
    return re.sub(r"\?\S*", "", re.sub(r"//[^/\s]*@", "//***@", said))[:_LONGEST]
