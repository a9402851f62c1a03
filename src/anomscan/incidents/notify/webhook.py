"""``sink = "webhook"``: a digest as JSON to a URL, signed as Standard Webhooks has it.

The signature is HMAC-SHA256, in base64, of ``ID.TIMESTAMP.BODY`` (https://www.standardwebhooks.com): a receiver that
has the secret knows that the body is ours, and from when; libraries that verify it exist for many languages.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence

from anomscan.config import WebhookRoute
from anomscan.errors import ConfigError
from anomscan.incidents.notify.digest import Digest
from anomscan.incidents.notify.http import Address, Poster, secret_of
from anomscan.incidents.notify.templates import Template, as_json, markdown_of
from anomscan.retrying import Clock

#: How a secret begins that is base64, rather than the bytes themselves.
_PREFIX = "whsec_"


class Webhook:
    """A URL that takes JSON.

    Raises
    ------
    ConfigError
        A URL, secret or template that cannot be used.
    """

    tells_open = False

    def __init__(self, route: WebhookRoute, clock: Clock) -> None:
        setting = f"notify '{route.name}'"
        self._name, self._clock = route.name, clock
        self._token = secret_of(setting, "token", route.token)
        self._secret = _key(setting, secret_of(setting, "secret", route.secret))
        self._template = None if route.template is None else Template.read(route.template, as_json)
        address = Address(setting, route.url, route.timeout_s, route.deadline_s, route.ca)
        self._poster = Poster(address, clock, self._token)

    def send(self, digest: Digest) -> Sequence[str]:
        """Post a digest; see :class:`anomscan.incidents.notify.base.Sink`."""
        body = self.shown(digest).encode()
        moment = str(int(self._clock.wall()))
        headers = {"webhook-id": digest.key, "webhook-timestamp": moment}
        if self._secret:
            headers["webhook-signature"] = signature(self._secret, digest.key, moment, body)
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        self._poster.post(body, headers)
        return ()

    def shown(self, digest: Digest) -> str:
        """The body.

        Raises
        ------
        ConfigError
            If the template makes no JSON.
        """
        content = digest.as_json()
        if self._template is None:
            return json.dumps(content)
        text = self._template.render(content, markdown=markdown_of(content))
        try:
            return json.dumps(json.loads(text))
        except ValueError as error:
            raise ConfigError(
                f"notify '{self._name}': what its template makes is not JSON: {error}",
                hint='write texts as "{{ digest.title }}" or {{ markdown | tojson }}',
            ) from None


def signature(secret: bytes, key: str, moment: str, body: bytes) -> str:
    """The header ``webhook-signature``.

    >>> signature(b"secret", "1", "0", b"{}")
    'v1,Qz8berDYiwuYjWGq74EWXhASRflUh3LjswICZFJ53LI='
    """
    code = hmac.new(secret, f"{key}.{moment}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(code).decode()}"


def _key(setting: str, secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ConfigError(f"{setting}: the secret begins with {_PREFIX} but the rest is not base64") from None
