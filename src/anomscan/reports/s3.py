"""Objects in a bucket of S3, or of anything that speaks its protocol."""

from __future__ import annotations

import math
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomscan.errors import OutputError
from anomscan.retrying import Backoff, Clock, Deadline, GaveUpError, TransientError, persist
from anomscan.storage.aws import client, refusals
from anomscan.storage.durable import output_errors

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

#: The most one request can put; results are far smaller.
MAX_BYTES = 5 * 1024**3
_RUN = "anomscan-run"
_TRIES = 6
_BACKOFF = Backoff(0.25, 4.0)


class Bucket:
    """A bucket to publish to.

    Not overwriting is the server's business (``If-None-Match: *``): looking first and then writing would let two
    writers through.

    Parameters
    ----------
    name
        The bucket.
    clock
        For tests.

    Raises
    ------
    MissingExtraError
        Without boto3.
    """

    def __init__(self, name: str, *, clock: Clock | None = None) -> None:
        self._name = name
        self._clock = clock or Clock()
        self._run = secrets.token_hex(16)
        self._client: Any = client("s3", feature="publishing to s3://")

    def check(self, key: str) -> bool:
        """Whether the object exists, as far as we may see.

        Raises
        ------
        OutputError
            If there is no such bucket, no credentials, or no way there.
        """
        import botocore.exceptions as boto

        with refusals(f"s3://{self._name}", OutputError):
            try:
                self._client.head_object(Bucket=self._name, Key=key)
            except boto.ClientError as error:
                if _code(error) != "404":
                    return self._unseen(error)
            else:
                return True
            try:
                self._client.head_bucket(Bucket=self._name)
            except boto.ClientError as error:
                if _code(error) == "404":
                    raise self._no_bucket() from None
                return self._unseen(error)
        return False

    def put(self, key: str, file: Path, content_type: str, *, overwrite: bool) -> None:
        """Put a file.

        Raises
        ------
        OutputError
            If the object is there and ``overwrite`` is not wanted, or it cannot be written.
        """
        import botocore.exceptions as boto

        url = f"s3://{self._name}/{key}"
        wanted = {"Bucket": self._name, "Key": key, "ContentType": content_type, "Metadata": {_RUN: self._run}}
        if not overwrite:
            wanted["IfNoneMatch"] = "*"
        with output_errors(file), file.open("rb") as body, refusals(url, OutputError):
            size = file.stat().st_size
            if size > MAX_BYTES:
                raise OutputError(f"{url} would have {size:,} bytes, and one request can put {MAX_BYTES:,}")

            def attempt() -> None:
                body.seek(0)
                try:
                    self._client.put_object(**wanted, Body=body)
                except boto.ClientError as error:
                    if _code(error) == "NoSuchBucket":
                        raise self._no_bucket() from None
                    if _code(error) == "PreconditionFailed":
                        if self._is_ours(key):
                            return
                        raise there_already(url) from None
                    if _code(error) != "ConditionalRequestConflict":
                        raise
                    # Another writer is at it; it may yet fail.
                    raise TransientError(str(error), most_tries=_TRIES) from error

            forever = Deadline(self._clock, math.inf)
            try:
                persist(attempt, _BACKOFF, forever, self._clock, self._clock.sleep or time.sleep)
            except GaveUpError as gave_up:
                raise gave_up.last.__cause__ or gave_up from None

    def _is_ours(self, key: str) -> bool:
        """Whether this run wrote the object: a request whose response was lost is sent again."""
        import botocore.exceptions as boto

        try:
            there = self._client.head_object(Bucket=self._name, Key=key)
        except boto.ClientError:
            return False
        return bool(there.get("Metadata", {}).get(_RUN) == self._run)

    def _unseen(self, error: ClientError) -> bool:
        """Ignore a refusal to look, which permission to write need not include; raise any other."""
        if _code(error) != "403":
            raise error
        return False

    def _no_bucket(self) -> OutputError:
        return OutputError(f"there is no bucket '{self._name}'", hint="create it, or check its name")


def there_already(url: str) -> OutputError:
    """The refusal to overwrite."""
    return OutputError(f"{url} already exists", hint="name another place, or add --overwrite")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code"))
