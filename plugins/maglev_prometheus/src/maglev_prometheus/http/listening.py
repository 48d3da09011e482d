"""Opens the socket to listen on."""

from __future__ import annotations

import socket

from maglev import listening

BACKLOG = 128
SEND_BUFFER = 256 * 1024
"""Bytes that the kernel keeps for one connection: a hundred readers that do not read must not cost megabytes each."""


def listen(addr: str) -> socket.socket:
    """Listen on an address, without blocking from then on; may look its name up, so it belongs into a thread.

    Args:
        addr: As for `maglev.listening.listen`, which tells what is raised too.
    """
    listener = listening.listen(addr, BACKLOG)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    listener.setblocking(False)
    return listener
