"""A network namespace in which nothing can be reached: routes refuse, and a router answers with ICMP errors."""

from __future__ import annotations

import fcntl
import os
import secrets
import select
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from maglev.probing.netns import Namespaces

ROUTES = ("blackhole", "prohibit", "unreachable", "throw")
_TUNSETIFF = 0x400454CA
_TUN_WITHOUT_HEADER = 0x1001
_NET = "198.51.100"


def ip(*words: str) -> None:
    """Run `ip`."""
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)


def permitted() -> str:
    """Why no such namespace can be made here; empty if it can."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "there is no /dev/net/tun to be a router with"
    name = f"maglev-test-{secrets.token_hex(4)}"
    try:
        ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError):
        return "no network namespace can be made here (needs CAP_SYS_ADMIN and ip)"
    ip("netns", "del", name)
    return ""


def routed(kind: str, version: int) -> str:
    """An address behind a route of a kind."""
    number = ROUTES.index(kind)
    return f"192.0.2.{number + 1}" if version == 4 else f"2001:db8::{number + 1}"


def answered(icmp_type: int, code: int) -> str:
    """An address about which the router answers with this ICMP error (3: unreachable, 12: parameter problem)."""
    return f"{_NET}.{icmp_type * 16 + code}"


@contextmanager
def nothing_reachable() -> Iterator[str]:
    """The namespace, by name, while the context lasts."""
    name = f"maglev-test-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        ip("netns", "add", name)
        stack.callback(ip, "netns", "del", name)
        tun = _open_tun(name)
        stack.callback(os.close, tun)
        for words in ("link set lo up", f"addr add {_NET}.254/24 dev probe0", "link set probe0 up"):
            ip("-n", name, *words.split())
        for kind in ROUTES:
            for version, size in ((4, 32), (6, 128)):
                ip(f"-{version}", "-n", name, "route", "add", kind, f"{routed(kind, version)}/{size}")
        ours, theirs = socket.socketpair()
        stack.callback(ours.close)
        router = threading.Thread(target=_route, args=(tun, theirs))
        router.start()
        stack.callback(router.join)
        stack.callback(ours.shutdown, socket.SHUT_RDWR)
        yield name


def _open_tun(netns: str) -> int:
    spaces = Namespaces(lambda: 0)
    try:
        with spaces.inside(netns):
            tun = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH14x", b"probe0", _TUN_WITHOUT_HEADER))
    finally:
        spaces.close()
    return tun


def _route(tun: int, stop: socket.socket) -> None:
    with stop:
        while stop.fileno() not in select.select([tun, stop.fileno()], [], [])[0]:
            packet = os.read(tun, 65_536)
            if packet[0] >> 4 == 4 and packet[9] == socket.IPPROTO_TCP:
                os.write(tun, _error(packet))


def _error(packet: bytes) -> bytes:
    """The ICMP error (RFC 792) that the last byte of a packet's destination asks for."""
    source, last = packet[12:16], packet[19]
    quoted = packet[: (packet[0] & 15) * 4 + 8]
    message = _summed(struct.pack("!BBHI", last // 16, last % 16, 0, 0) + quoted, 2)
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(message), 0, 0, 64, 1, 0, packet[16:20], source)
    return _summed(head, 10) + message


def _summed(data: bytes, offset: int) -> bytes:
    """Put the Internet checksum (RFC 1071) at an offset."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return data[:offset] + struct.pack("!H", ~total & 0xFFFF) + data[offset + 2 :]
