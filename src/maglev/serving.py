"""Options and checks that all our servers share: address, TLS, files with secrets, basic authentication."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import socket
import ssl
from pathlib import Path
from typing import Any

import attrs

from maglev.api import Reload, option
from maglev.listening import is_loopback, read_address, written

CHALLENGE = 'Basic realm="maglevd", charset="UTF-8"'
"""The value of `WWW-Authenticate` in an answer that asks for user and password."""
_LONGEST_HEADER = 1024


@attrs.frozen
class Credentials:
    """One user and one password, as basic authentication has them.

    Args:
        user: The user's name, without a colon.
        password: The password; never shown.
    """

    user: str
    password: str = attrs.field(repr=False)

    def match(self, authorization: str) -> bool:
        """Whether the value of an `Authorization` header is this user with this password.

        Takes as long for a password that is nearly right as for any other.
        """
        given = ":".join(read_basic(authorization))
        # Digests have one length, so that the time says nothing of the password's.
        return hmac.compare_digest(_digest(given), _digest(f"{self.user}:{self.password}"))


def read_basic(authorization: str) -> tuple[str, str]:
    """Read user and password from the value of an `Authorization` header; both are empty if it is no such value."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > _LONGEST_HEADER:
        return "", ""
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return "", ""
    user, colon, password = decoded.decode("utf-8", "surrogateescape").partition(":")
    return (user, password) if colon else ("", "")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def addr_option(port: int, flag: str) -> Any:
    """Declare the option `addr` of something that listens; `listening.listen` takes its value.

    The default is on loopback: a router of VIPs is often on the internet, and nothing is open there unasked.

    Args:
        port: The port of the default.
        flag: The command-line flag, without dashes.
    """
    return option(
        f"127.0.0.1:{port}",
        help="Address and port to listen on; `:port` for all addresses, open to other hosts; empty: none",
        flag=flag,
        reload=Reload.RESTART,
        allowed="address:port, :port, or empty",
        examples=(f"192.0.2.1:{port}", f"[2001:db8::1]:{port}", f":{port}"),
        validator=_listens,
    )


def cert_option() -> Any:
    """Declare the option `cert`, the server's certificate; `key_option` belongs with it."""
    return option(
        None,
        help="PEM file with the server's certificate and chain; with it, addr accepts only TLS",
        examples=("/etc/maglevd/tls.crt",),
    )


def key_option() -> Any:
    """Declare the option `key`, the private key of `cert`, which must stand before it in the class."""
    return option(
        None, help="PEM file with the certificate's private key", examples=("/etc/maglevd/tls.key",), validator=_pair
    )


def plain_text(listener: socket.socket, *, tls: bool, secret: str = "") -> str:
    """Warn of an address that others reach and that speaks plain text.

    Args:
        listener: What is listened on, with TCP.
        tls: Whether it speaks TLS.
        secret: What goes over it that nobody else should read, in words; empty for nothing of the kind.

    Returns:
        One line; empty if there is nothing to warn of.
    """
    address, port = listener.getsockname()[:2]
    if tls or is_loopback(address):
        return ""
    place = f"{written(address, port)} is open to others in plain text"
    return f"{place}: {secret} can be read on the way" if secret else place


def _listens(_options: Any, _attribute: attrs.Attribute[Any], value: str) -> None:
    if value:
        read_address(value)


def _pair(options: Any, _attribute: attrs.Attribute[Any], value: Path | None) -> None:
    if (value is None) != (options.cert is None):
        raise ValueError("set both cert and key, or neither")


def read_file(path: Path) -> bytes:
    """Read a file with a secret or a certificate; blocks.

    Raises:
        ValueError: It cannot be read; says which and why.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error


def read_password(path: Path) -> str:
    """Read a file that holds a password, without the newline that an editor puts behind it; blocks.

    Raises:
        ValueError: It cannot be read, or is empty; says which and why.
    """
    password = read_file(path).rstrip(b"\r\n").decode("utf-8", "surrogateescape")
    if not password:
        raise ValueError(f"{path}: contains no password")
    return password


def read_certificate(cert: Path, key: Path) -> ssl.SSLContext:
    """Make the TLS context of a server; blocks. TLS 1.2 is the oldest version that it speaks.

    Args:
        cert: The certificate and its chain, in PEM.
        key: Its private key, in PEM, without a password.

    Raises:
        ValueError: A file cannot be read or used; says which and why.
    """
    for path in (cert, key):
        read_file(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise ValueError(f"{cert} and {key} are not a certificate and its key: {error}") from error
    return context


def _no_password() -> str:
    # Without this OpenSSL asks on the terminal.
    raise ValueError("the key needs a password")
