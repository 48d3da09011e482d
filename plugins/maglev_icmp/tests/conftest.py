"""A network namespace in which nobody answers echo requests but the test."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000


class Namespace:
    """A network namespace of its own, with one thread that lives in it.

    Its loopback has 127.0.0.0/8 and fd00::1 to fd00::3, and the kernel answers no echo request there.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self.run(self._settle)
        self.path = f"/proc/self/task/{self.run(threading.get_native_id)}/ns/net"

    def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Do something inside, and wait for it. What is made inside works outside too."""
        return self._thread.submit(work, *arguments).result()

    def ip(self, *words: str) -> None:
        self.run(lambda: subprocess.run(["ip", *words], check=True))

    def answer_by_kernel(self) -> None:
        """Let the kernel answer echo requests after all."""
        self.run(self._write, "ipv4/icmp_echo_ignore_all", "0")
        self.run(self._write, "ipv6/icmp/echo_ignore_all", "0")

    def allow_ping_sockets(self) -> None:
        self.run(self._write, "ipv4/ping_group_range", "0 2147483647")

    def close(self) -> None:
        self._thread.shutdown()

    def _settle(self) -> None:
        if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self._write("ipv4/icmp_echo_ignore_all", "1")
        self._write("ipv6/icmp/echo_ignore_all", "1")
        self._write("ipv6/conf/all/accept_dad", "0")
        self._write("ipv6/conf/default/accept_dad", "0")
        for command in ("link set lo up", *(f"addr add fd00::{number}/128 dev lo nodad" for number in (1, 2, 3))):
            subprocess.run(["ip", *command.split()], check=True)
        for number in (1, 2, 3):
            _wait_until_reached(f"fd00::{number}")

    def _write(self, name: str, value: str) -> None:
        # /proc/sys/net shows the namespace of the thread that looks.
        Path("/proc/thread-self/root/proc/sys/net", name).write_text(value)


def _wait_until_reached(address: str) -> None:
    """Send datagrams until one arrives: in a namespace this young the kernel may still lose the first over IPv6."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))
        sock.settimeout(0.1)
        for _ in range(100):
            sock.sendto(b"?", sock.getsockname())
            with contextlib.suppress(TimeoutError):
                sock.recv(1)
                return
    raise TimeoutError(f"{address} cannot be reached")


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A network namespace of its own; needs CAP_SYS_ADMIN."""
    made = Namespace()
    yield made
    made.close()
