"""Finds out why a connection cannot be made, and says it in words that help.

gRPC tells little of TLS that cannot be agreed on: its servers hang up without the alert that TLS has for it, and what
its clients say then is "Socket closed". So after such a failure we shake hands once ourselves, and look.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from pathlib import Path

import anyio.to_thread

from maglev_grpc.errors import Unavailable
from maglev_grpc.security import Security

WITHIN_S = 3.0
"""For each step of looking."""

_PREAMBLE = re.compile(r"failed to connect to all addresses; last error: [A-Z_]+: (?:ipv4|ipv6|unix):\S+: ")
_UNCLEAR = ("Socket closed", "Tls handshake failed", "verification check", "onnection reset", "Broken pipe")
_NO_HTTP2 = ("Failed parsing HTTP/2", "http1")
_NO_ALPN = "missing selected ALPN property"
_NO_NAME = re.compile(r"errors resolving (?P<name>\S+?)(?::\d+)?: \[.*: (?P<why>[^:\]]+)\]")


async def explained(failure: Exception, target: str, security: Security) -> Exception:
    """Return a failure in better words, if it is one of reaching the server and there are any."""
    if not isinstance(failure, Unavailable):
        return failure
    told = _PREAMBLE.sub("", str(failure))
    if any(unclear in told for unclear in _UNCLEAR):
        reason = await anyio.to_thread.run_sync(diagnose, target, security, abandon_on_cancel=True)
        told = f"{target}: {reason or 'the connection was closed before there was an answer'}"
    elif _NO_ALPN in told:
        told = f"{target}: the server there is not maglevd: it speaks TLS, but not HTTP/2"
    elif found := _NO_NAME.search(told):
        told = f"{target}: there is no address for {found['name']}: {found['why']}"
    elif any(words in told for words in _NO_HTTP2):
        told = told.replace(f"{target}: ", f"{target}: the server there is not maglevd: ", 1)
    return Unavailable(told)


def diagnose(target: str, security: Security) -> str:
    """Shake hands with a server, and tell what is wrong; blocks, so it belongs into a thread.

    Returns:
        What is wrong, or nothing if that does not show.
    """
    if target.startswith("unix:"):
        return ""
    host, _, port = target.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), WITHIN_S) as plain:
            if security.tls:
                return _secure(plain, security, security.server_name or host.strip("[]"))
            return _clear(plain)
    except (OSError, ValueError):  # nobody there, silence, or files that cannot be read: gRPC's own words do
        return ""


def _clear(plain: socket.socket) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(plain):
        return "it speaks TLS, and was spoken to in clear text"


def _secure(plain: socket.socket, security: Security, name: str) -> str:
    context = ssl.create_default_context(cafile=security.ca)
    context.set_alpn_protocols(["h2"])
    _load(context, security)
    try:
        with context.wrap_socket(plain, server_hostname=name) as secure:
            with contextlib.suppress(ConnectionError):  # hung up all the same
                if secure.recv(1):
                    return ""
            return _hung_up(security)
    except ssl.SSLCertVerificationError as error:
        return f"the server's certificate is not accepted: {error.verify_message.rstrip('.')}"
    except ssl.SSLError as error:
        return _told(error.reason or "")


def _told(reason: str) -> str:
    _, is_alert, alert = reason.partition("ALERT_")
    if is_alert:
        return f"the server refuses the connection: {alert.lower().replace('_', ' ')}"
    return "it does not speak TLS" if reason == "WRONG_VERSION_NUMBER" else ""


def _hung_up(security: Security) -> str:
    if security.cert is None:
        return "the server hung up after the TLS handshake; most likely it wants a client certificate"
    fault = _fault_of(security)
    if fault:
        return f"the client certificate {security.cert} is not accepted: {fault}"
    return f"the server hung up after the TLS handshake; most likely it does not accept {security.cert}"


def _fault_of(security: Security) -> str:
    """Return what is wrong with a client certificate itself, such as that it has expired.

    Nothing public in Python reads a certificate's dates, but a handshake checks them: the two ends of one in memory.
    """
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.check_hostname, ours.verify_mode = False, ssl.CERT_NONE
    theirs.verify_mode = ssl.CERT_REQUIRED
    theirs.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the certificate itself is the authority
    theirs.load_verify_locations(security.cert)
    for context in (ours, theirs):
        _load(context, security)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = ours.wrap_bio(down, up), theirs.wrap_bio(up, down, server_side=True)
    try:
        for end in (*ends, *ends):
            with contextlib.suppress(ssl.SSLWantReadError):  # it is the other's turn
                end.do_handshake()
    except ssl.SSLCertVerificationError as error:
        return str(error.verify_message)
    return ""


def _load(context: ssl.SSLContext, security: Security) -> None:
    if security.cert is not None:
        context.load_cert_chain(Path(security.cert), security.key, password=_no_password)


def _no_password() -> str:
    raise ValueError("the key needs a password")
