"""Hostile backends, in a process of their own: what they do to their own CPU is not the prober's stall.

    python -m plugins.maglev_http.tests.hostile_servers

Says the port of each in a line of JSON, and serves until its standard input ends.
"""

from __future__ import annotations

import itertools
import json
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GIGABYTE = HEAD + b"Content-Length: 1073741824\r\n\r\n"
SERVER_HELLO = b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"  # the beginning of one
Handler = Callable[[socket.socket], None]


def serve(handler: Handler) -> int:
    """Serve with a handler, each connection in a thread of its own so that none queues; returns the port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    threading.Thread(target=_accept, args=(listener, handler), daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


def _accept(listener: socket.socket, handler: Handler) -> None:
    while True:
        connection = listener.accept()[0]
        threading.Thread(target=_one, args=(connection, handler), daemon=True).start()


def _one(connection: socket.socket, handler: Handler) -> None:
    with connection, suppress(OSError):  # the prober resets what it has done with
        connection.recv(65_536)
        handler(connection)


def says(*pieces: bytes, forever: bytes = b"", hold: bool = False) -> Handler:
    """Say pieces, the last one without end, and then close or hold."""

    def handle(connection: socket.socket) -> None:
        for piece in itertools.chain(pieces, itertools.repeat(forever) if forever else ()):
            connection.sendall(piece)
        while hold and connection.recv(65_536):
            pass

    return handle


def dribble(words: bytes, first: bytes = b"") -> Handler:
    """Say something a byte at a time, far too slowly, for as long as anybody listens."""

    def handle(connection: socket.socket) -> None:
        connection.sendall(first)
        connection.settimeout(0.03)
        for byte in itertools.chain(words, itertools.repeat(ord("x"))):
            connection.sendall(bytes([byte]))
            with suppress(TimeoutError):
                if not connection.recv(1):
                    return

    return handle


def reset(connection: socket.socket) -> None:
    connection.sendall(HEAD)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


ANIMALS: dict[str, Handler] = {
    "calm": says(HEAD + b"Content-Length: 2\r\n\r\nok", hold=True),
    "never answers": says(hold=True),
    "a byte at a time": dribble(HEAD),
    "a body a byte at a time": dribble(b"", HEAD + b"\r\n"),
    "endless headers": says(HEAD, forever=b"X: " + b"x" * 1000 + b"\r\n"),
    "one endless header": says(HEAD + b"X: ", forever=b"x" * 4096),
    "endless body": says(HEAD + b"\r\n", forever=b"x" * 4096),
    "a gigabyte, it says": says(GIGABYTE, forever=b"x" * 4096),
    "a gigabyte, and nothing": says(GIGABYTE, hold=True),
    "endless chunks": says(CHUNKED, forever=b"1\r\nx\r\n" * 500),
    "endless chunk extension": says(CHUNKED + b"1;", forever=b"x" * 4096),
    "chunk longer than it says": says(CHUNKED + b"2\r\nxxxxxx\r\n0\r\n\r\n"),
    "chunk shorter than it says": says(CHUNKED + b"ff\r\nx\r\n0\r\n\r\n"),
    "chunk of a negative size": says(CHUNKED + b"-2\r\nxx\r\n"),
    "garbage": says(bytes(range(256)) * 16),
    "closes at once": says(),
    "closes early": says(HEAD),
    "resets": reset,
    "storm of interim answers": says(forever=b"HTTP/1.1 102 Processing\r\n\r\n" * 50),
    "redirects to itself": says(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"),
}
TLS_ANIMALS: dict[str, Handler] = {
    "never answers": says(hold=True),
    "stalls within a record": says(SERVER_HELLO[:5], hold=True),
    "stalls within a message": says(SERVER_HELLO, hold=True),
    "speaks plain HTTP": says(HEAD + b"\r\n", hold=True),
    "garbage": says(bytes(range(255, 0, -1)), hold=True),
    "a record larger than any may be": says(b"\x16\x03\x03\xff\xff", forever=b"x" * 4096),
    "closes at once": says(),
    "alerts": says(b"\x15\x03\x03\x00\x02\x02\x28", hold=True),
}


if __name__ == "__main__":
    ports = [{name: serve(handler) for name, handler in group.items()} for group in (ANIMALS, TLS_ANIMALS)]
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
