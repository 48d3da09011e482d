"""Real servers that keep logs, and a balancer before them that notices the dead: what maglevd and its dataplane do.

    python servers.py serve ADDRESS PORT NAME LOG
    python servers.py balance ADDRESS PORT LOG CHECKED_EVERY_S BACKEND_PORT…

A server writes a line per request that it answers: the time of the monotonic clock, in nanoseconds. The balancer
spreads connections over the servers that were alive at its latest check, so that some fail when one dies; it writes a
line whenever it finds others alive than before.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def listen(address: str, port: int) -> socket.socket:
    """Listen, whoever listened there a moment ago."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=256)


def accept_for_ever(listener: socket.socket, handle: Callable[[socket.socket], None]) -> None:
    """Handle each connection in a thread of its own."""
    while True:
        client, _ = listener.accept()
        threading.Thread(target=handle, args=(client,), daemon=True).start()


def serve(address: str, port: int, name: str, log: Path) -> None:
    """Answer requests until killed."""
    answer = (
        f"HTTP/1.1 200 OK\r\nX-IPng-Frontend: {name}\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n".encode()
    )

    def handle(client: socket.socket) -> None:
        with client, contextlib.suppress(ConnectionResetError):  # a probe that only connects ends so
            if not client.recv(4096):
                return
            # Whole lines, so that nothing is lost when this process is killed.
            with log.open("ab", buffering=0) as file:
                file.write(b"%d\n" % time.monotonic_ns())
            client.sendall(answer)

    accept_for_ever(listen(address, port), handle)


class Balancer:
    """Passes connections on to servers on 127.0.0.1, in turn.

    Args:
        ports: Of the servers.
        log: Where to note changes.
    """

    def __init__(self, ports: Sequence[int], log: Path) -> None:
        self._ports = ports
        self._log = log
        self._alive = tuple(ports)
        self._turn = 0

    def check(self) -> None:
        """Find out which servers are alive."""
        alive = tuple(port for port in self._ports if self._is_alive(port))
        if alive != self._alive:
            self._alive = alive
            with self._log.open("ab", buffering=0) as file:
                file.write(b"%d\n" % time.monotonic_ns())

    def _is_alive(self, port: int) -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    def handle(self, client: socket.socket) -> None:
        """Pass one connection on; one to a dead server is cut."""
        with client:
            alive = self._alive or self._ports
            self._turn += 1
            try:
                with socket.create_connection(("127.0.0.1", alive[self._turn % len(alive)]), timeout=1) as server:
                    server.sendall(client.recv(4096))
                    while data := server.recv(4096):
                        client.sendall(data)
            except OSError:
                return


def balance(address: str, port: int, log: Path, checked_every_s: float, ports: Sequence[int]) -> None:
    """Balance until killed."""
    balancer = Balancer(ports, log)
    threading.Thread(target=accept_for_ever, args=(listen(address, port), balancer.handle), daemon=True).start()
    while True:
        balancer.check()
        time.sleep(checked_every_s)


def main(arguments: list[str]) -> None:
    """Do what the command line says."""
    what, address, port, *rest = arguments
    if what == "serve":
        serve(address, int(port), rest[0], Path(rest[1]))
    else:
        balance(address, int(port), Path(rest[0]), float(rest[1]), [int(other) for other in rest[2:]])


if __name__ == "__main__":
    main(sys.argv[1:])
