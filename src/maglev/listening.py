"""Addresses to listen on, as all plugins and commands that serve something read and open them."""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import anyio
import anyio.to_thread

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 30.0
SEND_BUFFER = 64 * 1024
"""Bytes that the kernel holds for a client that does not read; it counts twice as many, for its own use.

Left to itself it holds over 2 MB on loopback. All of a host's connections share one limit (`net.ipv4.tcp_mem`): a few
hundred clients that read nothing would reach it, and then no connection of the host gets on, our probes among them.
"""

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^\[\]:\s/]*):(?P<port>[0-9]{1,5})")


def read_address(text: str) -> tuple[str, int]:
    """Split an address to listen on into host and port; the host is empty for all addresses.

    Args:
        text: `:8080`, `192.0.2.1:8080`, `[2001:db8::1]:8080` or `name:8080`.

    Raises:
        ValueError: It is none.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise ValueError(
            f"{text!r} is not an address to listen on, such as `:8080`, `192.0.2.1:8080` or `[2001:db8::1]:8080`"
        )
    return match["host"].strip("[]"), int(match["port"])


def listen(text: str, backlog: int) -> socket.socket:
    """Listen on an address with TCP; may look its name up, so it belongs into a thread.

    Each connection has a send buffer of `SEND_BUFFER`.

    Args:
        text: As for `read_address`; without a host all addresses, IPv4 and IPv6.
        backlog: Connections that the kernel keeps until they are accepted.

    Raises:
        ValueError: It is no address.
        OSError: It cannot be listened on; says which and why.
    """
    host, port = read_address(text)
    try:
        sock = _on(host, port, backlog) if host else _on_all(port, backlog)
    except OSError as error:
        # A name that cannot be looked up has a number of its own; the library adds words of its own to the others.
        why = str(error.strerror) if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise OSError(error.errno, f"cannot listen on {text}: {why}") from error
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)  # connections inherit it
    return sock


def _on(host: str, port: int, backlog: int) -> socket.socket:
    family, _kind, _protocol, _name, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return socket.create_server(address, family=family, backlog=backlog)


def _on_all(port: int, backlog: int) -> socket.socket:
    try:
        return socket.create_server(("::", port), family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=True)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            raise
        # A host without IPv6.
        return socket.create_server(("0.0.0.0", port), backlog=backlog)  # noqa: S104 - all addresses were asked for


def check_address(text: str) -> None:
    """Look whether an address is one that can be listened on here; may look its name up. Its port may be in use.

    Raises:
        ValueError: It is no address, its name is not known, or it is not this host's.
    """
    host, _port = read_address(text)
    if not host:
        return
    try:
        with _on(host, 0, 1):
            return
    except OSError as error:
        raise ValueError(f"cannot listen on {text}: {error.strerror or error}") from error


def check_socket(path: str) -> None:
    """Look whether a unix socket can be made.

    Raises:
        ValueError: Its directory does not exist or may not be written to, or something else is there. A directory in
            `/run` may be made only when the service starts.
    """
    directory = Path(path).parent
    if not directory.exists() and directory.is_relative_to("/run"):
        return
    if not directory.is_dir():
        raise ValueError(f"{directory}: there is no such directory")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise ValueError(f"{directory}: cannot create a socket there: Permission denied")
    if Path(path).exists() and not Path(path).is_socket():
        raise ValueError(f"{path}: exists and is not a socket")


async def opened(make: Callable[[], socket.socket], tell: Callable[[str], object]) -> socket.socket:
    """Open a socket to listen on, and try again until it can be had: somebody else may hold its address.

    Args:
        make: Opens it, in a thread; raises `OSError` or `ValueError`.
        tell: Is called with why it cannot be had, in one line, as often as the reason changes.
    """
    told, delay_s = "", FIRST_RETRY_S
    while True:
        try:
            with anyio.CancelScope(shield=True):  # the thread is waited for in any case, and the socket not lost
                return await anyio.to_thread.run_sync(make)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        if why != told:
            told = why
            tell(why)
        await anyio.sleep(delay_s)
        delay_s = min(2 * delay_s, LONGEST_RETRY_S)


def unmapped(address: str) -> str:
    """An address as it is written; an IPv4 one that a socket of IPv6 names (`::ffff:192.0.2.1`) is an IPv4 one."""
    parsed = ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or address)


def is_loopback(address: str) -> bool:
    """Whether only this host reaches an address, as a socket names it; all addresses (`::`) are none of those."""
    return ip_address(unmapped(address)).is_loopback


def written(address: str, port: int) -> str:
    """An address and a port as they are written: `192.0.2.1:8080`, `[2001:db8::1]:8080`."""
    host = unmapped(address)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
