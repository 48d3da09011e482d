"""Opens the socket to listen on."""

from __future__ import annotations

import errno
import socket

from maglev_prometheus.options import split_address

BACKLOG = 128
SEND_BUFFER = 256 * 1024
"""Bytes that the kernel keeps for one connection: a hundred readers that do not read must not cost megabytes each."""


def listen(addr: str) -> socket.socket:
    """Listen on an address; may look its name up, so it belongs into a thread.

    Args:
        addr: `host:port`, or `:port` for all addresses, IPv4 and IPv6.

    Raises:
        OSError: It cannot be listened on; says which and why.
    """
    host, port = split_address(addr)
    try:
        listener = _on_all(port) if not host else _on(host, port)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {addr}: {error.strerror or error}") from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    listener.setblocking(False)
    return listener


def _on(host: str, port: int) -> socket.socket:
    family, _kind, _protocol, _name, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return socket.create_server(address, family=family, backlog=BACKLOG)


def _on_all(port: int) -> socket.socket:
    try:
        return socket.create_server(("::", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            raise
        # A host without IPv6.
        return socket.create_server(("0.0.0.0", port), backlog=BACKLOG)  # noqa: S104 - all addresses were asked for
