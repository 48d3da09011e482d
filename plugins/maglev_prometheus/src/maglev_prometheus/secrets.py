"""The certificate and the password in force: read from files, checked, and swapped while serving."""

from __future__ import annotations

import base64
import binascii
import hmac
import ssl
from pathlib import Path

import attrs

from maglev_prometheus.options import PrometheusOptions


@attrs.frozen
class Secrets:
    """What the options and their files held.

    Args:
        tls: What to serve with; `None` for clear text.
        credentials: `user:password` of who may read; `None`: everybody may.
    """

    tls: ssl.SSLContext | None = None
    credentials: bytes | None = attrs.field(default=None, repr=False)

    def allow(self, authorization: str) -> bool:
        """Whether the value of an `Authorization` header lets its sender read.

        Takes as long for a password that is nearly right as for any other.
        """
        if self.credentials is None:
            return True
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(given, self.credentials)


def read_secrets(options: PrometheusOptions) -> Secrets:
    """Read and check all files that the options name; blocks, so it belongs into a thread.

    Raises:
        ValueError: A file cannot be read or used; says which and why.
    """
    return Secrets(_context(options.cert, options.key), _credentials(options))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error


def _credentials(options: PrometheusOptions) -> bytes | None:
    if not options.user:
        return None
    password = options.password.encode()
    if options.password_file is not None:
        # An editor's newline at the end is no part of a password.
        password = _read(options.password_file).rstrip(b"\r\n")
        if not password:
            raise ValueError(f"{options.password_file}: there is no password in it")
    return options.user.encode() + b":" + password


def _context(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if cert is None or key is None:
        return None
    for path in (cert, key):
        _read(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise ValueError(f"{cert} and {key} are no certificate and its key: {error}") from error
    return context


def _no_password() -> str:
    # Without this OpenSSL asks on the terminal.
    raise ValueError("the key needs a password")
