"""systemd's notification protocol: one datagram to the socket that `NOTIFY_SOCKET` names, if there is one."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

import attrs

_LONGEST = 500
"""Characters of a status."""


@attrs.frozen
class Notifier:
    """Tells the service manager how the daemon fares.

    Args:
        address: The manager's socket, `@name` for an abstract one; empty if there is no manager.
        watchdog_s: How often the watchdog must be fed at the latest, in seconds; `None` if there is none.
    """

    address: str = ""
    watchdog_s: float | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Notifier:
        """Read what systemd tells its services: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`."""
        usec = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watchdog_s = int(usec) / 1e6 if usec.isdigit() and int(usec) and ours else None
        return cls(environ.get("NOTIFY_SOCKET", ""), watchdog_s)

    def ready(self, status: str) -> None:
        """Start-up or a reload is over."""
        self._send("READY=1", f"STATUS={_one_line(status)}")

    def status(self, status: str) -> None:
        """Send the daemon's status, in one line."""
        self._send(f"STATUS={_one_line(status)}")

    def reloading(self) -> None:
        """A reload begins; `ready` must follow."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The daemon is about to end."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self.address:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sock:
            try:
                sock.sendto("\n".join(lines).encode(), address)
            except OSError:
                return  # A manager that is gone or busy is no reason to stop serving.


def _one_line(text: str) -> str:
    # A newline would begin another message to the manager, and a datagram has a limit.
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
