"""TLS to a MySQL server: what each mode checks."""

from __future__ import annotations

import ssl

from pymysql.constants import CR

from anomscan.config import SqlSource
from anomscan.errors import ConfigError


def connect_args(name: str, settings: SqlSource) -> dict[str, object]:
    """The TLS arguments of PyMySQL for a source's mode.

    ``verify-identity`` checks certificate and host name, ``verify-ca`` the certificate alone, ``require`` encrypts
    without a check, ``prefer`` (PyMySQL's own way from 1.2 on) encrypts where the server can, ``disable`` never.

    Raises
    ------
    ConfigError
        A ``ca`` that cannot be read, or is not looked at in this mode.
    """
    verified = settings.tls in ("verify-identity", "verify-ca")
    if settings.ca is not None and not verified:
        raise ConfigError(
            f'sources.{name}: ca is set, and tls = "{settings.tls}" checks no certificate',
            hint='set tls = "verify-identity"',
        )
    if settings.tls == "prefer":
        return {}
    if settings.tls == "disable":
        return {"ssl_disabled": True}
    try:
        context = ssl.create_default_context(cafile=settings.ca)
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror if isinstance(error, FileNotFoundError) else "no certificates in PEM form"
        raise ConfigError(f"sources.{name}: ca {settings.ca} cannot be used: {reason}") from None
    # The authority that MySQL makes for itself lacks extensions that Python 3.13 demands by default.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.check_hostname = settings.tls == "verify-identity"
    if not verified:
        context.verify_mode = ssl.CERT_NONE
    return {"ssl": context}


def advice(code: int | None, reason: str) -> str | None:
    """A hint for a TLS failure, from its number and the driver's message."""
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        if "ostname mismatch" in reason or "IP address mismatch" in reason:
            return 'connect by the name in the certificate; tls = "verify-ca" checks all but the name'
        return "name the file of the authority that signed the server's certificate in ca"
    if code == CR.CR_SSL_CONNECTION_ERROR:
        return 'switch TLS on at the server; tls = "prefer" takes the connection without'
    return None
