"""Secrets that stand elsewhere: ``env:NAME``, ``file:PATH``, ``aws-secretsmanager://NAME?region=REGION``.

A setting that holds a secret may hold such a reference in its place. ``#field`` at the end of one picks a field of a
secret that is JSON. What a secret says never enters a message, and what a library said of it is not chained to one.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, unquote

from pydantic import SecretStr

from anomscan.config import is_reference
from anomscan.errors import ConfigError, MissingExtraError, ServiceError
from anomscan.storage.aws import in_words, lacks_credentials, region_of

_AWS = "aws-secretsmanager://"
_DENIED = ("AccessDeniedException", "DecryptionFailure", "UnrecognizedClientException")
_MOST_BYTES = 1 << 20


def resolve(reference: SecretStr) -> SecretStr:
    """The secret a setting means: what the reference points at, or the setting itself if it is not a reference.

    Raises
    ------
    ConfigError
        A variable or file that is not there, an invalid reference, a field the secret lacks.
    MissingExtraError
        A secret of AWS without the extra ``aws``.
    ServiceError
        AWS Secrets Manager cannot be reached, or refuses us.
    """
    text = reference.get_secret_value()
    if not is_reference(text):
        return reference
    place, _, field = text.partition("#")
    if not field:
        return SecretStr(_text(_read(place), place))
    value = _fields(_read(place), place).get(field)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"the secret {_shown(place)} has no text in its field '{field}'")
    return SecretStr(value)


def document(reference: str) -> Mapping[str, object]:
    """The fields of a secret that is JSON, or JSON in base64.

    Raises
    ------
    ConfigError
        As :func:`resolve`; also if the secret is not a JSON object.
    MissingExtraError, ServiceError
        As :func:`resolve`.
    """
    return _fields(_read(reference), reference)


def _read(place: str) -> bytes:
    if place.startswith(_AWS):
        return _from_aws(place)
    kind, _, rest = place.partition(":")
    if kind == "env":
        value = os.environ.get(rest)
        if not value:
            raise ConfigError(f"the environment variable '{rest}' is not set", hint="export it, or put it into .env")
        return value.encode()
    path = Path(rest).expanduser()
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"the secret file {path} cannot be read: {error.strerror}") from None
    if not content.strip() or len(content) > _MOST_BYTES:
        raise ConfigError(f"the secret file {path} is {'too large' if content.strip() else 'empty'}")
    return content


def _from_aws(place: str) -> bytes:
    try:
        import boto3
        import botocore.exceptions as refusals
    except ImportError:
        raise MissingExtraError("AWS Secrets Manager", "aws") from None

    path, _, query = place.removeprefix(_AWS).partition("?")
    name, options = unquote(path), parse_qs(query)
    if not name or set(options) - {"region", "stage"}:
        raise ConfigError(
            f"the secret {_shown(place)} is not understood", hint=f"write {_AWS}NAME-OR-ARN?region=us-east-1"
        )
    region = options.get("region", [None])[0] or (name.split(":")[3] if name.startswith("arn:aws") else None)
    asked = {"SecretId": name} | ({"VersionStage": options["stage"][0]} if "stage" in options else {})
    thing = f"AWS Secrets Manager: the secret '{name}'"
    try:
        client = boto3.session.Session().client("secretsmanager", region_name=region_of(region))
        answer = client.get_secret_value(**asked)
    except refusals.NoRegionError:
        raise ConfigError(f"{thing} has no region", hint="add ?region=us-east-1, or set AWS_REGION") from None
    except refusals.ClientError as error:
        raise _refused(thing, error.response.get("Error", {}).get("Code", "unknown")) from None
    except refusals.BotoCoreError as error:
        if lacks_credentials(error):
            raise ServiceError(
                f"{thing} cannot be asked for: there are no credentials ({type(error).__name__})",
                hint="set AWS_PROFILE, or give this host a role",
            ) from None
        raise ServiceError(f"{thing} cannot be asked for: {in_words(error)}") from None
    if "SecretString" in answer:
        return str(answer["SecretString"]).encode()
    return bytes(answer["SecretBinary"])


def _refused(thing: str, code: str) -> ServiceError:
    if code == "ResourceNotFoundException":
        return ServiceError(f"{thing} was not found", hint="check its name and its region")
    if code in ("InvalidRequestException", "InvalidParameterException"):
        return ServiceError(f"{thing} cannot be returned: {code}", hint="is it marked for deletion, or without value?")
    if code in _DENIED or "Token" in code or "Signature" in code:
        return ServiceError(
            f"{thing} is denied to us: {code}", hint="allow secretsmanager:GetSecretValue, and kms:Decrypt of its key"
        )
    return ServiceError(f"{thing} cannot be read: {code}")


def _text(content: bytes, place: str) -> str:
    try:
        # An editor ends a file with a line break, which is not part of a password.
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigError(f"the secret {_shown(place)} is not text") from None


def _fields(content: bytes, place: str) -> dict[str, object]:
    for encoded in (False, True):
        try:
            fields = json.loads(base64.b64decode(content, validate=True) if encoded else content)
        except (ValueError, RecursionError):
            continue
        if isinstance(fields, dict):
            return fields
    raise ConfigError(
        f"the secret {_shown(place)} is not a JSON object", hint='it should be {"username": ..., "password": ...}'
    )


def _shown(place: str) -> str:
    return f"'{place}'"
