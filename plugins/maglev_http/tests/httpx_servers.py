"""Answers of servers for the tests of `engine: httpx`, and sockets for their probes."""

from __future__ import annotations

import socket
from collections.abc import Callable

import attrs
import h2.config
import h2.connection
import h2.events

LONG = b"x" * 70_000
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@attrs.define
class PlainSockets:
    """Sockets of this process's own namespace; remembers them."""

    family: socket.AddressFamily
    fault: OSError | None = None
    opened: list[socket.socket] = attrs.field(factory=list)

    def open(
        self,
        kind: socket.SocketKind = socket.SOCK_STREAM,
        proto: int = 0,
        family: socket.AddressFamily | None = None,
    ) -> socket.socket:
        if self.fault:
            raise self.fault
        sock = socket.socket(family or self.family, kind, proto)
        sock.setblocking(False)
        self.opened.append(sock)
        return sock

    def scope_id(self, zone: str) -> int:
        return socket.if_nametoindex(zone)


def answering(answers: dict[bytes, bytes], asked: list[bytes] | None = None) -> Callable[[socket.socket], None]:
    """A handler that answers by path, and remembers requests."""

    def handle(connection: socket.socket) -> None:
        request = connection.recv(65_536)
        if asked is not None:
            asked.append(request)
        connection.sendall(answers.get(request.split(b" ")[1], b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))

    return handle


def redirect(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


def serve_http2(connection: socket.socket) -> None:
    """Answers the requests of one HTTP/2 connection with the version in the body."""
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    server.initiate_connection()
    connection.sendall(server.data_to_send())
    while data := connection.recv(65_536):
        for event in server.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                assert event.stream_id is not None
                server.send_headers(event.stream_id, [(":status", "200")])
                server.send_data(event.stream_id, b"spoken over h2", end_stream=True)
        connection.sendall(server.data_to_send())
