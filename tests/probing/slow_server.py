"""A server for whole daemons to probe, in a process of its own: answers every request 200, but not at once.

    python -m tests.probing.slow_server PORT DELAY_S

Listens on all addresses, says `ready`, and then says which of its addresses each request was for.
"""

from __future__ import annotations

import socket
import sys
import time
from collections import deque
from select import EPOLLIN, epoll

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


class SlowServer:
    """Holds every request for a while.

    Args:
        listener: Listens.
        delay_s: For how long.
    """

    def __init__(self, listener: socket.socket, delay_s: float) -> None:
        self._listener = listener
        self._delay_s = delay_s
        self._epoll = epoll()
        self._epoll.register(listener, EPOLLIN)
        self._clients: dict[int, socket.socket] = {}
        self._due: deque[tuple[float, socket.socket]] = deque()

    def serve(self) -> None:
        """Serve for ever."""
        while True:
            wait_s = max(0.0, self._due[0][0] - time.monotonic()) if self._due else -1
            for fd, _ in self._epoll.poll(wait_s):
                if fd == self._listener.fileno():
                    self._accept()
                else:
                    self._read(fd)
            while self._due and self._due[0][0] <= time.monotonic():
                self._answer(self._due.popleft()[1])

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        self._clients[client.fileno()] = client
        self._epoll.register(client, EPOLLIN)

    def _read(self, fd: int) -> None:
        client = self._clients.pop(fd)
        self._epoll.unregister(fd)
        try:
            data = client.recv(65_536)
        except ConnectionError:
            data = b""
        if not data:
            client.close()
            return
        say(client.getsockname()[0])
        self._due.append((time.monotonic() + self._delay_s, client))

    def _answer(self, client: socket.socket) -> None:
        with client:
            try:
                client.sendall(ANSWER)
            except ConnectionError:
                return  # it did not wait for us


if __name__ == "__main__":
    with socket.create_server(("0.0.0.0", int(sys.argv[1])), backlog=1024) as listening:
        say("ready")
        SlowServer(listening, float(sys.argv[2])).serve()
